/* POP3 command lines and multi-line responses.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "pop3/command.h"
#include "pop3/encode.h"

static void test_commands(void **state)
{
	(void)state;
	static const struct {
		struct span line;
		enum pop3_verb verb;
		struct span argument;
	} rows[] = {
		{SPAN("STAT\r\n"), POP3_STAT, SPAN("")},
		{SPAN("stat\n"), POP3_STAT, SPAN("")},
		{SPAN("AUTH \r\n"), POP3_AUTH, SPAN("")},
		{SPAN("PASS two words \r\n"), POP3_PASS, SPAN("two words ")},
		{SPAN("TOP 1 10"), POP3_TOP, SPAN("1 10")},
		{SPAN("RETRIEVE 1\r\n"), POP3_UNKNOWN, SPAN("1")},
		{SPAN("\r\n"), POP3_UNKNOWN, SPAN("")},
		{SPAN(""), POP3_UNKNOWN, SPAN("")},
	};
	struct pop3_command command;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(pop3_command_parse(rows[i].line, &command));
		assert_int_equal(command.verb, rows[i].verb);
		assert_true(span_equal(command.argument, rows[i].argument));
	}
	assert_false(pop3_command_parse(SPAN("USER a\0b\r\n"), &command));
}

static void test_numbers(void **state)
{
	(void)state;
	uint32_t number, lines;
	assert_true(pop3_parse_number(SPAN("4294967295"), &number));
	static const char *bad[] = {"0", "", "-1", "4294967296", "1 2", "x"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(pop3_parse_number(span_from_cstr(bad[i]), &number));
	assert_true(pop3_parse_top(SPAN("3 0"), &number, &lines));
	assert_true(number == 3 && lines == 0);
	static const char *bad_top[] = {"1", "1 -1", "0 1", "1 2 3", "1 4294967296"};
	for (size_t i = 0; i < ARRAY_LEN(bad_top); i++)
		assert_false(pop3_parse_top(span_from_cstr(bad_top[i]), &number, &lines));
}

static const struct {
	const char *name;
	struct span message;
	uint64_t lines;
	struct span wire;
} messages[] = {
	{"LF becomes CRLF", SPAN("A: b\n\nx\n"), POP3_ALL_LINES, SPAN("A: b\r\n\r\nx\r\n.\r\n")},
	{"CRLF stays", SPAN("A: b\r\n\r\nx\r\n"), POP3_ALL_LINES, SPAN("A: b\r\n\r\nx\r\n.\r\n")},
	{"dots are doubled", SPAN("A: b\n\n.\n..x\nx.\n"), POP3_ALL_LINES,
		SPAN("A: b\r\n\r\n..\r\n...x\r\nx.\r\n.\r\n")},
	{"no final line end", SPAN("A: b\n\nx"), POP3_ALL_LINES, SPAN("A: b\r\n\r\nx\r\n.\r\n")},
	{"a header without its blank line", SPAN("A: b\n"), POP3_ALL_LINES,
		SPAN("A: b\r\n\r\n.\r\n")},
	{"empty", SPAN(""), POP3_ALL_LINES, SPAN("\r\n.\r\n")},
	{"TOP 0", SPAN("A: b\n\nx\ny\n"), 0, SPAN("A: b\r\n\r\n.\r\n")},
	{"TOP 1", SPAN("A: b\r\n\r\nx\r\ny\r\n"), 1, SPAN("A: b\r\n\r\nx\r\n.\r\n")},
	{"TOP beyond the end", SPAN("A: b\n\nx\n"), 9, SPAN("A: b\r\n\r\nx\r\n.\r\n")},
	{"bare CR", SPAN("A: b\n\nx\ry\n"), POP3_ALL_LINES, SPAN("A: b\r\n\r\nx\ry\r\n.\r\n")},
	{"CR CR LF", SPAN("A: b\n\nx\r\r\n"), POP3_ALL_LINES, SPAN("A: b\r\n\r\nx\r\r\n.\r\n")},
	{"a dot behind a bare CR", SPAN("A: b\n\n\r.\n"), POP3_ALL_LINES,
		SPAN("A: b\r\n\r\n\r.\r\n.\r\n")},
};

static void test_encoding(void **state)
{
	(void)state;
	struct buf out = BUF_INIT(1000);
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		/* In pieces of every size: where a piece ends must not matter. */
		for (size_t size = 1; size <= messages[i].message.len + 1; size++) {
			struct pop3_encoder encoder;
			struct span rest = messages[i].message;
			buf_reset(&out);
			pop3_encode_begin(&encoder, messages[i].lines);
			while (rest.len > 0 && pop3_encode(&encoder, span_head(rest, size), &out))
				rest = span_skip(rest, size);
			pop3_encode_end(&encoder, &out);
			if (!span_equal(buf_span(&out), messages[i].wire))
				fail_msg("%s in pieces of %zu: %s", messages[i].name, size, buf_cstr(&out));
		}
	}
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_encoding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
