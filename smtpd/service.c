/* See service.h. SPDX-License-Identifier: ISC */
#include "smtpd/service.h"

#include "base/log.h"
#include "daemon/daemon.h"
#include "smtpd/session.h"

/* Channels kept open to each service. */
#define IDLE_CHANNELS 50

static struct server server;
static struct daemon_pool *pools[PEER_COUNT];

static const char *service_name(enum service_peer peer)
{
	switch (peer) {
	case PEER_CLEANUP:
		return conf_get(server.conf, "cleanup_service_name");
	case PEER_AUTH:
		return conf_get(server.conf, "auth_service_name");
	case PEER_COUNTERS:
	case PEER_LOOKUP:
	case PEER_COUNT:
		break;
	}
	return "anvil";
}

static struct channel *take(enum service_peer peer, task_time deadline)
{
	if (pools[peer] == NULL)
		pools[peer] = daemon_pool_new(service_name(peer), IDLE_CHANNELS);
	return daemon_pool_take(pools[peer], deadline);
}

static void give(enum service_peer peer, struct channel *channel_take)
{
	daemon_pool_give(pools[peer], channel_take);
}

int service_prepare(struct conf *conf)
{
	server.services = (struct services){take, give, daemon_is_stopping};
	return server_open(&server, conf);
}

void service_session(int fd_take, const struct address *peer)
{
	session_run(&server, fd_take, peer, false);
}

void service_stop(void)
{
	server_stop(&server);
}
