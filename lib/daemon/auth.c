/* See auth.h.
 * SPDX-License-Identifier: ISC */
#include "daemon/auth.h"

#include "daemon/daemon.h"

#define IDLE_CHANNELS 32

static struct channel *take(void *arg, task_time deadline)
{
	return daemon_pool_take(arg, deadline);
}

static void give(void *arg, struct channel *channel_take)
{
	daemon_pool_give(arg, channel_take);
}

void daemon_auth_open(const char *service, struct auth_client *ret_client)
{
	*ret_client = (struct auth_client){.service = span_from_cstr(service),
		.arg = daemon_pool_new(conf_get(daemon_conf(), "auth_service_name"), IDLE_CHANNELS),
		.take = take,
		.give = give};
}
