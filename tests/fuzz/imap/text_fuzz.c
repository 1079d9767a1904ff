/* Strings that IMAP writes are read again as they were; patterns of LIST against names: within the
 * time that is promised, and no less than a plain comparison. The first line is the pattern, the
 * second the name.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "imap/date.h"
#include "imap/list_pattern.h"
#include "imap/parser.h"
#include "imap/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_string(struct span text)
{
	struct arena arena;
	struct buf out = BUF_INIT(1 << 20);
	struct imap_parser parser;
	struct span again;
	arena_init(&arena, 1 << 20);
	bool has_nul = memchr(text.ptr, '\0', text.len) != NULL;
	imap_write_string(text, &out);
	imap_parser_init(&parser, buf_span(&out), &arena);
	if (!has_nul)
		CHECK(imap_parse_string(&parser, &again) && span_equal(again, text) &&
			parser.rest.len == 0);
	buf_reset(&out);
	imap_write_astring(text, &out);
	imap_parser_init(&parser, buf_span(&out), &arena);
	if (!has_nul)
		CHECK(imap_parse_astring(&parser, &again) && span_equal(again, text));
	buf_done(&out);
	arena_done(&arena);
}

static void check_date(struct span text)
{
	struct arena arena;
	struct imap_parser parser;
	int64_t seconds, again;
	arena_init(&arena, 1 << 16);
	imap_parser_init(&parser, text, &arena);
	(void)imap_parse_date(&parser, &seconds);
	imap_parser_init(&parser, text, &arena);
	if (imap_parse_date_time(&parser, &seconds)) {
		struct buf out = BUF_INIT(100);
		imap_write_date_time(seconds, 0, &out);
		imap_parser_init(&parser, buf_span(&out), &arena);
		CHECK(imap_parse_date_time(&parser, &again) && again == seconds);
		buf_done(&out);
	}
	arena_done(&arena);
}

static bool has_wildcard(struct span pattern)
{
	return memchr(pattern.ptr, '*', pattern.len) != NULL ||
		memchr(pattern.ptr, '%', pattern.len) != NULL;
}

static void check_pattern(struct span pattern, struct span name)
{
	enum imap_list_match match = imap_list_match(pattern, name, '/');
	if (pattern.len > IMAP_LIST_PATTERN_MAX) {
		CHECK(match == IMAP_LIST_NO);
		return;
	}
	if (!has_wildcard(pattern) && match == IMAP_LIST_YES)
		CHECK(span_equal_nocase(pattern, name));
	if (span_equal(pattern, name) && !has_wildcard(name))
		CHECK(match == IMAP_LIST_YES);
	CHECK(imap_list_match(SPAN("*"), name, '/') == IMAP_LIST_YES);
	if (memchr(name.ptr, '/', name.len) == NULL)
		CHECK(imap_list_match(SPAN("%"), name, '/') == IMAP_LIST_YES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span name = span_new(data, size);
	check_string(name);
	check_date(name);
	struct span pattern = span_split(&name, '\n');
	if (name.ptr != NULL)
		check_pattern(pattern, name);
	return 0;
}
