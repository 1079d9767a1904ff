/* See header.h. A line that is no field ends the header, as in Postfix; what a first line "From
 * ..." of a mailbox file would be becomes X-Mailbox-Line.
 * SPDX-License-Identifier: ISC */
#include "cleanup/header.h"

#include "base/check.h"
#include "base/log.h"
#include "cleanup/rewrite.h"
#include "cleanup/settings.h"
#include "mail/address.h"
#include "mail/address_list.h"
#include "mail/header.h"
#include "mail/received.h"

enum seen {
	SEEN_FROM = 1,
	SEEN_DATE = 2,
	SEEN_MESSAGE_ID = 4,
	SEEN_RECIPIENT = 8, /* To: or Cc: */
	SEEN_RESENT = 16,
	SEEN_RESENT_FROM = 32,
	SEEN_RESENT_DATE = 64,
	SEEN_RESENT_MESSAGE_ID = 128,
	SEEN_RECEIVED = 256,
};

static const struct row {
	const char *name;
	unsigned seen;
	bool addresses; /* its addresses are completed in mail of local origin */
} rows[] = {
	{"bcc", 0, true},
	{"cc", SEEN_RECIPIENT, true},
	{"date", SEEN_DATE, false},
	{"disposition-notification-to", 0, true},
	{"errors-to", 0, true},
	{"from", SEEN_FROM, true},
	{"message-id", SEEN_MESSAGE_ID, false},
	{"received", SEEN_RECEIVED, false},
	{"reply-to", 0, true},
	{"resent-bcc", SEEN_RESENT, true},
	{"resent-cc", SEEN_RESENT, true},
	{"resent-date", SEEN_RESENT | SEEN_RESENT_DATE, false},
	{"resent-from", SEEN_RESENT | SEEN_RESENT_FROM, true},
	{"resent-message-id", SEEN_RESENT | SEEN_RESENT_MESSAGE_ID, false},
	{"resent-reply-to", SEEN_RESENT, true},
	{"resent-sender", SEEN_RESENT, true},
	{"resent-to", SEEN_RESENT, true},
	{"return-receipt-to", 0, true},
	{"sender", 0, true},
	{"to", SEEN_RECIPIENT, true},
};

#define MESSAGE_ID_MAX 1000

/* Below it, what a first line is would be decided on too little of it. */
static size_t field_max(void)
{
	size_t limit = (size_t)process.settings.header_size_limit;
	return limit > HEADER_NAME_MAX ? limit : HEADER_NAME_MAX;
}

void header_filter_init(struct header_filter *filter, struct content *content, const char *queue_id)
{
	*filter = (struct header_filter){.content = content,
		.queue_id = queue_id,
		.sender = SPAN_EMPTY,
		.full_name = SPAN_EMPTY,
		.in_header = true,
		.line_start = true};
	buf_init(&filter->field, field_max() + 2);
	buf_init(&filter->message_id, MESSAGE_ID_MAX);
}

void header_filter_done(struct header_filter *filter)
{
	buf_done(&filter->field);
	buf_done(&filter->message_id);
}

static const struct row *find_row(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (span_equal_nocase(name, span_from_cstr(rows[i].name)))
			return &rows[i];
	return NULL;
}

static bool is_dropped(struct span name)
{
	struct span words = span_from_cstr(process.settings.message_drop_headers), word;
	while (span_token(&words, ", \t\n", &word))
		if (span_equal_nocase(word, name))
			return true;
	return false;
}

static void note_message_id(struct header_filter *filter, const char *prefix, struct span value)
{
	struct buf text = BUF_INIT(MESSAGE_ID_MAX);
	header_unfold_clean(span_head(value, MESSAGE_ID_MAX - 1), &text);
	log_info(filter->queue_id, "%smessage-id=%.*s", prefix, SPAN_ARGS(buf_span(&text)));
	if (filter->message_id.len == 0)
		buf_append(&filter->message_id, buf_span(&text));
	buf_done(&text);
}

