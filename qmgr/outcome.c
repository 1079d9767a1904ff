/* Outcomes: first to the ledger, then to the state; and the log lines of recipients that no agent
 * was asked about.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/memory.h"
#include "qmgr/qmgr.h"
#include "service/delivery_log.h"

#define COMMIT_RETRY_MS 5000
#define SOFT_CODES_MAX (4 * 1024 * 1024)

static enum ledger_kind kind_of(const struct outcome *outcome)
{
	if (outcome->returned)
		return LEDGER_RETURNED;
	switch (outcome->state) {
	case RECIPIENT_PENDING:
	case RECIPIENT_AWAY:
	case RECIPIENT_DEFERRED: return LEDGER_DEFERRED;
	case RECIPIENT_WRITTEN: return LEDGER_WRITTEN;
	case RECIPIENT_BOUNCED: return LEDGER_BOUNCED;
	case RECIPIENT_DONE: return LEDGER_SENT;
	}
	return LEDGER_DEFERRED;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
	if (a->state != b->state || a->returned != b->returned)
		return false;
	if (a->state == RECIPIENT_DONE || a->state == RECIPIENT_WRITTEN)
		return true;
	return span_equal(a->dsn, b->dsn) && span_equal(a->text, b->text) &&
		span_equal(a->remote_mta, b->remote_mta) && span_equal(a->diagnostic, b->diagnostic);
}

/* How many outcomes from the first on are neighbours with the same end. */
static size_t run_length(const struct outcome *outcomes, size_t count)
{
	size_t length = 1;
	while (length < count && outcomes[length].index == outcomes[0].index + length &&
		same(&outcomes[0], &outcomes[length]))
		length++;
	return length;
}

static void append(const struct queue_entry *entry, const struct outcome *outcome, size_t count)
{
	bool reason = outcome->state == RECIPIENT_DEFERRED || outcome->state == RECIPIENT_BOUNCED;
	struct ledger_entry said = {.kind = kind_of(outcome),
		.queue_id = span_from_cstr(entry->queue_id), .first = outcome->index,
		.count = (uint32_t)count,
		.dsn = span_head(reason ? outcome->dsn : SPAN_EMPTY, LEDGER_NAME_MAX),
		.text = span_head(reason ? outcome->text : SPAN_EMPTY, LEDGER_TEXT_MAX),
		.remote_mta = span_head(reason ? outcome->remote_mta : SPAN_EMPTY, LEDGER_NAME_MAX),
		.diagnostic = span_head(reason ? outcome->diagnostic : SPAN_EMPTY, LEDGER_TEXT_MAX)};
	memcpy(said.boot, qmgr.boot, sizeof said.boot);
	if (qmgr.ledger == NULL) {
		handover_outcome(entry, &said);
		return;
	}
	ledger_append(qmgr.ledger, &said);
	task_event_signal(&qmgr.housekeeping);
}

static void set_state(struct queue_entry *entry, const struct outcome *outcome, size_t count)
{
	struct queue_reason *reason = NULL;
	if (outcome->state == RECIPIENT_DEFERRED || outcome->state == RECIPIENT_BOUNCED)
		reason = queue_index_reason(&qmgr.index, outcome->dsn, outcome->text,
			outcome->remote_mta, outcome->diagnostic);
	queue_entry_set(&qmgr.index, entry, outcome->index, (uint32_t)count, outcome->state, reason);
	queue_reason_drop(&qmgr.index, reason);
}

static int compare_index(const void *a, const void *b)
{
	const struct outcome *left = a, *right = b;
	return left->index < right->index ? -1 : left->index > right->index;
}

int qmgr_commit(void)
{
	if (qmgr.ledger == NULL)
		return -ESHUTDOWN;
	qmgr.ledger_users++;
	int error = ledger_commit(qmgr.ledger);
	qmgr.ledger_users--;
	return error;
}

/* DURABLE: does not return before the outcomes are on disk, unless the process stops. */
static void commit(const char *queue_id)
{
	for (;;) {
		if (qmgr.ledger == NULL) {
			handover_commit();
			return;
		}
		int error = qmgr_commit();
		if (error == 0 || qmgr.stopping)
			return;
		log_error(queue_id, "cannot write the ledger: %s; trying again", strerror(-error));
		if (task_sleep(COMMIT_RETRY_MS) < 0)
			return;
	}
}

/* soft_bounce: what failed for good is deferred, until the message is too old. */
static void soften(struct outcome *outcomes, size_t count, struct arena *codes)
{
	for (size_t i = 0; i < count; i++) {
		if (outcomes[i].state != RECIPIENT_BOUNCED)
			continue;
		struct span dsn = arena_dup(codes, outcomes[i].dsn);
		if (dsn.len > 0)
			*(char *)(uintptr_t)dsn.ptr = '4';
		outcomes[i].state = RECIPIENT_DEFERRED;
		outcomes[i].dsn = dsn;
	}
}

