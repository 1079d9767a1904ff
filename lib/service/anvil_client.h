/* The client half of anvil's counting (service/anvil.h). One channel for all clients of a process,
 * since anvil forgets what came by a closed one.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SERVICE_ANVIL_CLIENT_H
#define TAMBO_SERVICE_ANVIL_CLIENT_H

#include "ipc/channel.h"
#include "service/anvil.h"

struct anvil_client {
	const char *service; /* its name in master.cf, which has counters of its own */
	void *arg;
	/* A channel to anvil; NULL: none to be had. */
	struct channel *(*take)(void *arg, task_time deadline);
	struct channel *channel;
	struct task_lock lock;
};

/* service, arg, take: as above; the strings live as long as the client. */
void anvil_client_init(struct anvil_client *client, const char *service,
	struct channel *(*take)(void *arg, task_time deadline), void *arg);
void anvil_client_done(struct anvil_client *client);

/* address: of the peer, as text. False: anvil gives no answer, and the caller goes on without. */
bool anvil_client_count(struct anvil_client *client, enum anvil_event event, const char *address,
	struct anvil_answer *ret_answer);

#endif
