/* The active queue: a bounded number of messages, whose recipients are read from the journal in
 * windows, resolved and put into the schedule. A message with a million recipients never has more
 * than its share of qmgr_message_recipient_limit in memory.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "qmgr/qmgr.h"

#define WINDOW 100       /* recipients read at a time */
#define RESOLVE_BURST 50 /* recipients resolved before others get a turn */

struct window {
	struct message *message;
	size_t limit; /* recipients to read */
	struct list_node recipients;
};

static void activate(struct queue_entry *entry)
{
	struct message *message = NEW(struct message);
	message->entry = entry;
	message->active_ms = wall_now();
	message->is_first = (entry->flags & ENTRY_FRESH) != 0;
	entry->flags &= ~(uint32_t)ENTRY_FRESH;
	schedule_message_init(&message->schedule, entry->recipient_count > BULK_RECIPIENTS);
	entry->owner = message;
	list_append(&qmgr.active, &message->link);
	list_append(&qmgr.feeding, &message->feed_link);
	qmgr.active_count++;
	log_info(entry->queue_id, "from=<%s>, size=%llu, nrcpt=%u (queue active)", entry->sender,
		(unsigned long long)entry->size, entry->recipient_count);
	/* Nothing to deliver: its pass is only the report (or the end) that is still owed. */
	if (entry_left(entry) == 0 || (entry->flags & ENTRY_EXPIRE)) {
		message->all_read = true;
		list_remove(&message->feed_link);
		active_check(message);
	}
}

void active_free(struct message *message)
{
	message->entry = NULL;
	list_remove(&message->link);
	list_remove(&message->feed_link);
	qmgr.active_count--;
	free(message);
	task_event_signal(&qmgr.feed);
}

void active_check(struct message *message)
{
	if (message->ended || !message->all_read || message->in_flight > 0 ||
		message->schedule.waiting > 0)
		return;
	message->ended = true;
	list_remove(&message->link);
	list_append(&qmgr.finished, &message->link);
	task_event_signal_one(&qmgr.finishing);
}

void active_abandon(struct message *message)
{
	qmgr.recipients_in_memory -= message->schedule.waiting;
	schedule_withdraw(&qmgr.schedule, &message->schedule, task_now());
	message->all_read = true;
	list_remove(&message->feed_link);
	active_check(message);
	task_event_signal(&qmgr.feed);
}

static bool visit_recipient(void *arg, uint32_t index, const struct queue_recipient *recipient)
{
	struct window *window = arg;
	enum recipient_state state = queue_entry_run_at(window->message->entry, index).state;
	if (state == RECIPIENT_PENDING || state == RECIPIENT_DEFERRED) {
		struct schedule_recipient *item = schedule_recipient_new(index, recipient->notify,
			recipient->address, recipient->original, recipient->orcpt);
		list_append(&window->recipients, &item->link);
	}
	return true;
}

/* Moves the cursor over recipients that need nothing. */
static void skip_finished(struct message *message)
{
	const struct queue_entry *entry = message->entry;
	while (message->cursor.index < entry->recipient_count) {
		struct queue_run run = queue_entry_run_at(entry, message->cursor.index);
		if (run.state == RECIPIENT_PENDING || run.state == RECIPIENT_DEFERRED)
			return;
		message->cursor.index = run.first + run.count;
	}
	message->all_read = true;
}

static int read_window(struct window *window)
{
	struct message *message = window->message;
	struct queue_message loaded = {0};
	size_t count = 0;
	skip_finished(message);
	if (message->all_read)
		return 0;
	int error = queue_message_load(qmgr.reader, &message->entry->position, &loaded);
	if (error == 0)
		error = queue_message_recipients(qmgr.reader, &loaded, &message->cursor,
			window->limit, visit_recipient, window, &count);
	queue_message_done(&loaded);
	if (error == 0 && count == 0)
		message->all_read = true;
	return error;
}

static void defer_one(struct message *message, struct schedule_recipient *recipient,
	const char *dsn, const char *text)
{
	struct batch batch = {.message = &message->schedule, .recipient_count = 1};
	list_init(&batch.recipients);
	list_append(&batch.recipients, &recipient->link);
	outcome_without_agent(&batch, RECIPIENT_DEFERRED, dsn, text);
}

static void suspended(struct message *message, struct schedule_recipient *recipient,
	const char *dsn, const char *text)
{
	struct buf full = BUF_INIT(LEDGER_TEXT_MAX);
	struct buf code = BUF_INIT(32);
	buf_append_format(&full, "delivery temporarily suspended: %s", text);
	buf_append_cstr(&code, dsn);
	defer_one(message, recipient, buf_cstr(&code), buf_cstr(&full));
	buf_done(&code);
	buf_done(&full);
}

