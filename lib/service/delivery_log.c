/* See delivery_log.h.
 * SPDX-License-Identifier: ISC */
#include "service/delivery_log.h"

#include <stdlib.h>

#include "base/log.h"
#include "mail/address.h"

bool delivery_log_soft_bounce;

void delivery_delay_format(int64_t ms, struct buf *out)
{
	if (ms < 0)
		ms = 0;
	if (ms >= 10000) {
		buf_append_u64(out, (uint64_t)(ms + 500) / 1000);
		return;
	}
	/* Hundredths below a second, tenths from there on. */
	uint64_t hundredths = (uint64_t)(ms + 5) / 10;
	if (hundredths >= 100)
		hundredths = (uint64_t)(ms + 50) / 100 * 10;
	buf_append_u64(out, hundredths / 100);
	if (hundredths % 100 == 0)
		return;
	buf_append_char(out, '.');
	buf_append_u64(out, hundredths % 100 / 10);
	if (hundredths % 10 != 0)
		buf_append_u64(out, hundredths % 10);
}

static const char *status_name(uint32_t status)
{
	switch ((enum delivery_status)status) {
	case DELIVERY_SENT:
	case DELIVERY_EXPANDED:
		return "sent";
	case DELIVERY_DEFERRED:
		return "deferred";
	case DELIVERY_BOUNCED:
		return delivery_log_soft_bounce ? "SOFTBOUNCE" : "bounced";
	}
	return "deferred";
}

static void append_delays(const struct delivery_times *t, struct buf *out)
{
	int64_t connected = t->connected_ms == 0 ? t->start_ms : t->connected_ms;
	int64_t steps[] = {t->active_ms - t->arrival_ms, t->start_ms - t->active_ms,
		connected - t->start_ms, t->done_ms - connected};
	buf_append_cstr(out, ", delay=");
	delivery_delay_format(t->done_ms - t->arrival_ms, out);
	buf_append_cstr(out, ", delays=");
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		if (i > 0)
			buf_append_char(out, '/');
		delivery_delay_format(steps[i], out);
	}
}

void delivery_log(const struct delivery_request *request,
	const struct delivery_recipient *recipient, const char *relay, unsigned connection_use,
	const struct delivery_times *times, const struct delivery_outcome *outcome)
{
	struct buf line = BUF_INIT(LOG_LINE_MAX * 8);
	char *id = span_dup_cstr(request->queue_id);
	buf_append_cstr(&line, "to=<");
	mail_address_quote_full(recipient->address, &line);
	buf_append_char(&line, '>');
	if (recipient->original.len > 0 &&
		!span_equal_nocase(recipient->original, recipient->address)) {
		buf_append_cstr(&line, ", orig_to=<");
		mail_address_quote_full(recipient->original, &line);
		buf_append_char(&line, '>');
	}
	buf_append_format(&line, ", relay=%s", relay);
	if (connection_use > 1)
		buf_append_format(&line, ", conn_use=%u", connection_use);
	append_delays(times, &line);
	buf_append_format(&line, ", dsn=%.*s, status=%s (%.*s)", SPAN_ARGS(outcome->dsn),
		status_name(outcome->status), SPAN_ARGS(outcome->text));
	log_info(id, "%s", buf_cstr(&line));
	free(id);
	buf_done(&line);
}
