/* See qmgr_link.h.
 * SPDX-License-Identifier: ISC */
#include "cleanup/qmgr_link.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "cleanup/settings.h"
#include "daemon/daemon.h"
#include "queue/reader.h"
#include "service/qmgr.h"

#define WAITING_MAX 65536 /* notices; more than that: qmgr scans */
#define CONNECT_MS 10000
#define FLUSH_AT 65536
#define RETRY_MS 1000
#define SEND_MS 60000
/* For what another process of ours committed and could not tell. */
#define LOOK_AGAIN_MS 20000

struct notice {
	struct list_node node;
	struct queue_position position;
	char queue_id[QUEUE_ID_MAX];
};

static struct list_node waiting = LIST_INIT(waiting);
static size_t waiting_count;
static bool overflowed;
static struct task_event changed;
static struct task *link_task;

void qmgr_link_added(void *arg, struct span queue_id, const struct queue_position *position)
{
	(void)arg;
	if (link_task == NULL)
		return;
	if (waiting_count >= WAITING_MAX) {
		overflowed = true;
		return;
	}
	struct notice *notice = NEW(struct notice);
	notice->position = *position;
	memcpy(notice->queue_id, queue_id.ptr,
		queue_id.len < QUEUE_ID_MAX ? queue_id.len : QUEUE_ID_MAX - 1);
	list_append(&waiting, &notice->node);
	if (waiting_count++ == 0) {
		daemon_work_begin(); /* a stopping process still tells */
		task_event_signal(&changed);
	}
}

static void none_waits(void)
{
	if (waiting_count > 0)
		daemon_work_end();
	waiting_count = 0;
}

static void drop_all(void)
{
	struct list_node *node;
	while ((node = list_pop(&waiting)) != NULL)
		free(LIST_ENTRY(node, struct notice, node));
	none_waits();
	overflowed = false;
}

/* "Look into all segments": for what an earlier process, or a lost channel, did not tell. */
static int send_segments(struct channel *channel)
{
	struct queue_reader *reader;
	uint64_t *numbers = NULL;
	size_t count = 0;
	int error = queue_reader_open(process.settings.queue_directory, &reader);
	if (error != 0)
		return error;
	error = queue_reader_segments(reader, &numbers, &count);
	for (size_t i = 0; error == 0 && i < count; i++) {
		struct queue_added added = {.queue_id = SPAN_EMPTY, .segment = numbers[i]};
		error = channel_send(channel, &queue_added_type, &added);
	}
	free(numbers);
	queue_reader_close(reader);
	return error != 0 ? error : channel_flush(channel, task_deadline(SEND_MS));
}

static int send_waiting(struct channel *channel)
{
	struct list_node *node;
	while ((node = list_pop(&waiting)) != NULL) {
		struct notice *notice = LIST_ENTRY(node, struct notice, node);
		struct queue_added added = {.queue_id = span_from_cstr(notice->queue_id),
			.segment = notice->position.segment,
			.offset = notice->position.offset,
			.length = notice->position.length};
		int error = channel_send(channel, &queue_added_type, &added);
		free(notice);
		if (error != 0)
			return error;
		if (channel_unsent(channel) >= FLUSH_AT &&
			(error = channel_flush(channel, task_deadline(SEND_MS))) != 0)
			return error;
	}
	int error = channel_flush(channel, task_deadline(SEND_MS));
	if (error == 0 && list_is_empty(&waiting))
		none_waits();
	return error;
}

/* A channel on which everything was told, or NULL after a while. */
static struct channel *connect_to_qmgr(void)
{
	drop_all(); /* the scan finds them */
	struct channel *channel = daemon_connect("qmgr", task_deadline(CONNECT_MS));
	if (channel != NULL && send_segments(channel) == 0)
		return channel;
	channel_free(channel);
	(void)task_sleep(RETRY_MS);
	return NULL;
}

static void run_link(void *arg)
{
	struct channel *channel = NULL;
	task_time look_again = 0;
	(void)arg;
	while (!task_is_canceled()) {
		if (channel == NULL || overflowed) {
			channel_free(channel);
			channel = connect_to_qmgr();
			look_again = task_deadline(LOOK_AGAIN_MS);
			continue;
		}
		if (waiting_count == 0)
			(void)task_event_wait(&changed, look_again);
		int error = send_waiting(channel);
		/* However busy we are ourselves. */
		if (error == 0 && task_now() >= look_again) {
			error = send_segments(channel);
			look_again = task_deadline(LOOK_AGAIN_MS);
		}
		if (error != 0) {
			log_debug(NULL, "lost the channel to qmgr");
			channel_free(channel);
			channel = NULL;
		}
	}
	channel_free(channel);
	drop_all();
	link_task = NULL;
}

void qmgr_link_start(void)
{
	task_event_init(&changed);
	link_task = task_spawn("qmgr link", run_link, NULL, 0);
}
