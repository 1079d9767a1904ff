/* Outcomes that wait for their agent's checkpoint. One task for each service holds the channel on
 * which the agent says how far everything is durable (service/delivery.h). When the channel ends,
 * what was not covered is delivered again: the agent knows its files by the queue id and the
 * recipient's index, so that one that is there is not doubled.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "qmgr/qmgr.h"
#include "queue/queue_id.h"

#define CONNECT_TIMEOUT (30 * 1000)
#define LOOK_EVERY (10 * 1000)
#define LONGEST_WAIT (120 * 1000) /* of an outcome: then it is delivered again */

struct wait {
	struct list_node link;
	uint64_t serial;
	task_time since;
	uint32_t recipient;
	char queue_id[QUEUE_ID_MAX];
};

struct watch {
	struct list_node waits;
	bool running;
	char service[];
};

static struct table watches;

static bool is_covered(uint64_t serial, uint64_t by)
{
	return serial >> 32 == by >> 32 && serial <= by;
}

static struct queue_entry *find(const struct wait *wait)
{
	struct queue_entry *entry = queue_index_get(&qmgr.index, span_from_cstr(wait->queue_id));
	if (entry == NULL || (entry->flags & ENTRY_DEAD) ||
		queue_entry_run_at(entry, wait->recipient).state != RECIPIENT_WRITTEN)
		return NULL;
	return entry;
}

/* The outcome is durable. The ledger hears it without a commit of its own: losing this entry means
 * one more checkpoint or redelivery, not a loss. */
static void complete(const struct wait *wait)
{
	struct queue_entry *entry = find(wait);
	if (entry == NULL)
		return;
	struct outcome outcome = {.index = wait->recipient, .state = RECIPIENT_DONE};
	outcome_assume(entry, &outcome, 1);
	finish_if_done(entry);
}

static void redeliver(const struct wait *wait)
{
	struct queue_entry *entry = find(wait);
	if (entry == NULL)
		return;
	log_info(entry->queue_id, "not known to be durable: recipient %u is delivered again",
		wait->recipient);
	/* The ledger hears it too: after a restart "written" in this boot would count as delivered. */
	struct outcome outcome = {.index = wait->recipient, .state = RECIPIENT_DEFERRED,
		.dsn = SPAN("4.3.0"), .text = SPAN("not known to be durable"),
		.remote_mta = SPAN_EMPTY, .diagnostic = SPAN_EMPTY};
	outcome_assume(entry, &outcome, 1);
	if (entry->owner != NULL)
		((struct message *)entry->owner)->retry_soon = true;
	else
		waiting_retry(entry);
}

static void cover(struct watch *watch, uint64_t serial)
{
	LIST_FOREACH(node, &watch->waits) {
		struct wait *wait = LIST_ENTRY(node, struct wait, link);
		if (!is_covered(wait->serial, serial))
			continue;
		list_remove(node);
		complete(wait);
		free(wait);
	}
}

/* those that began to wait before this time */
static void give_up(struct watch *watch, task_time before)
{
	LIST_FOREACH(node, &watch->waits) {
		struct wait *wait = LIST_ENTRY(node, struct wait, link);
		if (wait->since > before)
			continue;
		list_remove(node);
		redeliver(wait);
		free(wait);
	}
}

static void listen_to(struct watch *watch, struct channel *channel)
{
	const struct delivery_checkpoint hello = {0};
	int error = channel_send(channel, &delivery_checkpoint_type, &hello);
	while (error == 0 && !qmgr.stopping) {
		struct delivery_checkpoint *said;
		/* A wait that times out in the middle of a message does not happen: it is 16 bytes. */
		error = channel_wait(channel, task_deadline(LOOK_EVERY));
		if (error == 0)
			error = channel_expect(channel, &delivery_checkpoint_type,
				task_deadline(LOOK_EVERY), (void **)&said);
		if (error == 0)
			cover(watch, said->serial);
		else if (error == -ETIMEDOUT && !list_is_empty(&watch->waits))
			error = 0;
		give_up(watch, task_now() - LONGEST_WAIT);
	}
	channel_free(channel);
}

static void watch_run(void *arg)
{
	struct watch *watch = arg;
	struct peer_task self;
	peer_task_begin(&self);
	struct channel *channel =
		qmgr.peers.connect(watch->service, task_deadline(CONNECT_TIMEOUT));
	if (channel != NULL)
		listen_to(watch, channel);
	peer_task_end(&self);
	watch->running = false;
	if (!qmgr.stopping)
		give_up(watch, TASK_FOREVER);
}

static struct watch *get_watch(const char *service)
{
	struct watch *watch = table_get(&watches, span_from_cstr(service));
	if (watch != NULL)
		return watch;
	size_t len = strlen(service) + 1;
	watch = memory_zalloc(1, sizeof *watch + len);
	memcpy(watch->service, service, len);
	list_init(&watch->waits);
	table_put(&watches, span_from_cstr(service), watch);
	return watch;
}

void checkpoint_wait(const char *service, uint64_t serial, struct queue_entry *entry,
	uint32_t recipient)
{
	struct watch *watch = get_watch(service);
	struct wait *wait = NEW(struct wait);
	wait->serial = serial;
	wait->since = task_now();
	wait->recipient = recipient;
	memcpy(wait->queue_id, entry->queue_id, strnlen(entry->queue_id, QUEUE_ID_MAX - 1));
	list_append(&watch->waits, &wait->link);
	if (!watch->running)
		watch->running = task_spawn("checkpoint", watch_run, watch, 0) != NULL;
}

static void free_watch(void *value)
{
	struct watch *watch = value;
	struct list_node *node;
	while ((node = list_pop(&watch->waits)) != NULL)
		free(LIST_ENTRY(node, struct wait, link));
	free(watch);
}

void checkpoint_close(void)
{
	table_done(&watches, free_watch);
}
