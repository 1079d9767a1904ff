/* The state from disk, and the tasks. Every state that a crash can leave is one of docs/queue.md:
 * the journal says which messages there are, the ledger what became of their recipients, and each
 * message goes on from there.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "qmgr/qmgr.h"
#include "queue/layout.h"
#include "sys/clock.h"

#define FINISHERS 8
#define LOCK_TRIES 150
#define LOCK_WAIT_US (200 * 1000)

struct qmgr qmgr;
int64_t wall_offset;

int64_t wall_now(void)
{
	return clock_wall_ms() + wall_offset;
}

static void init_state(struct conf *conf)
{
	struct qmgr_peers peers = qmgr.peers;
	qmgr = (struct qmgr){.conf = conf, .peers = peers};
	queue_index_init(&qmgr.index);
	schedule_init(&qmgr.schedule);
	qmgr.schedule.limits = qmgr_transport_limits;
	qmgr.schedule.arg = conf;
	list_init(&qmgr.incoming);
	list_init(&qmgr.active);
	list_init(&qmgr.feeding);
	list_init(&qmgr.finished);
	list_init(&qmgr.deliveries);
	task_event_init(&qmgr.feed);
	task_event_init(&qmgr.wake);
	task_event_init(&qmgr.housekeeping);
	task_event_init(&qmgr.finishing);
}

/* Another qmgr may still be ending, or postsuper be at work. */
static int load(void)
{
	int error = -EBUSY;
	for (int i = 0; i < LOCK_TRIES && error == -EBUSY; i++) {
		if (i > 0) {
			queue_index_done(&qmgr.index);
			usleep(LOCK_WAIT_US);
		}
		error = queue_index_load(&qmgr.index, qmgr.settings.queue_directory, qmgr.reader,
			&qmgr.ledger);
	}
	return error;
}

static char *explain(const char *what, int error)
{
	struct buf text = BUF_INIT(1000);
	buf_append_format(&text, "%s: %s", what, strerror(-error));
	return buf_steal(&text);
}

int qmgr_open(struct conf *conf, char **ret_error)
{
	init_state(conf);
	int error = qmgr_settings_read(conf, &qmgr.settings);
	if (error < 0) {
		*ret_error = explain("unusable parameters", error);
		return error;
	}
	qmgr.schedule.suspend_ms = qmgr.settings.minimal_backoff_ms;
	qmgr.route = route_open(conf, ret_error);
	if (qmgr.route == NULL)
		return -EINVAL;
	error = queue_layout_create(qmgr.settings.queue_directory, NULL);
	if (error == 0)
		error = ledger_boot_id(qmgr.boot);
	if (error == 0)
		error = queue_reader_open(qmgr.settings.queue_directory, &qmgr.reader);
	if (error == 0)
		error = load();
	if (error == 0) {
		corrupt_keep_places();
		settle_prepare();
		error = late_prepare();
	}
	if (error < 0)
		*ret_error = explain("cannot open the queue", error);
	else if (qmgr.index.unreadable != 0)
		log_error(NULL, "journal/%016llx.seg has no valid header: what it may hold is not seen",
			(unsigned long long)qmgr.index.unreadable);
	return error;
}

struct all {
	struct queue_entry **entries;
	size_t count;
};

static bool collect(struct span key, void *value, void *arg)
{
	(void)key;
	struct all *all = arg;
	all->entries[all->count++] = value;
	return true;
}

static int compare_arrival(const void *a, const void *b)
{
	const struct queue_entry *const *left = a, *const *right = b;
	if ((*left)->arrival_ms != (*right)->arrival_ms)
		return (*left)->arrival_ms < (*right)->arrival_ms ? -1 : 1;
	return strcmp((*left)->queue_id, (*right)->queue_id);
}

static void place(struct queue_entry *entry)
{
	if (queue_entry_count(entry, RECIPIENT_DONE) == entry->recipient_count)
		finish_done(entry);
	else if (entry_left(entry) > 0 || queue_entry_count(entry, RECIPIENT_BOUNCED) > 0)
		waiting_add(entry);
}

static void start_tasks(void)
{
	if (task_spawn("active", active_run, NULL, 0) == NULL ||
		task_spawn("deliver", deliver_run, NULL, 0) == NULL ||
		task_spawn("housekeeping", housekeeping_run, NULL, 0) == NULL)
		log_fatal(NULL, "no memory to begin");
	for (int i = 0; i < FINISHERS; i++)
		(void)task_spawn("finish", finish_run, NULL, 0);
}

static void begin(void *unused)
{
	(void)unused;
	struct all all = {memory_alloc((qmgr.index.entries.count + 1) * sizeof *all.entries), 0};
	table_each(&qmgr.index.entries, collect, &all);
	qsort(all.entries, all.count, sizeof *all.entries, compare_arrival);
	for (size_t i = 0; i < all.count; i++)
		place(all.entries[i]);
	free(all.entries);
	start_tasks();
	late_start();
	settle_run();
}

void qmgr_start(void)
{
	if (qmgr.index.entries.count > 0)
		log_info(NULL, "found %zu message%s in the queue", qmgr.index.entries.count,
			qmgr.index.entries.count == 1 ? "" : "s");
	(void)task_spawn("begin", begin, NULL, 0);
}

void qmgr_stop(void)
{
	qmgr.stopping = true;
	task_event_signal(&qmgr.feed);
	task_event_signal(&qmgr.wake);
	task_event_signal(&qmgr.finishing);
	task_event_signal(&qmgr.housekeeping);
	peer_task_cancel_all();
	handover_begin();
}

static void drop_messages(struct list_node *list)
{
	struct list_node *node;
	while ((node = list_pop(list)) != NULL) {
		struct message *message = LIST_ENTRY(node, struct message, link);
		schedule_withdraw(&qmgr.schedule, &message->schedule, task_now());
		active_free(message);
	}
}

void qmgr_close(void)
{
	drop_messages(&qmgr.active);
	drop_messages(&qmgr.finished);
	schedule_done(&qmgr.schedule);
	due_free(&qmgr.deferred);
	ledger_close(qmgr.ledger);
	handover_close();
	queue_reader_close(qmgr.reader);
	route_close(qmgr.route);
	queue_index_done(&qmgr.index);
	housekeeping_close();
	checkpoint_close();
}
