/* FETCH responses. The line is collected in a buffer; a section that comes from the file is sent in
 * pieces behind what was collected so far. RFC 3501 7.4.2, RFC 7162 3.1.5.
 * SPDX-License-Identifier: ISC */
#include "imapd/fetch.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "imap/date.h"
#include "imap/write.h"
#include "imapd/content.h"
#include "imapd/update.h"
#include "mail/header.h"

#define LINE_CAP (32 * 1024 * 1024)
#define HEADER_CAP (16 * 1024 * 1024)

struct response {
	struct session *session;
	struct content content;
	struct buf line;
	bool sent; /* part of the line has gone out: from now on there is no way back */
};

static void send_line(struct response *response)
{
	connection_write(&response->session->connection, buf_span(&response->line));
	buf_reset(&response->line);
	response->sent = true;
}

static int zone_of(int64_t seconds)
{
	time_t time = (time_t)seconds;
	struct tm local;
	return localtime_r(&time, &local) == NULL ? 0 : (int)(local.tm_gmtoff / 60);
}

/* The range [*start, *end) cut to what a partial asks for. */
static void cut(const struct imap_fetch_item *item, uint64_t *start, uint64_t *end)
{
	if (!item->partial)
		return;
	uint64_t length = *end - *start;
	uint64_t skip = item->offset < length ? item->offset : length;
	*start += skip;
	if (*end - *start > item->length)
		*end = *start + item->length;
}

static int write_range(
	struct response *response, const struct imap_fetch_item *item, uint64_t start, uint64_t end)
{
	cut(item, &start, &end);
	if (start == end) {
		imap_write_literal_start(0, &response->line);
		return 0;
	}
	/* Before the length is promised. */
	int error = content_open(&response->content);
	if (error != 0)
		return error;
	imap_write_literal_start(end - start, &response->line);
	send_line(response);
	error = content_send(&response->content, start, end);
	if (error == 0)
		return 0;
	if (error != -EPIPE)
		log_error(NULL, "user=<%s>: reading UID %u of %.*s failed: %s",
			response->session->user, response->content.uid,
			SPAN_ARGS(mailbox_name(response->session->mailbox)), strerror(-error));
	response->session->connection.failed = true;
	return -EPIPE;
}

static bool is_asked(const struct imap_section *section, struct span name)
{
	for (size_t i = 0; i < section->field_count; i++)
		if (span_equal_nocase(section->fields[i], name))
			return section->kind == IMAP_SECTION_FIELDS;
	return section->kind == IMAP_SECTION_FIELDS_NOT;
}

static void filter_header(const struct imap_section *section, struct span header, struct buf *out)
{
	struct header_reader reader;
	struct header_field field;
	header_reader_init(&reader, header);
	while (header_next(&reader, &field) == HEADER_FIELD)
		if (field.valid && is_asked(section, field.name))
			buf_append(out, field.raw);
	buf_append_cstr(out, "\r\n");
}

static bool is_in_index(const struct imap_section *section)
{
	if (section->kind != IMAP_SECTION_FIELDS || section->part_count > 0)
		return false;
	for (size_t i = 0; i < section->field_count; i++)
		if (!message_cache_has_header(section->fields[i]))
			return false;
	return true;
}

/* The header that a HEADER.FIELDS section selects from. -ENODATA: there is no such part. */
static int load_header(
	struct response *response, const struct imap_section *section, struct buf *out)
{
	uint64_t start, end;
	struct content *content = &response->content;
	if (is_in_index(section))
		return mailbox_message_cache(
			response->session->mailbox, content->uid, CACHE_HEADERS, out);
	int error = content_load_parts(content);
	if (error != 0)
		return error;
	if (!content_section(content, section, &start, &end))
		return -ENODATA;
	return content_read(content, start, end, out);
}

static int write_fields(struct response *response, const struct imap_fetch_item *item)
{
	struct buf header = BUF_LARGE(HEADER_CAP), chosen = BUF_LARGE(HEADER_CAP + 2);
	int error = load_header(response, &item->section, &header);
	if (error == 0)
		filter_header(&item->section, buf_span(&header), &chosen);
	if (error == 0 && chosen.overflow)
		error = -EFBIG;
	if (error == 0) {
		uint64_t start = 0, end = chosen.len;
		cut(item, &start, &end);
		imap_write_literal_start(end - start, &response->line);
		buf_append(&response->line,
			span_part(buf_span(&chosen), (size_t)start, (size_t)(end - start)));
	}
	buf_done(&header);
	buf_done(&chosen);
	return error;
}

