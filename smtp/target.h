/* Where to connect for a next hop: MX hosts by preference with their addresses, a host's own
 * addresses, or a UNIX socket (RFC 5321 section 5, RFC 7505).
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_TARGET_H
#define TAMBO_SMTP_TARGET_H

#include "base/arena.h"
#include "net/socket.h"
#include "smtp/next_hop.h"
#include "smtp/problem.h"

#define TARGETS_MAX 200 /* addresses considered for one next hop */

struct target {
	struct span host;    /* as MX or next hop named it, or the address; for the log and TLS */
	struct span text;    /* "192.0.2.1", or the path of a socket */
	uint16_t preference;
	uint16_t port;
	bool best_mx;        /* of the best preference among those left */
	struct address address;
};

struct target_list {
	struct target *items; /* in the order to try */
	size_t count;
};

/* Waits for DNS. True when there is somewhere to go; otherwise the list is empty and problem says
 * why. All lives in the arena. */
bool target_find(const struct next_hop *hop, struct arena *arena, struct target_list *ret_list,
	struct problem *problem);

#endif