static void take_field(struct header_filter *filter, const struct header_field *field)
{
	const struct row *row = find_row(field->name);
	unsigned seen = row == NULL ? 0 : row->seen;
	if (seen == SEEN_RECEIVED)
		filter->hops++;
	if (seen == SEEN_MESSAGE_ID && (filter->seen & seen) == 0)
		note_message_id(filter, "", field->value);
	if ((seen & SEEN_RESENT_MESSAGE_ID) != 0 && (filter->seen & SEEN_RESENT_MESSAGE_ID) == 0)
		note_message_id(filter, "resent-", field->value);
	filter->seen |= seen;
	if (is_dropped(field->name))
		return;
	if (row != NULL && row->addresses && filter->complete) {
		struct buf anew = BUF_INIT(field_max() * 2);
		bool changed = rewrite_header_field(field->name, field->value, &anew);
		if (changed)
			content_write(filter->content, buf_span(&anew));
		buf_done(&anew);
		if (changed)
			return;
	}
	content_write(filter->content, field->raw);
	if (!span_ends_with(field->raw, SPAN("\n")))
		content_write_cstr(filter->content, "\n");
}

static void add_from(struct header_filter *filter, const char *prefix)
{
	struct buf text = BUF_INIT(MAIL_PATH_MAX * 2), sender = BUF_INIT(MAIL_PATH_MAX);
	rewrite_address(filter->sender.len > 0 ? filter->sender : SPAN("MAILER-DAEMON"), &sender);
	buf_append_format(&text, "%sFrom: ", prefix);
	bool has_name = filter->full_name.len > 0 && span_is_printable(filter->full_name);
	if (has_name) {
		mail_phrase_quote(filter->full_name, &text);
		buf_append_cstr(&text, " <");
	}
	mail_address_quote_full(buf_span(&sender), &text);
	buf_append_cstr(&text, has_name ? ">\n" : "\n");
	if (!text.overflow)
		content_write(filter->content, buf_span(&text));
	buf_done(&text);
	buf_done(&sender);
}

static void add_missing(struct header_filter *filter)
{
	bool resent = (filter->seen & SEEN_RESENT) != 0;
	const char *prefix = resent ? "Resent-" : "";
	struct mail_date date = clock_date(filter->arrival_ms);
	struct buf text = BUF_INIT(MAIL_PATH_MAX);
	if ((filter->seen & (resent ? SEEN_RESENT_MESSAGE_ID : SEEN_MESSAGE_ID)) == 0) {
		struct buf id = BUF_INIT(MAIL_PATH_MAX);
		message_id_make(date, span_from_cstr(filter->queue_id),
			span_from_cstr(process.settings.myhostname), &id);
		buf_append_format(&text, "%sMessage-Id: %s\n", prefix, buf_cstr(&id));
		note_message_id(filter, resent ? "resent-" : "", buf_span(&id));
		filter->seen |= resent ? SEEN_RESENT_MESSAGE_ID : SEEN_MESSAGE_ID;
		buf_done(&id);
	}
	if ((filter->seen & (resent ? SEEN_RESENT_DATE : SEEN_DATE)) == 0) {
		buf_append_format(&text, "%sDate: ", prefix);
		mail_date_format(date, &text);
		buf_append_char(&text, '\n');
	}
	content_write(filter->content, buf_span(&text));
	buf_done(&text);
	if ((filter->seen & (resent ? SEEN_RESENT_FROM : SEEN_FROM)) == 0)
		add_from(filter, prefix);
}

/* Behind the last field: what is missing, and the empty line. */
static void end_header(struct header_filter *filter)
{
	filter->in_header = false;
	if (filter->add_missing)
		add_missing(filter);
	if ((filter->seen & (SEEN_MESSAGE_ID | SEEN_RESENT_MESSAGE_ID)) == 0)
		log_info(filter->queue_id, "message-id=<>");
	const char *undisclosed = process.settings.undisclosed_recipients_header;
	if ((filter->seen & (SEEN_RECIPIENT | SEEN_RESENT)) == 0 && undisclosed[0] != '\0') {
		content_write_cstr(filter->content, undisclosed);
		content_write_cstr(filter->content, "\n");
	}
	content_write_cstr(filter->content, "\n");
}

