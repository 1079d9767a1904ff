/* See cache.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/cache.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/memory.h"
#include "smtp/settings.h"

#define KEPT_MAX 500

struct kept {
	struct list_node node;
	struct buf key;
	struct connection *connection;
	struct task_timer timer;
};

static struct list_node kept_list = LIST_INIT(kept_list);
static size_t kept_count;

/* Takes it out of the list; the connection is the caller's. */
static struct connection *release(struct kept *kept)
{
	struct connection *connection = kept->connection;
	task_timer_stop(&kept->timer);
	list_remove(&kept->node);
	buf_done(&kept->key);
	free(kept);
	kept_count--;
	return connection;
}

static void quit_in_task(void *arg)
{
	connection_quit(arg);
}

static void expire(void *arg)
{
	struct connection *connection = release(arg);
	if (task_spawn("quit", quit_in_task, connection, 0) == NULL)
		connection_free(connection);
}

struct connection *cache_take(struct span key)
{
	for (struct list_node *node = kept_list.prev; node != &kept_list; node = node->prev) {
		struct kept *kept = LIST_ENTRY(node, struct kept, node);
		if (span_equal(buf_span(&kept->key), key))
			return release(kept);
	}
	return NULL;
}

static bool may_be_kept(const struct connection *connection)
{
	bool wanted = settings.cache_on_demand || settings.cache_destinations[0] != '\0';
	bool used_up = settings.reuse_count_limit > 0 &&
		connection->uses >= (uint64_t)settings.reuse_count_limit;
	bool old = settings.reuse_time_limit > 0 &&
		task_now() - connection->opened >= settings.reuse_time_limit;
	return wanted && !connection->broken && !used_up && !old && kept_count < KEPT_MAX &&
		settings.cache_time_limit > 0;
}

void cache_give(struct span key, struct connection *connection)
{
	if (!may_be_kept(connection)) {
		connection_quit(connection);
		return;
	}
	struct kept *kept = NEW(struct kept);
	buf_init(&kept->key, key.len);
	buf_append(&kept->key, key);
	kept->connection = connection;
	list_append(&kept_list, &kept->node);
	kept_count++;
	task_timer_start(&kept->timer, settings.cache_time_limit, expire, kept);
}

void cache_close(void)
{
	while (!list_is_empty(&kept_list))
		connection_free(release(LIST_ENTRY(kept_list.next, struct kept, node)));
}
