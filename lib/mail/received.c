/* Received:, hops, message ids. See received.h.
 * SPDX-License-Identifier: ISC */
#include "mail/received.h"

#include "base/ascii.h"
#include "mail/address.h"
#include "mail/header.h"

#define FOREIGN_TEXT_MAX 256

/* Text of a client in a comment or as a word: printable ASCII or UTF-8, parentheses replaced. */
static void append_foreign(struct span text, struct buf *out)
{
	text = span_head(text, FOREIGN_TEXT_MAX);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool bad = ascii_is_control(c) || c == ' ' || c == '(' || c == ')' || c == '\\';
		buf_append_char(out, bad ? '?' : c);
	}
}

static void append_client(const struct received *r, const char *line_end, struct buf *out)
{
	bool v6 = span_find_char(r->client_address, ':') != SIZE_MAX;
	buf_append_cstr(out, "from ");
	append_foreign(r->helo, out);
	buf_append_cstr(out, " (");
	append_foreign(r->client_name.len > 0 ? r->client_name : SPAN("unknown"), out);
	buf_append_cstr(out, v6 ? " [IPv6:" : " [");
	append_foreign(r->client_address, out);
	buf_append_format(out, "])%s\t", line_end);
	if (r->tls_summary.len > 0) {
		buf_append_char(out, '(');
		buf_append(out, r->tls_summary);
		buf_append_format(out, ")%s\t", line_end);
	}
	if (r->sasl_username.len > 0) {
		buf_append_cstr(out, "(Authenticated sender: ");
		append_foreign(r->sasl_username, out);
		buf_append_format(out, ")%s\t", line_end);
	}
}

void received_format(const struct received *r, const char *line_end, struct buf *out)
{
	buf_append_cstr(out, "Received: ");
	if (r->protocol.len > 0)
		append_client(r, line_end, out);
	buf_append_cstr(out, "by ");
	buf_append(out, r->host);
	buf_append_cstr(out, " (");
	buf_append(out, r->mail_name);
	if (r->protocol.len > 0) {
		buf_append_cstr(out, ") with ");
		buf_append(out, r->protocol);
		buf_append_cstr(out, " id ");
	} else {
		if (r->submitter_uid >= 0)
			buf_append_format(out, ", from userid %lld", (long long)r->submitter_uid);
		buf_append_format(out, ")%s\tid ", line_end);
	}
	buf_append(out, r->queue_id);
	if (r->recipient.len > 0) {
		buf_append_format(out, "%s\tfor <", line_end);
		mail_address_quote_full(r->recipient, out);
		buf_append_char(out, '>');
	}
	if (r->protocol.len > 0 && r->recipient.len == 0)
		buf_append_format(out, ";%s\t", line_end);
	else
		buf_append_cstr(out, "; ");
	mail_date_format(r->date, out);
	buf_append_cstr(out, line_end);
}

void message_id_make(struct mail_date date, struct span queue_id, struct span host, struct buf *out)
{
	struct civil_time t;
	civil_from_seconds(date.seconds, &t);
	buf_append_format(out, "<%04lld%02d%02d%02d%02d%02d.", (long long)t.year, t.month, t.day,
		t.hour, t.minute, t.second);
	buf_append(out, queue_id);
	buf_append_char(out, '@');
	buf_append(out, host);
	buf_append_char(out, '>');
}
