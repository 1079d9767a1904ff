/* Typed values, comparisons, logical lines and names made from transports' names.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "conf/lines.h"
#include "conf/main_cf.h"
#include "conf/parameter.h"
#include "conf/relation.h"
#include "conf/values.h"

static void test_times(void **state)
{
	static const struct {
		const char *text;
		char unit;
		int64_t milliseconds; /* -1: refused */
	} rows[] = {
		{"0", 's', 0},
		{"5", 's', 5000},
		{"5", 'h', 18000000},
		{"5s", 'h', 5000},
		{"2m", 's', 120000},
		{"1H", 's', 3600000},
		{"3d", 's', 259200000},
		{"1w", 's', 604800000},
		{"", 's', -1},
		{"s", 's', -1},
		{"1x", 's', -1},
		{"-1s", 's', -1},
		{"1 s", 's', -1},
		{"1.5s", 's', -1},
		{"99999999999s", 's', -1},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t value = -1;
		value_parse_time(span_from_cstr(rows[i].text), rows[i].unit, &value);
		if (value != rows[i].milliseconds)
			fail_msg("\"%s\": got %lld", rows[i].text, (long long)value);
	}
}

static void test_sizes_and_booleans(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} rows[] = {
		{"0", 0},
		{"256k", 262144},
		{"64M", 67108864},
		{"1g", 1073741824},
		{"1t", -1},
		{"k", -1},
		{"", -1},
		{"-1", -1},
		{"9223372036854775807", INT64_MAX},
		{"9223372036854775808", -1},
		{"9007199254740992k", -1},
	};
	bool yes = false;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t value = -1;
		value_parse_size(span_from_cstr(rows[i].text), &value);
		if (value != rows[i].bytes)
			fail_msg("\"%s\": got %lld", rows[i].text, (long long)value);
	}
	assert_true(value_parse_bool(SPAN("YES"), &yes) && yes);
	assert_true(value_parse_bool(SPAN("no"), &yes) && !yes);
	assert_false(value_parse_bool(SPAN("true"), &yes));
	assert_false(value_parse_bool(SPAN(""), &yes));
}

static void test_levels(void **state)
{
	uint64_t a = 0, b = 0;

	(void)state;
	assert_true(
		relation_parse_level(SPAN("3.6"), &a) && relation_parse_level(SPAN("3.10"), &b));
	assert_true(a < b);
	assert_true(relation_parse_level(SPAN("2"), &a) && relation_parse_level(SPAN("2.0.0"), &b));
	assert_true(a == b);
	static const char *const bad[] = {"", "x", "3.", ".3", "1.2.3.4", "3.6x", "99999999"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(relation_parse_level(span_from_cstr(bad[i]), &a));
}

static void test_lines(void **state)
{
	struct buf line = BUF_INIT(100);
	struct lines lines;

	(void)state;
	lines_init(&lines, SPAN("# c\na\n# d\n\n  b\n\nc  \n"));
	assert_true(lines_next(&lines, &line));
	assert_string_equal(buf_cstr(&line), "a  b");
	assert_int_equal(lines.first, 2);
	assert_int_equal(lines.last, 5);
	assert_true(lines_next(&lines, &line));
	assert_string_equal(buf_cstr(&line), "c");
	assert_int_equal(lines.first, 7);
	assert_false(lines_next(&lines, &line));
	buf_done(&line);
}

static void test_a_line_beyond_the_cap_overflows(void **state)
{
	struct buf line = BUF_INIT(4);
	struct lines lines;

	(void)state;
	lines_init(&lines, SPAN("abc\n def\nx\n"));
	assert_true(lines_next(&lines, &line));
	assert_true(line.overflow);
	assert_true(lines_next(&lines, &line));
	assert_false(line.overflow);
	assert_string_equal(buf_cstr(&line), "x");
	buf_done(&line);
}

static void test_rules(void **state)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
		{"x_destination_recipient_limit", "$default_destination_recipient_limit"},
		{"x_recipient_limit", "$default_recipient_limit"},
		{"x_extra_recipient_limit", "$default_extra_recipient_limit"},
		{"x_initial_destination_concurrency", "$initial_destination_concurrency"},
		{"policyd-spf_time_limit", "$command_time_limit"},
		{"_time_limit", NULL},
		{"x_something", NULL},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct parameter_rule *rule =
			parameter_rule_find(span_from_cstr(rows[i].name));
		assert_int_equal(rule != NULL, rows[i].text != NULL);
		if (rule != NULL)
			assert_string_equal(rule->text, rows[i].text);
	}
}

static void test_every_row_is_whole(void **state)
{
	size_t count;
	const struct parameter *const *rows = parameter_sorted(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct parameter *p = rows[i];
		/* A text that fills its array to the last byte has no end. */
		assert_in_range(strnlen(p->name, sizeof p->name), 1, sizeof p->name - 1);
		assert_in_range(strnlen(p->text, sizeof p->text), 0, sizeof p->text - 1);
		assert_in_range(strnlen(p->meaning, sizeof p->meaning), 0, sizeof p->meaning - 1);
		assert_in_range(strnlen(p->words, sizeof p->words), 0, sizeof p->words - 1);
		if (p->meaning[0] == '\0')
			fail_msg("%s has no meaning", p->name);
		if (parameter_text(p)[0] != '\0' && p->compute != COMPUTE_NOTHING)
			fail_msg("%s: a default or one that is computed", p->name);
		if ((p->type == PARAMETER_ENUM) != (p->words[0] != '\0'))
			fail_msg("%s: words belong to an enumeration", p->name);
		assert_ptr_equal(parameter_find(span_from_cstr(p->name)), p);
	}
	assert_null(parameter_find(SPAN("zzz")));
	assert_null(parameter_find(SPAN("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_sizes_and_booleans),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_a_line_beyond_the_cap_overflows),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_every_row_is_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
