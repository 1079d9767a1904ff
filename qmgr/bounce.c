/* Reports about messages: which recipients belong into them, to whom they go. cleanup composes and
 * queues them (RFC 3461, RFC 3464). The null sender gets no report; what cannot even be returned
 * goes to the postmaster when notify_classes asks for it (2bounce), and a report about such a
 * notice goes nowhere.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/memory.h"
#include "qmgr/qmgr.h"
#include "service/cleanup.h"

#define REPORT_BYTES_MAX (600 * 1024)
#define REPORT_TIMEOUT (300 * 1000)
#define REPORT_ARENA_MAX (4 * 1024 * 1024)

struct report {
	struct queue_entry *entry;
	enum bounce_kind kind;
	struct span sender;
	uint32_t notify;          /* the bit that asks for it */
	enum recipient_state of;  /* recipients in this state */
	struct arena arena;
	size_t bytes;
	struct bounce_recipient *recipients;
	size_t count;
	struct outcome *returned; /* for each of these */
	size_t returned_count;
};

static bool is_double_bounce(const char *sender)
{
	struct span name = span_from_cstr(qmgr.settings.double_bounce_sender);
	struct span address = span_from_cstr(sender);
	size_t at = span_find_last_char(address, '@');
	return span_equal_nocase(span_head(address, at), name) && at != SIZE_MAX &&
		(span_equal_nocase(span_skip(address, at + 1), route_origin(qmgr.route)) ||
		route_domain_is_local(qmgr.route, span_skip(address, at + 1)) == MAP_FOUND);
}

/* RFC 3461 section 4.1: NEVER, or a list; nothing said means failures and delays. */
static bool wants(uint32_t notify, uint32_t what)
{
	if (notify == 0)
		return what != DSN_SUCCESS;
	return !(notify & DSN_NEVER) && (notify & what);
}

static void take_recipient(struct report *report,
	const struct queue_recipient *recipient, const struct queue_reason *reason)
{
	struct bounce_recipient *item = &report->recipients[report->count++];
	struct arena *arena = &report->arena;
	item->address = arena_dup(arena, recipient->address);
	item->original = arena_dup(arena, recipient->original);
	item->orcpt = arena_dup(arena, recipient->orcpt);
	item->dsn = arena_dup(arena, span_from_cstr(reason == NULL ? "4.0.0" : reason->dsn));
	item->text = arena_dup(arena, span_from_cstr(reason == NULL ? "" : reason->text));
	item->remote_mta = arena_dup(arena,
		span_from_cstr(reason == NULL ? "" : reason->remote_mta));
	item->diagnostic = arena_dup(arena,
		span_from_cstr(reason == NULL ? "" : reason->diagnostic));
	item->status = report->kind == BOUNCE_DELAY ? DELIVERY_DEFERRED : DELIVERY_BOUNCED;
	report->bytes += item->address.len + item->original.len + item->orcpt.len +
		item->text.len + item->diagnostic.len + 128;
}

static bool visit(void *arg, uint32_t index, const struct queue_recipient *recipient)
{
	struct report *report = arg;
	struct queue_run run = queue_entry_run_at(report->entry, index);
	if (run.state != report->of)
		return true;
	report->returned[report->returned_count++] =
		(struct outcome){.index = index, .state = RECIPIENT_DONE, .returned = true};
	if (wants(recipient->notify, report->notify) || report->kind == BOUNCE_POSTMASTER)
		take_recipient(report, recipient, run.reason);
	return report->count < BOUNCE_RECIPIENTS_MAX && report->returned_count <
		BOUNCE_RECIPIENTS_MAX && report->bytes < REPORT_BYTES_MAX;
}

/* Moves the cursor to the next recipient in the state; false at the end. */
static bool skip(const struct report *report, struct queue_cursor *cursor)
{
	while (cursor->index < report->entry->recipient_count) {
		struct queue_run run = queue_entry_run_at(report->entry, cursor->index);
		if (run.state == report->of)
			return true;
		cursor->index = run.first + run.count;
	}
	return false;
}

/* Recipients for one report, from the cursor on: 0 or -errno. */
static int collect(struct report *report, struct queue_message *loaded,
	struct queue_cursor *cursor)
{
	report->count = report->returned_count = report->bytes = 0;
	arena_reset(&report->arena);
	while (report->returned_count < BOUNCE_RECIPIENTS_MAX && report->bytes < REPORT_BYTES_MAX &&
		skip(report, cursor)) {
		size_t seen = 0;
		size_t room = BOUNCE_RECIPIENTS_MAX - report->returned_count;
		int error = queue_message_recipients(qmgr.reader, loaded, cursor,
			room < 100 ? room : 100, visit, report, &seen);
		if (error < 0)
			return error;
		if (seen == 0)
			break;
	}
	return report->arena.overflow ? -ENOMEM : 0;
}

static bool is_temporary(uint32_t status)
{
	return status == CLEANUP_NO_SPACE || status == CLEANUP_QUEUE_ERROR;
}