static void resolve_one(struct message *message, struct schedule_recipient *recipient,
	struct route_result *result)
{
	const char *dsn, *text;
	if (!route_resolve(qmgr.route, recipient->address,
		span_from_cstr(message->entry->sender), result)) {
		defer_one(message, recipient, "4.3.0", "address resolver failure");
		return;
	}
	if (message->entry->flags & (ENTRY_DEAD | ENTRY_HELD)) {
		free(recipient);
		return;
	}
	/* What the agent gets is the resolved address. */
	struct schedule_recipient *item = recipient;
	if (!span_equal(buf_span(&result->recipient), recipient->address)) {
		item = schedule_recipient_new(recipient->index, recipient->notify,
			buf_span(&result->recipient), recipient->original, recipient->orcpt);
		free(recipient);
	}
	if (!schedule_add(&qmgr.schedule, &message->schedule, buf_cstr(&result->transport),
		buf_cstr(&result->nexthop), route_delimiters(qmgr.route), item, task_now(), &dsn,
		&text)) {
		suspended(message, item, dsn, text);
		return;
	}
	qmgr.recipients_in_memory++;
}

static void resolve_window(struct window *window)
{
	struct message *message = window->message;
	struct route_result result;
	struct list_node *node;
	route_result_init(&result);
	while ((node = list_pop(&window->recipients)) != NULL) {
		struct schedule_recipient *recipient =
			LIST_ENTRY(node, struct schedule_recipient, link);
		if (message->entry->flags & (ENTRY_DEAD | ENTRY_HELD)) {
			free(recipient);
			continue;
		}
		resolve_one(message, recipient, &result);
		if (++message->resolved % RESOLVE_BURST == 0) {
			deliver_kick();
			(void)task_yield();
		}
	}
	route_result_done(&result);
	deliver_kick();
}

/* Each message may always have a few, or one that fills the memory would stop all others. */
static size_t window_size(void)
{
	size_t limit = (size_t)qmgr.settings.recipient_limit, size = 0;
	if (qmgr.recipients_in_memory < limit)
		size = limit - qmgr.recipients_in_memory;
	if (size < (size_t)qmgr.settings.recipient_minimum)
		size = (size_t)qmgr.settings.recipient_minimum;
	return size < WINDOW ? size : WINDOW;
}

static void feed(struct message *message)
{
	struct window window = {.message = message, .limit = window_size()};
	list_init(&window.recipients);
	message->in_flight++;
	int error = read_window(&window);
	if (error < 0) {
		log_warning(message->entry->queue_id,
			"cannot read the message from the queue: %s", strerror(-error));
		message->read_failed = true;
		message->all_read = true;
	}
	resolve_window(&window);
	message->in_flight--;
	if (!message->all_read && list_is_empty(&message->feed_link))
		list_append(&qmgr.feeding, &message->feed_link);
	active_check(message);
}

/* The next message that may read more: while there is room for all, or it has nothing in memory. */
static struct message *next_to_feed(void)
{
	bool room = qmgr.recipients_in_memory < (size_t)qmgr.settings.recipient_limit;
	LIST_FOREACH(node, &qmgr.feeding) {
		struct message *message = LIST_ENTRY(node, struct message, feed_link);
		if (room || message->schedule.waiting < qmgr.settings.recipient_minimum) {
			list_remove(node);
			return message;
		}
	}
	return NULL;
}

static task_time next_due(void)
{
	const struct queue_entry *first = due_first(&qmgr.deferred);
	int64_t wait = 60 * 1000; /* the wall clock may jump */
	if (first != NULL && first->next_try_ms - wall_now() < wait)
		wait = first->next_try_ms - wall_now();
	return task_deadline(wait < 1 ? 1 : wait);
}

void active_run(void *unused)
{
	(void)unused;
	while (!qmgr.stopping) {
		struct queue_entry *entry;
		bool room = qmgr.active_count < (size_t)qmgr.settings.active_limit &&
			qmgr.recipients_in_memory < (size_t)qmgr.settings.recipient_limit;
		bool did = room && waiting_next(&entry);
		if (did)
			activate(entry);
		struct message *message = next_to_feed();
		if (message != NULL)
			feed(message);
		if (did || message != NULL)
			continue;
		task_time deadline = room ? next_due() : task_deadline(60 * 1000);
		if (task_event_wait(&qmgr.feed, deadline) == -ECANCELED)
			return;
	}
}
