/* Deliveries: one task for each batch that the schedule gives out. It hands the message's bytes to
 * an agent, takes its verdict on each recipient, and feeds the schedule with what that says about
 * the site. An agent that dies or says nothing sensible costs a retry, never a recipient.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "qmgr/delivery_request.h"
#include "qmgr/qmgr.h"

#define CONNECT_TIMEOUT (30 * 1000)

/* Drained recipients: the site (or the transport) they wait for is out of reach. */
static void defer_drained(struct batch *batch, const char *dsn, const char *text)
{
	struct message *message = LIST_ENTRY(batch->message, struct message, schedule);
	message->in_flight++;
	qmgr.recipients_in_memory -= batch->recipient_count;
	outcome_without_agent(batch, RECIPIENT_DEFERRED, dsn, text);
	message->in_flight--;
	active_check(message);
}

/* INVARIANT: deferring does not wait (no commit), so the destination stays what it is meanwhile. */
static void drain_destination(struct destination *destination)
{
	struct buf text = BUF_INIT(LEDGER_TEXT_MAX), dsn = BUF_INIT(32);
	struct batch batch;
	buf_append_format(&text, "delivery temporarily suspended: %s",
		destination_text(destination));
	buf_append_cstr(&dsn, destination_dsn(destination));
	while (schedule_drain(&qmgr.schedule, destination, &batch))
		defer_drained(&batch, buf_cstr(&dsn), buf_cstr(&text));
	buf_done(&text);
	buf_done(&dsn);
}

static void drain_transport(struct transport *transport)
{
	struct batch batch;
	while (transport_is_suspended(transport, task_now()) &&
		schedule_drain_transport(&qmgr.schedule, transport, &batch))
		defer_drained(&batch, transport_dsn(transport), transport_text(transport));
}

static void transport_unavailable(struct delivery *delivery)
{
	struct transport *transport = delivery->batch.transport;
	if (!transport_is_suspended(transport, task_now()))
		log_warning(NULL, "no channel to service %s: mail transport unavailable",
			transport_name(transport));
	schedule_suspend_transport(transport, SPAN("4.3.0"), SPAN("mail transport unavailable"),
		task_now() + qmgr.settings.transport_retry_ms);
	outcome_without_agent(&delivery->batch, RECIPIENT_DEFERRED, "4.3.0",
		"mail transport unavailable");
}

/* The agent died or spoke nonsense over this message. Tried again soon, later each time. */
static void agent_failed(struct delivery *delivery, int error)
{
	log_warning(delivery->message->entry->queue_id, "service %s ended without a verdict: %s",
		transport_name(delivery->batch.transport), strerror(-error));
	delivery->message->crashes++;
	delivery->message->retry_soon = true;
	outcome_without_agent(&delivery->batch, RECIPIENT_DEFERRED, "4.3.0",
		"unknown mail transport error");
}

static enum recipient_state state_of(const struct delivery_outcome *said)
{
	switch ((enum delivery_status)said->status) {
	case DELIVERY_SENT:
	case DELIVERY_EXPANDED:
		return said->checkpoint == 0 ? RECIPIENT_DONE : RECIPIENT_WRITTEN;
	case DELIVERY_DEFERRED:
		return RECIPIENT_DEFERRED;
	case DELIVERY_BOUNCED:
		return RECIPIENT_BOUNCED;
	}
	return RECIPIENT_DEFERRED;
}

static const struct delivery_outcome *find_outcome(const struct delivery_reply *reply,
	uint32_t index, size_t hint)
{
	if (hint < reply->outcome_count && reply->outcomes[hint].index == index)
		return &reply->outcomes[hint];
	for (size_t i = 0; i < reply->outcome_count; i++)
		if (reply->outcomes[i].index == index)
			return &reply->outcomes[i];
	return NULL;
}

/* Outcomes of the batch's recipients, in their order; those the agent did not name are deferred. */
static struct outcome *take_outcomes(const struct batch *batch, const struct delivery_reply *reply)
{
	struct outcome *outcomes = memory_zalloc(batch->recipient_count + 1, sizeof *outcomes);
	size_t at = 0;
	LIST_FOREACH(node, &batch->recipients) {
		uint32_t index = LIST_ENTRY(node, struct schedule_recipient, link)->index;
		const struct delivery_outcome *said = find_outcome(reply, index, at);
		if (said != NULL)
			outcomes[at++] = (struct outcome){index, state_of(said), said->dsn,
				said->text, said->remote_mta, said->diagnostic, false};
		else
			outcomes[at++] = (struct outcome){index, RECIPIENT_DEFERRED, SPAN("4.3.0"),
				SPAN("the delivery agent gave no answer"), SPAN_EMPTY, SPAN_EMPTY,
				false};
	}
	return outcomes;
}

static void await_checkpoints(const struct delivery *delivery, const struct delivery_reply *reply,
	const struct outcome *outcomes)
{
	for (size_t i = 0; i < delivery->batch.recipient_count; i++) {
		if (outcomes[i].state != RECIPIENT_WRITTEN)
			continue;
		const struct delivery_outcome *said = find_outcome(reply, outcomes[i].index, i);
		checkpoint_wait(transport_name(delivery->batch.transport), said->checkpoint,
			delivery->message->entry, outcomes[i].index);
	}
}

static void take_reply(struct delivery *delivery, const struct delivery_reply *reply)
{
	struct outcome *outcomes = take_outcomes(&delivery->batch, reply);
	delivery->site = reply->site_failed ? SITE_FAILED : SITE_OK;
	buf_append(&delivery->site_dsn, reply->site_dsn);
	buf_append(&delivery->site_text, reply->site_text);
	outcome_record(delivery->message->entry, outcomes, delivery->batch.recipient_count);
	if (!qmgr.stopping) /* the successor settles it */
		await_checkpoints(delivery, reply, outcomes);
	free(outcomes);
	bounce_success(delivery->message->entry, &delivery->batch, reply);
}