static const char *report_name(enum bounce_kind kind)
{
	switch (kind) {
	case BOUNCE_FAILURE: return "sender non-delivery";
	case BOUNCE_DELAY: return "sender delay";
	case BOUNCE_SUCCESS: return "sender delivery status";
	case BOUNCE_POSTMASTER: return "postmaster non-delivery";
	}
	return "sender non-delivery";
}

/* Asks cleanup; true when the report is queued, or never can be. */
static bool ask_cleanup(const struct queue_entry *entry, const struct bounce_request *request)
{
	struct cleanup_result *result;
	struct channel *channel = qmgr.peers.take("cleanup", task_deadline(REPORT_TIMEOUT));
	if (channel == NULL) {
		log_warning(entry->queue_id, "cannot reach cleanup for a %s notification",
			report_name((enum bounce_kind)request->kind));
		return false;
	}
	int error = channel_call(channel, &bounce_request_type, request, &cleanup_result_type,
		task_deadline(REPORT_TIMEOUT), (void **)&result);
	if (error < 0) {
		log_warning(entry->queue_id, "cannot queue a %s notification: %s",
			report_name((enum bounce_kind)request->kind), strerror(-error));
		channel_free(channel);
		return false;
	}
	bool queued = !is_temporary(result->status);
	if (result->status != CLEANUP_OK)
		log_warning(entry->queue_id, "%s notification refused: %.*s",
			report_name((enum bounce_kind)request->kind), SPAN_ARGS(result->text));
	qmgr.peers.give("cleanup", channel);
	return queued;
}

static bool send_report(struct report *report, const struct queue_envelope *envelope)
{
	const struct queue_entry *entry = report->entry;
	struct bounce_request request = {
		.kind = report->kind,
		.queue_id = span_from_cstr(entry->queue_id),
		.segment = entry->position.segment,
		.offset = entry->position.offset,
		.length = entry->position.length,
		.sender = report->sender,
		.envid = envelope->envid,
		.dsn_return = envelope->dsn_return,
		.arrival_ms = entry->arrival_ms,
		.will_retry_until_ms = entry->arrival_ms + qmgr.settings.queue_lifetime_ms,
		.recipients = report->recipients,
		.recipient_count = report->count,
	};
	return report->count == 0 || ask_cleanup(entry, &request);
}

static void notify_postmaster(struct report *report, const struct queue_envelope *envelope,
	const char *class, const char *recipient)
{
	struct span sender = report->sender;
	enum bounce_kind kind = report->kind;
	if (report->count == 0 || !qmgr_notifies(&qmgr.settings, class))
		return;
	report->kind = BOUNCE_POSTMASTER;
	report->sender = span_from_cstr(recipient);
	(void)send_report(report, envelope);
	report->sender = sender;
	report->kind = kind;
}

static bool report_all(struct report *report)
{
	struct queue_message loaded = {0};
	struct queue_cursor cursor = {0};
	int error = queue_message_load(qmgr.reader, &report->entry->position, &loaded);
	bool ok = true;
	while (error == 0 && ok) {
		error = collect(report, &loaded, &cursor);
		if (error < 0 || report->returned_count == 0)
			break;
		ok = send_report(report, &loaded.envelope);
		if (!ok)
			break;
		if (report->kind == BOUNCE_FAILURE)
			notify_postmaster(report, &loaded.envelope, "bounce",
				qmgr.settings.bounce_notice);
		if (report->kind == BOUNCE_DELAY)
			notify_postmaster(report, &loaded.envelope, "delay",
				qmgr.settings.delay_notice);
		else
			outcome_record(report->entry, report->returned, report->returned_count);
	}
	queue_message_done(&loaded);
	if (error < 0)
		log_warning(report->entry->queue_id, "cannot read the message for a report: %s",
			strerror(-error));
	return ok && error == 0;
}

static bool make_report(struct queue_entry *entry, enum bounce_kind kind, struct span sender,
	uint32_t notify, enum recipient_state of)
{
	struct report report = {.entry = entry, .kind = kind, .sender = sender, .notify = notify,
		.of = of};
	arena_init(&report.arena, REPORT_ARENA_MAX);
	report.recipients = memory_zalloc(BOUNCE_RECIPIENTS_MAX + 1, sizeof *report.recipients);
	report.returned = memory_zalloc(BOUNCE_RECIPIENTS_MAX + 1, sizeof *report.returned);
	bool ok = report_all(&report);
	free(report.recipients);
	free(report.returned);
	arena_done(&report.arena);
	return ok;
}

bool bounce_drop(struct queue_entry *entry, const char *why)
{
	log_info(entry->queue_id, "%s", why);
	for (uint32_t at = 0; at < entry->recipient_count;) {
		struct queue_run run = queue_entry_run_at(entry, at);
		at = run.first + run.count;
		if (run.state != RECIPIENT_BOUNCED)
			continue;
		struct outcome outcome = {.index = run.first, .state = RECIPIENT_DONE,
			.returned = true};
		outcome_record_run(entry, &outcome, run.count);
	}
	return true;
}

