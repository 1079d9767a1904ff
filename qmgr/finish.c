/* The end of a message's pass through the active queue: reports for what failed, another try for
 * what is left, or the end.
 *
 * INVARIANT: a recipient that failed is done only when the report about it is durably queued
 * (LEDGER_RETURNED); until then the message keeps coming back to make it.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/memory.h"
#include "qmgr/qmgr.h"

#define CRASH_DELAY_MS 5000
#define CRASH_DOUBLINGS 6

uint32_t entry_left(const struct queue_entry *entry)
{
	return queue_entry_count(entry, RECIPIENT_PENDING) +
		queue_entry_count(entry, RECIPIENT_DEFERRED);
}

static int64_t random_below(int64_t limit)
{
	uint64_t bits = 0;
	if (limit <= 0 || getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits)
		return 0;
	return (int64_t)(bits % (uint64_t)limit);
}

/* As long as the message is old, between the two limits, with up to a quarter taken off or added so
 * that what failed together does not come back together. */
static int64_t finish_backoff(const struct queue_entry *entry, int64_t now)
{
	int64_t least = qmgr.settings.minimal_backoff_ms, most = qmgr.settings.maximal_backoff_ms;
	int64_t delay = now - entry->arrival_ms;
	if (delay < least)
		delay = least;
	if (delay > most)
		delay = most;
	delay += random_below(delay / 2) - delay / 4;
	return delay < least ? least : delay > most ? most : delay;
}

static bool is_expired(const struct queue_entry *entry, int64_t now)
{
	int64_t lifetime = entry->sender[0] == '\0' ? qmgr.settings.bounce_lifetime_ms
		: qmgr.settings.queue_lifetime_ms;
	return (entry->flags & ENTRY_EXPIRE) || now - entry->arrival_ms >= lifetime;
}

/* What is left fails, each recipient with its last reason. */
static void expire(struct queue_entry *entry)
{
	bool forced = entry->flags & ENTRY_EXPIRE;
	log_info(entry->queue_id, "from=<%s>, status=%s, returned to sender", entry->sender,
		forced ? "force-expired" : "expired");
	for (uint32_t at = 0; at < entry->recipient_count;) {
		struct queue_run run = queue_entry_run_at(entry, at);
		struct queue_reason *reason = run.reason;
		at = run.first + run.count;
		if (run.state != RECIPIENT_PENDING && run.state != RECIPIENT_DEFERRED)
			continue;
		if (reason == NULL)
			reason = queue_index_reason(&qmgr.index, SPAN("4.4.7"),
				SPAN("delivery time expired"), SPAN_EMPTY, SPAN_EMPTY);
		else
			reason->users++;
		struct outcome outcome = {run.first, RECIPIENT_BOUNCED, span_from_cstr(reason->dsn),
			span_from_cstr(reason->text), span_from_cstr(reason->remote_mta),
			span_from_cstr(reason->diagnostic), false};
		outcome_record_run(entry, &outcome, run.count);
		queue_reason_drop(&qmgr.index, reason);
	}
}

void finish_done(struct queue_entry *entry)
{
	log_info(entry->queue_id, "removed");
	outcome_note(entry, LEDGER_DONE, 0, 0);
	waiting_remove(entry);
	housekeeping_release(entry);
}

static bool is_all_done(const struct queue_entry *entry)
{
	return queue_entry_count(entry, RECIPIENT_DONE) == entry->recipient_count;
}

void finish_if_done(struct queue_entry *entry)
{
	if (entry->owner == NULL && is_all_done(entry))
		finish_done(entry);
}

static void defer(struct queue_entry *entry, const struct message *message)
{
	int64_t now = wall_now(), delay = finish_backoff(entry, now);
	if (message->retry_soon) {
		uint32_t doublings = message->entry->tries < CRASH_DOUBLINGS
			? message->entry->tries : CRASH_DOUBLINGS;
		int64_t soon = (int64_t)CRASH_DELAY_MS << doublings;
		delay = soon < delay ? soon : delay;
	}
	entry->next_try_ms = now + delay;
	entry->tries++;
	outcome_note(entry, LEDGER_RETRY, entry->next_try_ms, entry->tries);
	waiting_add(entry);
}

void finish_later(struct queue_entry *entry)
{
	const struct message none = {.retry_soon = false};
	defer(entry, &none);
}

static void warn_of_delay(struct queue_entry *entry)
{
	int64_t after = qmgr.settings.delay_warning_ms;
	if (after <= 0 || (entry->flags & ENTRY_WARNED) || wall_now() - entry->arrival_ms < after)
		return;
	if (!bounce_delayed(entry))
		return;
	entry->flags |= ENTRY_WARNED;
	outcome_note(entry, LEDGER_WARNED, 0, 0);
}

/* The message is no longer active; entry has no owner. */
static void settle(struct queue_entry *entry, const struct message *message, bool reported)
{
	if (entry_left(entry) == 0 && reported)
		finish_if_done(entry);
	else if (!(entry->flags & ENTRY_HELD))
		defer(entry, message);
}

/* Nobody can read the content: the sender's report will tell the rest. */
static bool give_up_unreadable(struct queue_entry *entry)
{
	return corrupt_keep(entry) && bounce_corrupt_postmaster(entry);
}

/* Not even who the recipients are can be read for a report. */
static bool give_up_unreported(struct queue_entry *entry, bool postmaster_knows)
{
	struct queue_message loaded = {0};
	int error = queue_message_load(qmgr.reader, &entry->position, &loaded);
	queue_message_done(&loaded);
	if (error != -EBADMSG && error != -ENOENT)
		return false;
	if (!postmaster_knows && !give_up_unreadable(entry))
		return false;
	return bounce_corrupt_sender(entry) && bounce_drop(entry, "damaged message removed");
}

static void finish_pass(struct message *message)
{
	struct queue_entry *entry = message->entry;
	bool reported = true;
	if (entry->flags & ENTRY_DEAD) {
		entry->owner = NULL;
		housekeeping_release(entry);
		active_free(message);
		return;
	}
	bool expired = is_expired(entry, wall_now());
	bool left = entry_left(entry) > 0 && !(entry->flags & ENTRY_HELD);
	if (left && expired && (!message->read_failed || give_up_unreadable(entry)))
		expire(entry);
	if (queue_entry_count(entry, RECIPIENT_BOUNCED) > 0)
		reported = bounce_failed(entry) || (expired &&
			give_up_unreported(entry, message->read_failed));
	if (entry_left(entry) > 0)
		warn_of_delay(entry);
	/* Commands may have come while reports were made. */
	entry->owner = NULL;
	list_init(&entry->link);
	if (entry->flags & ENTRY_DEAD)
		housekeeping_release(entry);
	else
		settle(entry, message, reported);
	active_free(message);
}

void finish_run(void *unused)
{
	(void)unused;
	while (!qmgr.stopping) {
		struct list_node *node = list_pop(&qmgr.finished);
		if (node != NULL) {
			qmgr.ledger_users++;
			finish_pass(LIST_ENTRY(node, struct message, link));
			qmgr.ledger_users--;
		} else if (task_event_wait(&qmgr.finishing, TASK_FOREVER) == -ECANCELED)
			return;
	}
}