/* One exchange with an agent. 0, or -errno: no verdict. */
static int exchange(struct delivery *delivery, struct channel *channel,
	const struct delivery_request *request)
{
	void *reply;
	int error = channel_call(channel, &delivery_request_type, request, &delivery_reply_type,
		task_deadline(qmgr.settings.delivery_timeout_ms), &reply);
	if (error == 0)
		take_reply(delivery, reply);
	return error;
}

static void ask_agent(struct delivery *delivery, struct delivery_request *request)
{
	const char *service = transport_name(delivery->batch.transport);
	int error = -EPIPE;
	/* A channel from the pool may belong to an agent that has just ended: one more try. */
	for (int attempt = 0; attempt < 2 && error == -EPIPE; attempt++) {
		struct channel *channel = qmgr.peers.take(service, task_deadline(CONNECT_TIMEOUT));
		if (channel == NULL) {
			if (!qmgr.stopping)
				transport_unavailable(delivery);
			return;
		}
		error = exchange(delivery, channel, request);
		request->flags &= ~(uint32_t)DELIVERY_FIRST;
		if (error == 0)
			qmgr.peers.give(service, channel);
		else
			channel_free(channel);
	}
	if (error != 0 && !qmgr.stopping)
		agent_failed(delivery, error);
}

static void deliver_by_agent(struct delivery *delivery)
{
	struct delivery_content content;
	struct delivery_request request;
	int error = delivery_content_open(&delivery->message->entry->position, &content);
	if (error < 0) {
		log_warning(delivery->message->entry->queue_id,
			"cannot read the message from the queue: %s", strerror(-error));
		delivery->message->read_failed = true;
		outcome_without_agent(&delivery->batch, RECIPIENT_DEFERRED, "4.3.0",
			"queue file read error");
		return;
	}
	delivery_request_fill(&content, &delivery->batch, delivery->message->active_ms, &request);
	if (delivery->message->is_first)
		request.flags |= DELIVERY_FIRST;
	ask_agent(delivery, &request);
	free(request.recipients);
	delivery_content_close(&content);
}

/* error:, retry:, discard: the nexthop is the text. */
static void deliver_builtin(struct delivery *delivery, enum transport_kind kind)
{
	struct span text = span_from_cstr(destination_nexthop(delivery->batch.destination));
	const char *usual = kind == TRANSPORT_DISCARD ? "2.0.0" : kind == TRANSPORT_RETRY ? "4.0.0"
		: "5.0.0";
	enum recipient_state state = kind == TRANSPORT_DISCARD ? RECIPIENT_DONE
		: kind == TRANSPORT_RETRY ? RECIPIENT_DEFERRED : RECIPIENT_BOUNCED;
	char dsn[12];
	text = route_cut_dsn(text, usual, dsn);
	char *said = span_dup_cstr(text);
	outcome_without_agent(&delivery->batch, state, dsn, said);
	free(said);
}

static void finish(struct delivery *delivery)
{
	struct batch *batch = &delivery->batch;
	struct transport *transport = batch->transport;
	list_remove(&delivery->link);
	bool suspended = schedule_finish(&qmgr.schedule, batch, delivery->site,
		buf_span(&delivery->site_dsn), buf_span(&delivery->site_text), task_now());
	/* When this process ends, what waits is its successor's. */
	if (suspended && !qmgr.stopping)
		drain_destination(batch->destination);
	if (!qmgr.stopping && transport_is_suspended(transport, task_now()))
		drain_transport(transport);
	schedule_recipients_free(&batch->recipients);
	qmgr.recipients_in_memory -= batch->recipient_count;
	buf_done(&delivery->site_dsn);
	buf_done(&delivery->site_text);
	delivery->message->in_flight--;
	active_check(delivery->message);
	free(delivery);
	task_event_signal(&qmgr.feed);
	deliver_kick();
}

static void run_delivery(void *arg)
{
	struct delivery *delivery = arg;
	enum transport_kind kind = (enum transport_kind)transport_kind(delivery->batch.transport);
	if (kind == TRANSPORT_AGENT)
		deliver_by_agent(delivery);
	else
		deliver_builtin(delivery, kind);
	finish(delivery);
	qmgr.peers.work_end();
}

static bool start_delivery(void)
{
	struct delivery *delivery = NEW(struct delivery);
	if (!schedule_next(&qmgr.schedule, task_now(), &delivery->batch)) {
		free(delivery);
		return false;
	}
	delivery->message = LIST_ENTRY(delivery->batch.message, struct message, schedule);
	delivery->message->in_flight++;
	list_append(&qmgr.deliveries, &delivery->link);
	delivery->site = SITE_NEUTRAL;
	buf_init(&delivery->site_dsn, 64);
	buf_init(&delivery->site_text, 4096);
	if (task_spawn("delivery", run_delivery, delivery, 0) != NULL) {
		qmgr.peers.work_begin();
		return true;
	}
	outcome_without_agent(&delivery->batch, RECIPIENT_DEFERRED, "4.3.0",
		"insufficient system resources");
	finish(delivery);
	return true;
}

void deliver_run(void *unused)
{
	(void)unused;
	while (!qmgr.stopping) {
		while (start_delivery())
			;
		if (task_event_wait(&qmgr.wake, schedule_wake_time(&qmgr.schedule)) == -ECANCELED)
			return;
	}
}

void deliver_kick(void)
{
	task_event_signal(&qmgr.wake);
}
