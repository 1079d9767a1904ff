/* What became of each destination: logged at once; the recipient's outcome is the worst of them.
 * SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "local/header.h"
#include "local/local.h"
#include "service/delivery_log.h"
#include "sys/clock.h"

static int rank(enum delivery_status status)
{
	switch (status) {
	case DELIVERY_SENT:
		return 0;
	case DELIVERY_EXPANDED:
		return 1;
	case DELIVERY_BOUNCED:
		return 2;
	case DELIVERY_DEFERRED:
		return 3;
	}
	return 3;
}

static void log_end(struct delivery *delivery, const struct target *target,
	enum delivery_status status, const char *dsn, struct span text)
{
	const struct delivery_request *request = delivery->request;
	const struct delivery_recipient *recipient = delivery->recipient;
	struct delivery_recipient shown = *recipient;
	struct delivery_times times = {.arrival_ms = request->arrival_ms,
		.active_ms = request->active_ms, .start_ms = delivery->start_ms,
		.done_ms = clock_wall_ms()};
	struct delivery_outcome outcome = {.index = recipient->index, .status = status,
		.dsn = span_from_cstr(dsn), .text = text, .remote_mta = SPAN_EMPTY,
		.diagnostic = SPAN_EMPTY};
	shown.address = target->address;
	if (shown.original.len == 0)
		shown.original = recipient->address;
	delivery_log(request, &shown, delivery->is_virtual ? "virtual" : "local", 1, &times, &outcome);
}

static void end_with(struct delivery *delivery, const struct target *target,
	enum delivery_status status, const char *dsn, struct span text)
{
	struct outcome *all = &delivery->outcome;
	log_end(delivery, target, status, dsn, text);
	if (all->is_set && rank(status) <= rank(all->status))
		return;
	all->is_set = true;
	all->status = status;
	(void)snprintf(all->dsn, sizeof(all->dsn), "%s", dsn);
	buf_reset(&all->text);
	buf_append(&all->text, text);
}

void delivery_end(struct delivery *delivery, const struct target *target,
	enum delivery_status status, const char *dsn, const char *format, ...)
{
	struct buf text = BUF_INIT(4096);
	va_list args;
	va_start(args, format);
	buf_append_vformat(&text, format, args);
	va_end(args);
	end_with(delivery, target, status, dsn, buf_span(&text));
	buf_done(&text);
}

void delivery_end_done(struct delivery *delivery, const struct target *target,
	const struct local_done *done)
{
	char dsn[12];
	(void)snprintf(dsn, sizeof(dsn), "%.*s", SPAN_ARGS(done->dsn));
	enum delivery_status status = DELIVERY_DEFERRED;
	if (done->result == LOCAL_DELIVERED)
		status = DELIVERY_SENT;
	else if (done->result == LOCAL_BOUNCED)
		status = DELIVERY_BOUNCED;
	struct span text = done->text;
	if (status == DELIVERY_SENT && !done->is_durable) {
		uint64_t serial = checkpoint_take(done->device, done->flush_fd);
		uint64_t before = delivery->outcome.checkpoint;
		/* A flush that failed in between: no later one covers an earlier destination. */
		bool covers = before == 0 || before >> 32 == serial >> 32;
		if (serial == 0 || !covers) {
			status = DELIVERY_DEFERRED;
			(void)snprintf(dsn, sizeof(dsn), "4.3.0");
			text = SPAN("cannot make the delivery durable");
		} else if (serial > before) {
			delivery->outcome.checkpoint = serial;
		}
	} else if (done->flush_fd >= 0) {
		(void)close(done->flush_fd);
	}
	end_with(delivery, target, status, dsn, text);
}

bool delivery_is_looping(struct delivery *delivery, const struct target *target)
{
	if (!header_has_delivered_to(delivery->header, target->address))
		return false;
	delivery_end(delivery, target, DELIVERY_BOUNCED, "5.4.6", "mail forwarding loop for %.*s",
		SPAN_ARGS(target->address));
	return true;
}