static int write_section(struct response *response, const struct imap_fetch_item *item)
{
	uint64_t start, end;
	buf_append(&response->line, item->label);
	buf_append_char(&response->line, ' ');
	if (item->section.kind == IMAP_SECTION_FIELDS ||
		item->section.kind == IMAP_SECTION_FIELDS_NOT)
		return write_fields(response, item);
	int error = content_load_parts(&response->content);
	if (error != 0)
		return error;
	if (!content_section(&response->content, &item->section, &start, &end))
		return -ENODATA;
	return write_range(response, item, start, end);
}

static int write_size(struct response *response, const struct message *message)
{
	uint64_t size = message->size;
	int error = size == UINT64_MAX
			    ? mailbox_message_size(response->session->mailbox, message->uid, &size)
			    : 0;
	if (error == 0)
		buf_append_format(&response->line, "RFC822.SIZE %llu", (unsigned long long)size);
	return error;
}

static int write_cached(struct response *response, const char *label, enum message_cache kind)
{
	buf_append_cstr(&response->line, label);
	return mailbox_message_cache(
		response->session->mailbox, response->content.uid, kind, &response->line);
}

static int write_item(struct response *response, const struct message *message,
	const struct imap_fetch_item *item)
{
	struct buf *line = &response->line;
	switch (item->kind) {
	case IMAP_FETCH_UID:
		buf_append_format(line, "UID %u", message->uid);
		return 0;
	case IMAP_FETCH_FLAGS:
		buf_append_cstr(line, "FLAGS ");
		update_write_flags(response->session, message, line);
		return 0;
	case IMAP_FETCH_MODSEQ:
		buf_append_format(line, "MODSEQ (%llu)", (unsigned long long)message->modseq);
		return 0;
	case IMAP_FETCH_INTERNALDATE:
		buf_append_cstr(line, "INTERNALDATE ");
		imap_write_date_time(message->internaldate, zone_of(message->internaldate), line);
		return 0;
	case IMAP_FETCH_SIZE:
		return write_size(response, message);
	case IMAP_FETCH_ENVELOPE:
		return write_cached(response, "ENVELOPE ", CACHE_ENVELOPE);
	case IMAP_FETCH_BODY:
		return write_cached(response, "BODY ", CACHE_BODY);
	case IMAP_FETCH_BODYSTRUCTURE:
		return write_cached(response, "BODYSTRUCTURE ", CACHE_BODYSTRUCTURE);
	case IMAP_FETCH_SECTION:
		return write_section(response, item);
	}
	return 0;
}

/* Was FLAGS or MODSEQ asked for by name? What is told unasked comes last. */
static void write_unasked(struct response *response, const struct message *message,
	const struct imap_fetch *fetch, bool with_flags)
{
	bool flags = imap_fetch_asks(fetch, IMAP_FETCH_FLAGS);
	if (with_flags && !flags) {
		buf_append_cstr(&response->line, " FLAGS ");
		update_write_flags(response->session, message, &response->line);
	}
	/* RFC 7162 3.1: every FETCH response that tells flags tells the mod-sequence too. */
	if (response->session->condstore && (with_flags || flags) &&
		!imap_fetch_asks(fetch, IMAP_FETCH_MODSEQ))
		buf_append_format(
			&response->line, " MODSEQ (%llu)", (unsigned long long)message->modseq);
}

static int write_all(
	struct response *response, size_t index, const struct imap_fetch *fetch, bool with_flags)
{
	struct mailbox *mailbox = response->session->mailbox;
	buf_append_format(&response->line, "* %zu FETCH (", index + 1);
	for (size_t i = 0; i < fetch->count; i++) {
		if (i > 0)
			buf_append_char(&response->line, ' ');
		int error = write_item(response, mailbox_at(mailbox, index), &fetch->items[i]);
		if (error == -EPIPE)
			return error;
		if (error != 0 && error != -ENODATA && !response->sent)
			return error;
		/* No such part; or gone half way through: the response stays well-formed. */
		if (error != 0)
			buf_append_cstr(&response->line, "NIL");
	}
	write_unasked(response, mailbox_at(mailbox, index), fetch, with_flags);
	buf_append_cstr(&response->line, ")\r\n");
	if (response->line.overflow)
		return response->sent ? -EPIPE : -EFBIG;
	send_line(response);
	return 0;
}

int fetch_send(
	struct session *session, size_t index, const struct imap_fetch *fetch, bool with_flags)
{
	struct response response = {.session = session};
	response.line = BUF_LARGE(LINE_CAP);
	content_init(&response.content, session, mailbox_at(session->mailbox, index)->uid);
	int error = write_all(&response, index, fetch, with_flags);
	if (error == -EPIPE) {
		session->connection.failed = true;
		error = 0;
	}
	content_done(&response.content);
	buf_done(&response.line);
	return error;
}