bool bounce_failed(struct queue_entry *entry)
{
	if (is_double_bounce(entry->sender))
		return bounce_drop(entry, "undeliverable postmaster notification discarded");
	if (entry->sender[0] != '\0')
		return make_report(entry, BOUNCE_FAILURE, span_from_cstr(entry->sender),
			DSN_FAILURE, RECIPIENT_BOUNCED);
	if (qmgr_notifies(&qmgr.settings, "2bounce"))
		return make_report(entry, BOUNCE_POSTMASTER,
			span_from_cstr(qmgr.settings.double_bounce_notice), DSN_FAILURE,
			RECIPIENT_BOUNCED);
	return bounce_drop(entry, "undeliverable message from the null sender discarded");
}

static bool tell_corrupt(struct queue_entry *entry, enum bounce_kind kind, const char *to)
{
	/* Who the recipients were nobody knows. */
	struct bounce_recipient unknown = {.address = SPAN("unknown"), .original = SPAN_EMPTY,
		.orcpt = SPAN_EMPTY, .dsn = SPAN("5.3.0"),
		.text = SPAN("the message was damaged in the queue; what is left of it is in corrupt/"),
		.remote_mta = SPAN_EMPTY, .diagnostic = SPAN_EMPTY, .status = DELIVERY_BOUNCED};
	struct queue_envelope nothing = {.envid = SPAN_EMPTY};
	struct report report = {.entry = entry, .kind = kind, .sender = span_from_cstr(to),
		.recipients = &unknown, .count = 1};
	return send_report(&report, &nothing);
}

bool bounce_corrupt_postmaster(struct queue_entry *entry)
{
	return is_double_bounce(entry->sender) ||
		tell_corrupt(entry, BOUNCE_POSTMASTER, qmgr.settings.double_bounce_notice);
}

bool bounce_corrupt_sender(struct queue_entry *entry)
{
	return entry->sender[0] == '\0' || is_double_bounce(entry->sender) ||
		tell_corrupt(entry, BOUNCE_FAILURE, entry->sender);
}

bool bounce_delayed(struct queue_entry *entry)
{
	if (entry->sender[0] == '\0' || is_double_bounce(entry->sender))
		return true;
	return make_report(entry, BOUNCE_DELAY, span_from_cstr(entry->sender), DSN_DELAY,
		RECIPIENT_DEFERRED);
}

static const struct schedule_recipient *find(const struct batch *batch, uint32_t index)
{
	LIST_FOREACH(node, &batch->recipients) {
		const struct schedule_recipient *recipient =
			LIST_ENTRY(node, struct schedule_recipient, link);
		if (recipient->index == index)
			return recipient;
	}
	return NULL;
}

/* RFC 3461 section 6.2: a success is told by who delivers finally, expands, or passes the message
 * on to a host that will not tell. A remote host that does DSN was given the request itself. */
static bool is_ours_to_tell(const struct delivery_outcome *outcome)
{
	if (outcome->status == DELIVERY_EXPANDED)
		return true;
	return outcome->status == DELIVERY_SENT &&
		(outcome->action_relayed || span_is_empty(outcome->remote_mta));
}

static size_t collect_successes(const struct batch *batch, const struct delivery_reply *reply,
	struct bounce_recipient *recipients)
{
	size_t count = 0;
	for (size_t i = 0; i < reply->outcome_count && count < BOUNCE_RECIPIENTS_MAX; i++) {
		const struct delivery_outcome *outcome = &reply->outcomes[i];
		const struct schedule_recipient *recipient = find(batch, outcome->index);
		if (recipient == NULL || !wants(recipient->notify, DSN_SUCCESS) ||
			!is_ours_to_tell(outcome))
			continue;
		recipients[count++] = (struct bounce_recipient){recipient->address,
			recipient->original, recipient->orcpt, outcome->dsn, outcome->text,
			outcome->remote_mta, outcome->diagnostic, outcome->status,
			outcome->action_relayed != 0};
	}
	return count;
}

void bounce_success(struct queue_entry *entry, const struct batch *batch,
	const struct delivery_reply *reply)
{
	bool asked = false;
	LIST_FOREACH(node, &batch->recipients)
		asked = asked || wants(LIST_ENTRY(node, struct schedule_recipient, link)->notify,
			DSN_SUCCESS);
	if (!asked || entry->sender[0] == '\0' || (entry->flags & ENTRY_DEAD))
		return;
	struct report report = {.entry = entry, .kind = BOUNCE_SUCCESS,
		.sender = span_from_cstr(entry->sender)};
	struct queue_message loaded = {0};
	report.recipients = memory_zalloc(BOUNCE_RECIPIENTS_MAX, sizeof *report.recipients);
	report.count = collect_successes(batch, reply, report.recipients);
	if (report.count > 0 && queue_message_load(qmgr.reader, &entry->position, &loaded) == 0)
		(void)send_report(&report, &loaded.envelope);
	queue_message_done(&loaded);
	free(report.recipients);
}
