/* What the processes of one host count together about their clients (service "anvil"): connections
 * at once, and events per anvil_rate_time_unit. Soft state: losing it is harmless, and a server
 * that gets no answer goes on without. Connections are forgotten when the channel they were counted
 * on closes, so a process that dies leaves nothing behind: keep one channel for all counting.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SERVICE_ANVIL_H
#define TAMBO_SERVICE_ANVIL_H

#include "ipc/message.h"

enum anvil_event {
	ANVIL_CONNECT,    /* answer: connections at once and rate, this one included */
	ANVIL_DISCONNECT,
	ANVIL_MESSAGE,
	ANVIL_RECIPIENT,
	ANVIL_TLS,        /* a new TLS session */
	ANVIL_AUTH,
	ANVIL_EVENT_COUNT
};

struct anvil_count {
	uint32_t event;
	struct span service;  /* "smtp" ...: its name in master.cf */
	struct span client;   /* address, or network */
};

struct anvil_answer {
	uint32_t concurrent;
	uint32_t rate;        /* of that event, in the present unit of time */
};

extern const struct message_type anvil_count_type, anvil_answer_type;

#endif
