/* The header filter: what is body is never cut, in whatever pieces it comes.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "base/log.h"
#include "cleanup/header.h"
#include "cleanup/settings.h"
#include "mail/header.h"

static void filter(struct span input, size_t step, struct content *content)
{
	struct header_filter header;
	content_init(content, "0123ABC", 0);
	header_filter_init(&header, content, "0123ABC");
	for (; input.len > 0; input = span_skip(input, step))
		header_filter_write(&header, span_head(input, step));
	header_filter_end(&header);
	header_filter_done(&header);
}

/* A first line of so many bytes with a colon at a place where it makes no field. */
static void check_first_line(size_t length, size_t colon, size_t step)
{
	struct buf text = BUF_INIT(1000000);
	struct content content;
	for (size_t i = 0; i < length; i++)
		buf_append_char(&text, i == colon ? ':' : i == 1 ? ' ' : (char)('a' + i % 26));
	buf_append_cstr(&text, "\nSubject: no field\n");
	filter(buf_span(&text), step, &content);
	assert_int_equal(content.error, 0);
	assert_true(span_ends_with(buf_span(&content.bytes), buf_span(&text)));
	content_done(&content);
	buf_done(&text);
}

static void test_a_first_line_that_is_no_field(void **state)
{
	static const int64_t limits[] = {10, 500, 998, 1000, 5000};
	static const size_t steps[] = {1, 3, 999, 1000, SIZE_MAX};
	(void)state;
	for (size_t l = 0; l < ARRAY_LEN(limits); l++) {
		process.settings.header_size_limit = limits[l];
		for (size_t s = 0; s < ARRAY_LEN(steps); s++) {
			for (size_t length = 990; length < 1010; length++)
				check_first_line(length, SIZE_MAX, steps[s]);
			for (size_t length = 4990; length < 5010; length++)
				check_first_line(length, length / 2, steps[s]);
			check_first_line(10, SIZE_MAX, steps[s]);
			check_first_line(20000, 997, steps[s]);
			check_first_line(20000, HEADER_NAME_MAX + 1, steps[s]);
		}
	}
}

/* A field is: it keeps its beginning and its end. */
static void test_a_field_that_is_too_long(void **state)
{
	struct buf text = BUF_INIT(10000);
	struct content content;
	(void)state;
	process.settings.header_size_limit = 2000;
	buf_append_cstr(&text, "Subject: ");
	for (size_t i = 0; i < 5000; i++)
		buf_append_char(&text, 'x');
	buf_append_cstr(&text, "\nFrom: a@example.test\n\nbody\n");
	filter(buf_span(&text), 7, &content);
	struct span out = buf_span(&content.bytes);
	assert_int_equal(span_find_char(out, '\n'), 2000);
	assert_true(span_starts_with(span_skip(out, 2001), SPAN("From: a@example.test\n")));
	assert_true(span_ends_with(out, SPAN("\n\nbody\n")));
	content_done(&content);
	buf_done(&text);
}

static struct conf *conf;

static void silence(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)line;
	(void)len;
}

static int setup(void **state)
{
	char *problem = NULL;
	(void)state;
	log_set_sink(silence);
	conf = conf_parse("/nowhere", "cleanup",
		SPAN("myhostname = mx.example.test\nmydomain = example.test\n"), &problem);
	return conf == NULL || settings_load(conf) != 0;
}

static int teardown(void **state)
{
	(void)state;
	conf_free(conf);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_first_line_that_is_no_field),
		cmocka_unit_test(test_a_field_that_is_too_long),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
