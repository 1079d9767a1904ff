/* What every layer builds on: base64, the log's line, UTF-8, numbers. What is encoded decodes to
 * the same, and a log line holds nothing that could pass for another line.
 * SPDX-License-Identifier: ISC */
#include "base/base64.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned lines;

static void look_at_line(enum log_level level, const char *line, size_t len)
{
	(void)level;
	lines++;
	CHECK(len <= LOG_LINE_MAX && strlen(line) == len);
	for (size_t i = 0; i < len; i++)
		CHECK((unsigned char)line[i] >= ' ' && line[i] != 127);
}

static void check_base64(struct span bytes)
{
	struct buf text = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
	base64_encode(bytes, &text);
	CHECK(!text.overflow && base64_decode(buf_span(&text), &again));
	CHECK(span_equal(buf_span(&again), bytes));
	buf_reset(&text);
	buf_reset(&again);
	/* Any text that decodes is the one that its bytes encode to. */
	if (base64_decode(bytes, &text)) {
		base64_encode(buf_span(&text), &again);
		CHECK(span_equal(buf_span(&again), bytes));
	} else {
		CHECK(text.len == 0);
	}
	buf_done(&text);
	buf_done(&again);
}

static void check_numbers(struct span text)
{
	uint64_t number;
	int64_t with_sign;
	if (span_to_u64(text, UINT64_MAX, &number)) {
		CHECK(text.len > 0);
		CHECK(number > INT64_MAX ||
			(span_to_i64(text, &with_sign) && (uint64_t)with_sign == number));
	}
	(void)span_to_hex_u64(text, &number);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_new(data, size), rest = text, word;
	size_t half = size / 2;
	log_set_sink(look_at_line);
	lines = 0;
	log_info("4ABC", "to=<%.*s>, status", SPAN_ARGS(text));
	log_warning(NULL, "%.*s", SPAN_ARGS(text));
	CHECK(lines == 2);
	check_base64(text);
	check_numbers(text);
	while (span_token(&rest, ", \t", &word)) {
		CHECK(word.len > 0);
		check_numbers(word);
	}
	CHECK(crc32c(crc32c(0, text.ptr, half), text.ptr + half, size - half) ==
		crc32c(0, text.ptr, size));
	struct span trimmed = span_trim(text);
	CHECK(trimmed.len == 0 || (trimmed.ptr >= text.ptr && trimmed.len <= text.len));
	if (half > 0 && size > half) {
		size_t at = span_find(text, span_skip(text, half));
		CHECK(at <= half);
	}
	return 0;
}
