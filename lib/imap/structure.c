/* Writing ENVELOPE and BODYSTRUCTURE. See structure.h.
 * SPDX-License-Identifier: ISC */
#include "imap/structure.h"

#include "base/ascii.h"
#include "imap/write.h"

#define MISSING_MAILBOX SPAN("MISSING_MAILBOX")
#define MISSING_DOMAIN SPAN("MISSING_DOMAIN")

static void write_mailbox(const struct address_item *mailbox, struct buf *out)
{
	static const struct span nil = {NULL, 0};
	bool address = mailbox->kind == ADDRESS_MAILBOX;
	struct span local = mailbox->mailbox, host = mailbox->host;
	if (address && local.len == 0)
		local = MISSING_MAILBOX;
	if (address && host.len == 0)
		host = MISSING_DOMAIN;
	buf_append_char(out, '(');
	imap_write_nstring(address && mailbox->has_name ? mailbox->name : nil, out);
	buf_append_char(out, ' ');
	imap_write_nstring(address && mailbox->has_route ? mailbox->route : nil, out);
	buf_append_char(out, ' ');
	imap_write_nstring(mailbox->kind == ADDRESS_GROUP_END ? nil : local, out);
	buf_append_char(out, ' ');
	imap_write_nstring(address ? host : nil, out);
	buf_append_char(out, ')');
}

static void write_list(const struct address_list *list, struct buf *out)
{
	if (list->count == 0) {
		buf_append_cstr(out, "NIL");
		return;
	}
	buf_append_char(out, '(');
	for (size_t i = 0; i < list->count; i++)
		write_mailbox(&list->items[i], out);
	buf_append_char(out, ')');
}

void imap_write_envelope(const struct envelope *envelope, struct buf *out)
{
	buf_append_char(out, '(');
	imap_write_nstring(envelope->date, out);
	buf_append_char(out, ' ');
	imap_write_nstring(envelope->subject, out);
	for (size_t i = 0; i < ENVELOPE_LIST_COUNT; i++) {
		buf_append_char(out, ' ');
		write_list(&envelope->lists[i], out);
	}
	buf_append_char(out, ' ');
	imap_write_nstring(envelope->in_reply_to, out);
	buf_append_char(out, ' ');
	imap_write_nstring(envelope->message_id, out);
	buf_append_char(out, ')');
}

static void write_parameters(const struct mime_value *value, struct buf *out)
{
	if (value->parameter_count == 0) {
		buf_append_cstr(out, "NIL");
		return;
	}
	buf_append_char(out, '(');
	for (size_t i = 0; i < value->parameter_count; i++) {
		if (i > 0)
			buf_append_char(out, ' ');
		imap_write_string(value->parameters[i].name, out);
		buf_append_char(out, ' ');
		imap_write_string(value->parameters[i].value, out);
	}
	buf_append_char(out, ')');
}

static void write_disposition(const struct mime_part *part, struct buf *out)
{
	if (!part->has_disposition) {
		buf_append_cstr(out, "NIL");
		return;
	}
	buf_append_char(out, '(');
	imap_write_string(part->disposition.token, out);
	buf_append_char(out, ' ');
	write_parameters(&part->disposition, out);
	buf_append_char(out, ')');
}

static void write_languages(const struct mime_part *part, struct buf *out)
{
	if (part->language_count == 0) {
		buf_append_cstr(out, "NIL");
		return;
	}
	if (part->language_count > 1)
		buf_append_char(out, '(');
	for (size_t i = 0; i < part->language_count; i++) {
		if (i > 0)
			buf_append_char(out, ' ');
		imap_write_string(part->languages[i], out);
	}
	if (part->language_count > 1)
		buf_append_char(out, ')');
}

/* " disposition language location": the end of every extended body. */
static void write_common_extension(const struct mime_part *part, struct buf *out)
{
	buf_append_char(out, ' ');
	write_disposition(part, out);
	buf_append_char(out, ' ');
	write_languages(part, out);
	buf_append_char(out, ' ');
	imap_write_nstring(part->location, out);
}

static void write_multipart(const struct mime_part *part, bool extended, struct buf *out)
{
	if (part->first_child == NULL) {
		buf_append_cstr(out, "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0");
		buf_append_cstr(out, extended ? " NIL NIL NIL NIL)" : ")");
	}
	for (const struct mime_part *child = part->first_child; child != NULL; child = child->next)
		imap_write_bodystructure(child, extended, out);
	buf_append_char(out, ' ');
	imap_write_string(part->subtype, out);
	if (extended) {
		buf_append_char(out, ' ');
		write_parameters(&part->content_type, out);
		write_common_extension(part, out);
	}
}

static bool is_text(const struct mime_part *part)
{
	return span_equal_nocase(part->type, SPAN("text"));
}

static void write_single_parameters(const struct mime_part *part, struct buf *out)
{
	if (is_text(part) && part->content_type.parameter_count == 0)
		buf_append_cstr(out, "(\"charset\" \"us-ascii\")");
	else
		write_parameters(&part->content_type, out);
}

static void write_lower_string(struct span text, struct buf *out)
{
	size_t start = out->len;
	imap_write_string(text, out);
	for (size_t i = start; i < out->len; i++)
		out->ptr[i] = ascii_lower(out->ptr[i]);
}

static void write_single(const struct mime_part *part, bool extended, struct buf *out)
{
	/* A message/rfc822 that could not be read as one (encoded, or beyond a limit) is opaque. */
	bool opaque = part->kind == MIME_SINGLE &&
		(span_equal(part->type, SPAN("multipart")) ||
			(span_equal(part->type, SPAN("message")) &&
				span_equal(part->subtype, SPAN("rfc822"))));
	imap_write_string(opaque ? SPAN("application") : part->type, out);
	buf_append_char(out, ' ');
	imap_write_string(opaque ? SPAN("octet-stream") : part->subtype, out);
	buf_append_char(out, ' ');
	write_single_parameters(part, out);
	buf_append_char(out, ' ');
	imap_write_nstring(part->id, out);
	buf_append_char(out, ' ');
	imap_write_nstring(part->description, out);
	buf_append_char(out, ' ');
	write_lower_string(part->encoding_text, out);
	buf_append_char(out, ' ');
	buf_append_u64(out, part->body.crlf_size);
	if (part->kind == MIME_MESSAGE) {
		buf_append_char(out, ' ');
		imap_write_envelope(part->envelope, out);
		buf_append_char(out, ' ');
		imap_write_bodystructure(part->first_child, extended, out);
	}
	if (part->kind == MIME_MESSAGE || is_text(part)) {
		buf_append_char(out, ' ');
		buf_append_u64(out, part->body.lines);
	}
	if (extended) {
		buf_append_char(out, ' ');
		imap_write_nstring(part->md5, out);
		write_common_extension(part, out);
	}
}

void imap_write_bodystructure(const struct mime_part *part, bool extended, struct buf *out)
{
	buf_append_char(out, '(');
	if (part->kind == MIME_MULTIPART)
		write_multipart(part, extended, out);
	else
		write_single(part, extended, out);
	buf_append_char(out, ')');
}