/* Whether something follows from an outcome that a crash must not undo. What is deferred is tried
 * again anyway; what is written is not believed after a power cut. For the case that only this
 * process dies they are in the file at once; they are flushed with the next batch. */
static bool must_be_durable(enum recipient_state state)
{
	return state == RECIPIENT_DONE || state == RECIPIENT_BOUNCED;
}

/* Without the ledger it is the successor that must hear of it. */
static void keep(const char *queue_id, bool durable)
{
	if (durable || qmgr.ledger == NULL)
		commit(queue_id);
	else
		ledger_write_ahead(qmgr.ledger);
}

void outcome_record(struct queue_entry *entry, const struct outcome *outcomes, size_t count)
{
	struct outcome *sorted = memory_alloc((count + 1) * sizeof *sorted);
	bool final = false;
	struct arena codes;
	arena_init(&codes, SOFT_CODES_MAX);
	memcpy(sorted, outcomes, count * sizeof *sorted);
	if (delivery_log_soft_bounce)
		soften(sorted, count, &codes);
	qsort(sorted, count, sizeof *sorted, compare_index);
	for (size_t i = 0; i < count;) {
		size_t length = run_length(sorted + i, count - i);
		append(entry, sorted + i, length);
		final = final || must_be_durable(sorted[i].state);
		i += length;
	}
	keep(entry->queue_id, final);
	for (size_t i = 0; i < count;) {
		size_t length = run_length(sorted + i, count - i);
		set_state(entry, sorted + i, length);
		i += length;
	}
	free(sorted);
	arena_done(&codes);
}

void outcome_record_run(struct queue_entry *entry, const struct outcome *outcome, uint32_t count)
{
	append(entry, outcome, count);
	keep(entry->queue_id, must_be_durable(outcome->state));
	set_state(entry, outcome, count);
}

void outcome_assume(struct queue_entry *entry, const struct outcome *outcome, uint32_t count)
{
	append(entry, outcome, count);
	set_state(entry, outcome, count);
	task_event_signal(&qmgr.housekeeping);
}

void outcome_note(struct queue_entry *entry, enum ledger_kind kind, int64_t time_ms,
	uint64_t value)
{
	struct ledger_entry said = {.kind = kind, .queue_id = span_from_cstr(entry->queue_id),
		.time_ms = time_ms, .value = value, .dsn = SPAN_EMPTY, .text = SPAN_EMPTY,
		.remote_mta = SPAN_EMPTY, .diagnostic = SPAN_EMPTY};
	if (qmgr.ledger == NULL)
		return; /* the message is the successor's */
	ledger_append(qmgr.ledger, &said);
	task_event_signal(&qmgr.housekeeping);
}

static enum delivery_status status_of(enum recipient_state state)
{
	return state == RECIPIENT_DONE ? DELIVERY_SENT : state == RECIPIENT_BOUNCED
		? DELIVERY_BOUNCED : DELIVERY_DEFERRED;
}

static void log_outcome(const struct message *message, const struct schedule_recipient *recipient,
	const struct outcome *outcome)
{
	int64_t now = wall_now();
	struct delivery_request request = {
		.queue_id = span_from_cstr(message->entry->queue_id)};
	struct delivery_recipient to = {.address = recipient->address,
		.original = recipient->original};
	struct delivery_times times = {message->entry->arrival_ms, message->active_ms, now, 0, now};
	struct delivery_outcome said = {.status = status_of(outcome->state), .dsn = outcome->dsn,
		.text = outcome->text};
	log_set_program(outcome->state == RECIPIENT_DONE ? "discard" : "error");
	delivery_log(&request, &to, "none", 0, &times, &said);
	log_set_program(NULL);
}

void outcome_without_agent(struct batch *batch, enum recipient_state state, const char *dsn,
	const char *text)
{
	struct message *message = LIST_ENTRY(batch->message, struct message, schedule);
	struct outcome *outcomes = memory_zalloc(batch->recipient_count + 1, sizeof *outcomes);
	size_t count = 0;
	LIST_FOREACH(node, &batch->recipients) {
		struct schedule_recipient *recipient =
			LIST_ENTRY(node, struct schedule_recipient, link);
		outcomes[count] = (struct outcome){recipient->index, state, span_from_cstr(dsn),
			span_from_cstr(text), SPAN_EMPTY, SPAN_EMPTY, false};
		log_outcome(message, recipient, &outcomes[count++]);
	}
	outcome_record(message->entry, outcomes, count);
	free(outcomes);
	schedule_recipients_free(&batch->recipients);
}
