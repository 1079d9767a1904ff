/* The queue manager: see README.md.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/log.h"
#include "daemon/daemon.h"
#include "qmgr/qmgr.h"

#define POOL_IDLE 50

static struct table pools;

static struct daemon_pool *pool_of(const char *service)
{
	struct daemon_pool *pool = table_get(&pools, span_from_cstr(service));
	if (pool == NULL) {
		pool = daemon_pool_new(service, POOL_IDLE);
		table_put(&pools, span_from_cstr(service), pool);
	}
	return pool;
}

static struct channel *take(const char *service, task_time deadline)
{
	return daemon_pool_take(pool_of(service), deadline);
}

static void give(const char *service, struct channel *channel_take)
{
	daemon_pool_give(pool_of(service), channel_take);
}

static int prepare(struct conf *conf)
{
	char *error_text = NULL;
	qmgr.peers = (struct qmgr_peers){take, give, daemon_connect, daemon_work_begin,
		daemon_work_end, daemon_release};
	int error = qmgr_open(conf, &error_text);
	if (error < 0)
		log_fatal(NULL, "%s", error_text == NULL ? "cannot begin" : error_text);
	free(error_text);
	return error;
}

static void session(int fd_take, const struct address *peer)
{
	(void)peer;
	session_serve(fd_take);
}

static void serve(struct channel *channel_take, const char *peer)
{
	(void)peer;
	intake_serve(channel_take);
}

int main(int argc, char **argv)
{
	static const struct daemon_spec spec = {
		.name = "qmgr",
		.rights = DAEMON_QUEUE,
		.maps = daemon_maps,
		.prepare = prepare,
		.start = qmgr_start,
		.session = session,
		.serve = serve,
		.stop = qmgr_stop,
		.stops_at_once = true,
	};
	return daemon_main(&spec, argc, argv);
}
