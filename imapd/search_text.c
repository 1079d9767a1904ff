/* Text of messages for SEARCH. Bodies are decoded and searched in pieces that overlap by the
 * needle's length, so that memory does not depend on the size of a message. RFC 3501 6.4.4, RFC
 * 2045, 2047.
 * SPDX-License-Identifier: ISC */
#include "imapd/search_text.h"

#include <errno.h>

#include "base/ascii.h"
#include "mail/charset.h"
#include "mail/encoded_word.h"
#include "mail/fold.h"
#include "mail/header.h"
#include "mail/mime_parameter.h"
#include "mail/transfer.h"

#define HEADER_CAP (16 * 1024 * 1024)
#define PIECE 65536
#define MIME_CAP (256 * 1024)
#define TEXT_CAP (1024 * 1024)
#define PLAIN_MAX 512

void search_text_init(struct search_text *text, struct session *session, uint32_t uid)
{
	content_init(&text->content, session, uid);
	text->header = BUF_LARGE(HEADER_CAP);
	text->error = 0;
}

void search_text_done(struct search_text *text)
{
	content_done(&text->content);
	buf_done(&text->header);
}

/* Nothing to decode in it, and its case folds as that of ASCII does. */
static bool is_plain(struct span value)
{
	return span_is_ascii(value) && span_is_printable(value) &&
	       span_find(value, SPAN("=?")) == SIZE_MAX;
}

static bool plain_has(struct span value, struct span needle)
{
	char folded[PLAIN_MAX];
	for (size_t i = 0; i < value.len; i++)
		folded[i] = ascii_lower(value.ptr[i]);
	return span_find(span_new(folded, value.len), needle) != SIZE_MAX;
}

static bool field_has(struct span value, struct span needle)
{
	value = span_trim(value);
	if (value.len <= PLAIN_MAX && is_plain(value))
		return plain_has(value, needle);
	struct buf decoded = BUF_LARGE(HEADER_CAP), folded = BUF_LARGE(2 * HEADER_CAP);
	encoded_word_decode(value, &decoded);
	utf8_fold(buf_span(&decoded), &folded);
	bool found = span_find(buf_span(&folded), needle) != SIZE_MAX;
	buf_done(&decoded);
	buf_done(&folded);
	return found;
}

/* name "": any field. */
static bool header_has(struct span header, struct span name, struct span needle)
{
	struct header_reader reader;
	struct header_field field;
	header_reader_init(&reader, header);
	if (name.len == 0) {
		/* TEXT also finds the names of fields. */
		while (header_next(&reader, &field) == HEADER_FIELD)
			if (field_has(field.raw, needle))
				return true;
		return false;
	}
	while (header_next_named(&reader, name, &field) == HEADER_FIELD)
		if (field_has(field.value, needle))
			return true;
	return false;
}

/* False: it cannot be read. One that is gone, or too large, matches nothing; any other error makes
 * the answer incomplete. */
static bool is_read(struct search_text *text, int error)
{
	if (error != 0 && error != -ENOENT && error != -EFBIG && text->error == 0)
		text->error = error;
	return error == 0;
}

static bool load_part_header(struct search_text *text, size_t index, struct buf *out)
{
	struct message_part part = content_part(&text->content, index);
	return is_read(text,
		content_read(&text->content, part.header_offset, part.body_offset, out));
}

static bool load_header(struct search_text *text)
{
	if (text->header.len > 0)
		return true;
	return is_read(text, content_load_parts(&text->content)) &&
	       load_part_header(text, 0, &text->header);
}

bool search_text_header(struct search_text *text, struct span name, struct span needle)
{
	if (text->header.len == 0 && message_cache_has_header(name)) {
		struct buf cached = BUF_LARGE(HEADER_CAP);
		int error = mailbox_message_cache(text->content.session->mailbox,
			text->content.uid, CACHE_HEADERS, &cached);
		bool found = is_read(text, error) && header_has(buf_span(&cached), name, needle);
		buf_done(&cached);
		return found;
	}
	return load_header(text) && header_has(buf_span(&text->header), name, needle);
}

bool search_text_any_header(struct search_text *text, struct span needle)
{
	return load_header(text) && header_has(buf_span(&text->header), SPAN_EMPTY, needle);
}

/* What has been decoded but cannot be searched alone: its end may be the needle's beginning. */
struct scan {
	struct span needle;
	struct transfer_decoder transfer;
	struct charset_decoder *charset;
	struct buf raw, utf8, folded;
};

