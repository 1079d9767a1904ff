/* A next hop as transports name it: "example.com", "example.com:587", "[mx.example.com]",
 * "[192.0.2.1]:2525", "inet:host:port", "unix:/path" (LMTP). Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_NEXT_HOP_H
#define TAMBO_SMTP_NEXT_HOP_H

#include "base/span.h"

struct next_hop {
	struct span text;   /* as written */
	struct span host;   /* name or address without brackets; of unix: the path */
	uint16_t port;      /* 0: the default */
	bool mx;            /* ask for MX records */
	bool local;         /* a UNIX socket */
};

/* lmtp: a plain name is never asked for MX. False when it is none. */
bool next_hop_parse(struct span text, bool lmtp, struct next_hop *ret_hop);

#endif