/* A first line "From ...", with a mailbox's ">" before it or without. */
static bool is_mailbox_line(const struct header_filter *filter, struct span line)
{
	line = span_head(line, HEADER_NAME_MAX);
	while (line.len > 0 && line.ptr[0] == '>')
		line = span_skip(line, 1);
	return !filter->began && span_starts_with(line, SPAN("From "));
}

/* The field is whole. False: it was none, and the header has ended before it. */
static bool flush_field(struct header_filter *filter)
{
	struct header_reader reader;
	struct header_field field;
	if (filter->field.len == 0)
		return true;
	header_reader_init(&reader, buf_span(&filter->field));
	bool valid = header_next(&reader, &field) == HEADER_FIELD && field.valid;
	if (valid) {
		take_field(filter, &field);
	} else {
		if (is_mailbox_line(filter, buf_span(&filter->field))) {
			content_write_cstr(filter->content, "X-Mailbox-Line: ");
			content_write(filter->content, buf_span(&filter->field));
			valid = true;
		} else {
			end_header(filter);
			content_write(filter->content, buf_span(&filter->field));
		}
	}
	filter->began = true;
	buf_shrink(&filter->field, 4096);
	return valid;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Whether what has come of a first line is or can still become a field or a mailbox line; asked at
 * the line's end, and when it grows longer than any name. */
static bool may_be_field(const struct header_filter *filter, bool whole)
{
	struct span line = buf_span(&filter->field);
	size_t colon = span_find_char(span_head(line, HEADER_NAME_MAX + 1), ':');
	if (is_mailbox_line(filter, line))
		return true;
	if (colon != SIZE_MAX)
		return header_line_is_field(span_head(line, colon + 1));
	return !whole && line.len <= HEADER_NAME_MAX;
}

/* Takes one line, or the part of it that is there. False: the header has ended and the bytes are
 * body. */
static bool take_piece(struct header_filter *filter, struct span piece)
{
	bool whole = piece.ptr[piece.len - 1] == '\n';
	if (filter->line_start) {
		bool continues = is_blank(piece.ptr[0]) && filter->field.len > 0;
		if (!continues) {
			if (!flush_field(filter))
				return false;
			if (piece.ptr[0] == '\n') {
				end_header(filter);
				return true;
			}
			filter->first_line_done = false;
		}
	}
	filter->line_start = whole;
	size_t before = filter->field.len, room = filter->field.cap - 1 - before;
	if (piece.len > room) {
		/* header_size_limit: the excess is dropped, the line end is not. */
		buf_append(&filter->field, span_head(piece, room));
		if (whole && filter->field.len > 0)
			filter->field.ptr[filter->field.len - 1] = '\n';
	} else {
		buf_append(&filter->field, piece);
	}
	if (!filter->first_line_done && !may_be_field(filter, whole)) {
		/* All of it is body, also what would be too much for a field. */
		end_header(filter);
		content_write(filter->content, span_head(buf_span(&filter->field), before));
		content_write(filter->content, piece);
		buf_done(&filter->field);
		return true;
	}
	filter->first_line_done |= whole;
	return true;
}

void header_filter_write(struct header_filter *filter, struct span bytes)
{
	while (filter->in_header && bytes.len > 0) {
		size_t end = span_find_char(bytes, '\n');
		struct span piece = end == SIZE_MAX ? bytes : span_head(bytes, end + 1);
		if (!take_piece(filter, piece))
			break;
		bytes = span_skip(bytes, piece.len);
	}
	if (bytes.len > 0)
		content_write(filter->content, bytes);
}

void header_filter_end(struct header_filter *filter)
{
	if (filter->in_header && flush_field(filter))
		end_header(filter);
}
