/* Channels to the workers of many uids, kept for a short while after use.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "local/local.h"

#define CONNECT_MS 30000
#define WORK_MS (10 * 60 * 1000)
#define LOCK_MS 30000 /* a mailbox may be locked for so long */
#define IDLE_MAX 200
#define IDLE_MS 5000
#define RETRY_MS 200

struct idle {
	struct list_node node; /* newest first */
	struct worker_key key;
	char *tree; /* of the key */
	struct channel *channel;
	task_time since;
};

static struct list_node idle_channels = LIST_INIT(idle_channels);
static size_t idle_count;

static struct channel *drop(struct idle *idle)
{
	struct channel *channel = idle->channel;
	list_remove(&idle->node);
	free(idle->tree);
	free(idle);
	idle_count--;
	return channel;
}

static struct channel *take_idle(const struct worker_key *key)
{
	LIST_FOREACH(node, &idle_channels) {
		struct idle *idle = LIST_ENTRY(node, struct idle, node);
		if (idle->key.uid == key->uid && idle->key.gid == key->gid &&
			idle->key.command == key->command && span_equal(idle->key.tree, key->tree))
			return drop(idle);
	}
	return NULL;
}

struct exchange {
	const struct message_type *type;
	const void *work;
	const struct message_type *done_type;
	int64_t limit_ms;
};

static int connect_to(const struct worker_key *key, struct channel **ret_channel)
{
	struct daemon_worker worker = {.service = "local", .uid = key->uid, .gid = key->gid,
		.command = key->command, .tree = key->tree};
	return daemon_connect_worker(&worker, task_deadline(CONNECT_MS), ret_channel);
}

/* PRIV: only a delivery has something to flush; nobody would close what comes with another word. */
static void drop_descriptor(struct local_done *done)
{
	if (done->result == LOCAL_DELIVERED || done->flush_fd < 0)
		return;
	(void)close(done->flush_fd);
	done->flush_fd = -1;
}

/* Asks over a channel that is idle, or over a new one. 0, or -errno: nobody has answered. */
static int ask(const struct worker_key *key, bool anew, const struct exchange *exchange,
	struct channel **ret_channel, void **ret_done)
{
	struct channel *channel = anew ? NULL : take_idle(key);
	int error = channel != NULL ? 0 : connect_to(key, &channel);
	if (error != 0)
		return error;
	error = channel_call(channel, exchange->type, exchange->work, exchange->done_type,
		task_deadline(exchange->limit_ms), ret_done);
	if (error == 0)
		*ret_channel = channel;
	else
		channel_free(channel);
	return error;
}

static bool has_ended(int error)
{
	return error == -EPIPE || error == -ECONNRESET;
}

int worker_call(const struct worker_key *key, const struct local_work *work,
	struct channel **ret_channel, struct local_done **ret_done)
{
	struct local_work asked = *work;
	const struct exchange exchange = {&local_work_type, &asked, &local_done_type, WORK_MS
		+ work->time_limit_ms + (int64_t)work->lock_attempts * work->lock_delay_ms};
	/* A channel from the pool, or master's answer, may belong to a worker that has just ended:
	 * once more, anew. A second attempt recognises what the first one did to a Maildir; a
	 * command is never run twice. */
	for (int attempt = 0;; attempt++) {
		void *done;
		int error = ask(key, attempt > 0, &exchange, ret_channel, &done);
		if (error == 0) {
			*ret_done = done;
			drop_descriptor(*ret_done);
			return 0;
		}
		asked.first_ms = 0;
		if (attempt == 2 || !has_ended(error) || key->command
			|| task_sleep(RETRY_MS * attempt) != 0)
			return error;
	}
}

int worker_call_batch(const struct worker_key *key, const struct local_batch *batch,
	struct channel **ret_channel, struct local_batch_done **ret_done)
{
	const struct exchange exchange = {&local_batch_type, batch, &local_batch_done_type,
		WORK_MS + (int64_t)batch->item_count * LOCK_MS};
	void *answer;
	int error = ask(key, false, &exchange, ret_channel, &answer);
	if (error != 0)
		return has_ended(error) ? -EPIPE : error;
	struct local_batch_done *done = answer;
	if (done->outcome_count != batch->item_count) {
		if (done->flush_fd >= 0)
			(void)close(done->flush_fd);
		channel_free(*ret_channel);
		return -EBADMSG;
	}
	*ret_done = done;
	return 0;
}

void worker_give(const struct worker_key *key, struct channel *channel)
{
	if (idle_count >= IDLE_MAX)
		channel_free(drop(LIST_ENTRY(idle_channels.prev, struct idle, node)));
	struct idle *idle = NEW(struct idle);
	*idle = (struct idle){.key = *key, .tree = span_dup_cstr(key->tree), .channel = channel,
		.since = task_now()};
	idle->key.tree = span_new(idle->tree, key->tree.len);
	list_prepend(&idle_channels, &idle->node);
	idle_count++;
}

void workers_trim(void)
{
	while (!list_is_empty(&idle_channels)) {
		struct idle *oldest = LIST_ENTRY(idle_channels.prev, struct idle, node);
		if (oldest->since > task_now() - IDLE_MS)
			return;
		channel_free(drop(oldest));
	}
}
