/* Questions about host and domain names, asked by processes that have no network of their own
 * (service "anvil" answers them from DNS). One question, one answer at a time on a channel.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SERVICE_LOOKUP_H
#define TAMBO_SERVICE_LOOKUP_H

#include "ipc/message.h"

enum lookup_kind {
	LOOKUP_PEER, /* name: an address. Its name, and whether that name has this address */
	LOOKUP_MAIL, /* name: a domain. Can mail be sent to it? MX, or A or AAAA (RFC 5321 section
			5) */
	LOOKUP_HOST, /* name: a host. Has it A, AAAA or MX? */
};

enum lookup_status {
	LOOKUP_FOUND,
	LOOKUP_NOT_FOUND, /* PEER: no name at all */
	LOOKUP_TEMPORARY, /* try again later */
	LOOKUP_NULL_MX,   /* MAIL: RFC 7505 */
	LOOKUP_MISMATCH,  /* PEER: there is a name, but it does not have this address */
	LOOKUP_FORWARD_TEMPORARY, /* PEER: there is a name; asking for its address failed */
};

struct lookup_question {
	uint32_t kind;
	struct span name;
};

struct lookup_answer {
	uint32_t status;
	struct span name; /* PEER: the name of the PTR record */
};

extern const struct message_type lookup_question_type, lookup_answer_type;

#endif
