/* Idle channels to one service: last in, first out, so that the surplus ages. All are dropped when
 * the process stops, which lets the servers at the other end stop too.
 * SPDX-License-Identifier: ISC */
#include <poll.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/memory.h"
#include "daemon/daemon_private.h"

struct daemon_pool {
	struct list_node node;
	char *service;
	size_t max_idle, idle_count;
	struct channel *idle[];
};

static struct list_node pools = LIST_INIT(pools);

struct daemon_pool *daemon_pool_new(const char *service, size_t max_idle)
{
	struct daemon_pool *pool = memory_zalloc(1,
		sizeof *pool + max_idle * sizeof(struct channel *));
	pool->service = memory_dup_cstr(service);
	pool->max_idle = max_idle;
	list_append(&pools, &pool->node);
	return pool;
}

/* The peer has nothing to say between exchanges: anything to read is its end. */
static bool is_usable(const struct channel *channel)
{
	struct pollfd item = {.fd = channel_fd(channel), .events = POLLIN};
	return task_fd_is_quiet(item.fd) || poll(&item, 1, 0) == 0;
}

struct channel *daemon_pool_take(struct daemon_pool *pool, task_time deadline)
{
	while (pool->idle_count > 0) {
		struct channel *channel = pool->idle[--pool->idle_count];
		if (is_usable(channel))
			return channel;
		channel_free(channel);
	}
	return daemon_connect(pool->service, deadline);
}

void daemon_pool_give(struct daemon_pool *pool, struct channel *channel_take)
{
	if (channel_take == NULL)
		return;
	if (daemon_state.draining || pool->idle_count == pool->max_idle)
		channel_free(channel_take);
	else
		pool->idle[pool->idle_count++] = channel_take;
}

void pool_drop_all(void)
{
	LIST_FOREACH(node, &pools) {
		struct daemon_pool *pool = LIST_ENTRY(node, struct daemon_pool, node);
		while (pool->idle_count > 0)
			channel_free(pool->idle[--pool->idle_count]);
	}
}