static bool scan_piece(struct scan *scan, struct span wire, bool last)
{
	buf_reset(&scan->raw);
	buf_reset(&scan->utf8);
	transfer_decode(&scan->transfer, wire, &scan->raw);
	if (last)
		transfer_decode_end(&scan->transfer, &scan->raw);
	charset_decode(scan->charset, buf_span(&scan->raw), last, &scan->utf8);
	utf8_fold(buf_span(&scan->utf8), &scan->folded);
	if (span_find(buf_span(&scan->folded), scan->needle) != SIZE_MAX)
		return true;
	size_t keep = scan->needle.len == 0 ? 0 : scan->needle.len - 1;
	if (scan->folded.len > keep)
		buf_consume(&scan->folded, scan->folded.len - keep);
	return false;
}

static bool scan_body(struct search_text *text, const struct message_part *part, struct scan *scan)
{
	struct buf wire = BUF_INIT(PIECE);
	bool found = false;
	for (uint64_t at = part->body_offset; at < part->end_offset && !found;) {
		uint64_t end = at + PIECE < part->end_offset ? at + PIECE : part->end_offset;
		buf_reset(&wire);
		if (!is_read(text, content_read(&text->content, at, end, &wire)))
			break;
		found = scan_piece(scan, buf_span(&wire), end == part->end_offset);
		at = end;
	}
	buf_done(&wire);
	return found;
}

struct part_type {
	bool is_text;
	enum transfer_encoding encoding;
	struct charset_decoder *charset; /* to be freed */
};

static struct charset_decoder *decoder_for(struct span content_type)
{
	struct charset_decoder *decoder = NULL;
	struct mime_value value;
	struct span name;
	struct arena arena;
	arena_init(&arena, MIME_CAP);
	mime_value_parse(content_type, &arena, &value);
	if (mime_parameter_get(&value, SPAN("charset"), &name))
		decoder = charset_decoder_new(name);
	arena_done(&arena);
	/* Unknown or missing: UTF-8 holds ASCII, and shows what is neither. */
	return decoder != NULL ? decoder : charset_decoder_new(SPAN("utf-8"));
}

static struct part_type type_of(struct span header)
{
	struct part_type type = {.is_text = true, .encoding = TRANSFER_7BIT};
	struct header_field field;
	struct span content_type = SPAN_EMPTY;
	if (header_find(header, SPAN("Content-Type"), &field)) {
		content_type = span_trim(field.value);
		type.is_text = span_starts_with_nocase(content_type, SPAN("text/"));
	}
	if (header_find(header, SPAN("Content-Transfer-Encoding"), &field))
		type.encoding = transfer_encoding_parse(field.value);
	if (type.is_text)
		type.charset = decoder_for(content_type);
	return type;
}

static bool leaf_has(struct search_text *text, size_t index, struct span needle)
{
	struct buf header = BUF_LARGE(HEADER_CAP);
	bool found = false;
	if (load_part_header(text, index, &header)) {
		struct part_type type = type_of(buf_span(&header));
		if (type.is_text && type.charset != NULL) {
			struct message_part part = content_part(&text->content, index);
			struct scan scan = {.needle = needle,
				.charset = type.charset,
				.raw = BUF_LARGE(TEXT_CAP),
				.utf8 = BUF_LARGE(TEXT_CAP),
				.folded = BUF_LARGE(3 * TEXT_CAP)};
			transfer_decoder_init(&scan.transfer, type.encoding);
			found = scan_body(text, &part, &scan);
			buf_done(&scan.raw);
			buf_done(&scan.utf8);
			buf_done(&scan.folded);
		}
		charset_decoder_free(type.charset);
	}
	buf_done(&header);
	return found;
}

static bool part_header_has(struct search_text *text, size_t index, struct span needle)
{
	struct buf header = BUF_LARGE(HEADER_CAP);
	bool found = load_part_header(text, index, &header) &&
		     header_has(buf_span(&header), SPAN_EMPTY, needle);
	buf_done(&header);
	return found;
}

bool search_text_body(struct search_text *text, struct span needle, bool with_part_headers)
{
	if (!is_read(text, content_load_parts(&text->content)))
		return false;
	for (size_t i = 0; i < content_part_count(&text->content); i++) {
		struct message_part part = content_part(&text->content, i);
		/* The header of a message inside a message is part of the outer one's body. */
		bool counts = i > 0 && (with_part_headers ||
			content_part(&text->content, part.parent).kind == PART_MESSAGE);
		if (counts && part_header_has(text, i, needle))
			return true;
		if (part.kind == PART_LEAF && leaf_has(text, i, needle))
			return true;
		(void)task_yield();
	}
	return needle.len == 0;
}
