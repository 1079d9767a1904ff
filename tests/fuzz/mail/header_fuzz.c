/* Header fields and the values in them: dates, encoded words, parameters, xtext, status codes.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "mail/date.h"
#include "mail/encoded_word.h"
#include "mail/header.h"
#include "mail/mime_parameter.h"
#include "mail/received.h"
#include "mail/status.h"
#include "mail/transfer.h"
#include "mail/xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(struct span value, struct buf *out)
{
	struct mail_date date;
	struct mail_status status;
	struct mime_value mime;
	struct arena arena;
	arena_init(&arena, 1 << 20);
	if (mail_date_parse(value, &date))
		mail_date_format(date, out);
	mail_status_parse(value, &status, NULL);
	buf_reset(out);
	encoded_word_decode(value, out);
	CHECK(span_is_utf8(buf_span(out)) || out->overflow);
	mime_value_parse(value, &arena, &mime);
	buf_reset(out);
	mime_parameter_text(&mime, SPAN("name"), out);
	buf_reset(out);
	xtext_decode(value, out);
	buf_reset(out);
	if (orcpt_decode(value, out)) {
		struct buf sent = BUF_INIT(16 << 20);
		orcpt_encode(buf_span(out), false, &sent);
		CHECK(span_is_ascii(buf_span(&sent)) && span_is_printable(buf_span(&sent)));
		buf_done(&sent);
	}
	arena_done(&arena);
}

/* Passing over the other fields finds what reading all of them finds. */
static void check_named(struct span text, struct span name)
{
	struct header_reader all, named;
	struct header_field field, same;
	header_reader_init(&all, text);
	header_reader_init(&named, text);
	while (header_next(&all, &field) == HEADER_FIELD) {
		if (!field.valid || !span_equal_nocase(field.name, name))
			continue;
		CHECK(header_next_named(&named, name, &same) == HEADER_FIELD);
		CHECK(same.raw.ptr == field.raw.ptr && same.raw.len == field.raw.len);
	}
	CHECK(header_next_named(&named, name, &same) != HEADER_FIELD);
	CHECK(named.offset == all.offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header_reader reader;
	struct header_field field;
	struct buf out = BUF_INIT(8 << 20);
	struct span text = span_new(data, size);
	size_t total = 0;
	header_reader_init(&reader, text);
	while (header_next(&reader, &field) == HEADER_FIELD) {
		CHECK(field.raw.len > 0);
		total += field.raw.len;
		buf_reset(&out);
		header_unfold_clean(field.value, &out);
		CHECK(memchr(buf_cstr(&out), '\n', out.len) == NULL);
		check_value(field.value, &out);
	}
	CHECK(total <= size);
	check_named(text, SPAN("Subject"));
	check_named(text, span_head(text, 1));
	check_value(text, &out);
	buf_reset(&out);
	transfer_decode_all(TRANSFER_QUOTED_PRINTABLE, text, &out);
	buf_done(&out);
	return 0;
}
