/* The end of this process. Deliveries that are under way have a moment to finish; then the ledger
 * is closed, so that a successor may begin, and what still runs is finished without it: which
 * recipients these are, and what becomes of them, goes to a file of its own (queue/late.h) that the
 * successor reads.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "qmgr/qmgr.h"

#define GRACE_MS 1000
#define LOOK_MS 20
#define LOOKS_MAX 500 /* for a report or a snapshot that is just being made */

static struct late_log *late;

static size_t running_count(void)
{
	size_t count = 0;
	LIST_FOREACH(node, &qmgr.deliveries)
		count++;
	return count;
}

static struct ledger_entry mark(const struct queue_entry *entry, uint32_t index)
{
	return (struct ledger_entry){.kind = LEDGER_MARK, .queue_id = span_from_cstr(entry->queue_id),
		.first = index, .count = 1, .dsn = SPAN_EMPTY, .text = SPAN_EMPTY,
		.remote_mta = SPAN_EMPTY, .diagnostic = SPAN_EMPTY};
}

/* From here on the recipients under way are AWAY: outcome.c writes what becomes of them to the
 * file. */
static int note_deliveries(void)
{
	int error = late_log_create(qmgr.settings.queue_directory, &late);
	if (error < 0)
		return error;
	LIST_FOREACH(node, &qmgr.deliveries) {
		const struct delivery *delivery = LIST_ENTRY(node, struct delivery, link);
		LIST_FOREACH(item, &delivery->batch.recipients) {
			uint32_t index = LIST_ENTRY(item, struct schedule_recipient, link)->index;
			struct queue_entry *entry = delivery->message->entry;
			enum recipient_state state = queue_entry_run_at(entry, index).state;
			if (state != RECIPIENT_PENDING && state != RECIPIENT_DEFERRED)
				continue;
			struct ledger_entry said = mark(entry, index);
			late_log_append(late, &said);
			queue_entry_set(&qmgr.index, entry, index, 1, RECIPIENT_AWAY, NULL);
		}
	}
	return late_log_commit(late);
}

void handover_outcome(const struct queue_entry *entry, const struct ledger_entry *said)
{
	for (uint32_t i = 0; late != NULL && i < said->count; i++) {
		struct ledger_entry one = *said;
		if (queue_entry_run_at(entry, said->first + i).state != RECIPIENT_AWAY)
			continue; /* the successor's business */
		one.first = said->first + i;
		one.count = 1;
		late_log_append(late, &one);
	}
}

void handover_commit(void)
{
	int error = late == NULL ? 0 : late_log_commit(late);
	if (error < 0)
		log_error(NULL, "cannot tell the next queue manager what was delivered: %s",
			strerror(-error));
}

/* No task may be in the middle of something that it writes to the ledger. */
static void wait_for_users(void)
{
	for (int i = 0; i < LOOKS_MAX && qmgr.ledger_users > 0; i++)
		(void)task_sleep(LOOK_MS);
	int error = ledger_commit(qmgr.ledger);
	if (error < 0)
		log_warning(NULL, "cannot write the ledger: %s", strerror(-error));
}

static void hand_over(void *unused)
{
	(void)unused;
	for (int ms = 0; ms < GRACE_MS && !list_is_empty(&qmgr.deliveries); ms += LOOK_MS)
		(void)task_sleep(LOOK_MS);
	wait_for_users();
	if (qmgr.ledger_users > 0) {
		/* Something hangs: no successor yet; what is finished goes to the ledger. */
		log_warning(NULL, "the ledger is still in use: the next queue manager waits");
		qmgr.peers.work_end();
		return;
	}
	size_t count = running_count();
	int error = count > 0 ? note_deliveries() : 0;
	if (error < 0) {
		log_warning(NULL, "cannot hand over %zu deliver%s: %s", count, count == 1 ? "y" : "ies",
			strerror(-error));
	} else {
		/* note_deliveries may have waited, but nobody commits to the ledger beside it. */
		wait_for_users();
		ledger_close(qmgr.ledger);
		qmgr.ledger = NULL;
		if (count > 0)
			log_info(NULL, "%zu deliver%s under way: finished beside the next queue manager",
				count, count == 1 ? "y is" : "ies are");
		qmgr.peers.release();
	}
	qmgr.peers.work_end();
}

void handover_begin(void)
{
	qmgr.peers.work_begin();
	if (task_spawn("hand over", hand_over, NULL, 0) == NULL)
		qmgr.peers.work_end();
}

void handover_close(void)
{
	late_log_close(late);
	late = NULL;
}
