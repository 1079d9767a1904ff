/* $name expansion: every form, and what must be refused.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "conf/expand.h"

static const char *look_up(void *arg, struct span name)
{
	static const struct {
		const char *name, *value;
	} values[] = {
		{"a", "1"},
		{"empty", ""},
		{"b", "<$a>"},
		{"level", "3.6"},
		{"loop", "x$loop"},
		{"c1", "$c2$c2"},
		{"c2", "$c3$c3"},
		{"c3", "$c4$c4"},
		{"c4", "aaaaaaaaaaaaaaaa"},
	};
	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		if (span_equal(name, span_from_cstr(values[i].name)))
			return values[i].value;
	}
	return NULL;
}

static const struct {
	const char *what, *text, *result; /* NULL: refused */
} rows[] = {
	{"plain text", "x y", "x y"},
	{"a name", "$a", "1"},
	{"a name ends at a byte that no name has", "$a.b-$a", "1.b-1"},
	{"braces", "x${a}y", "x1y"},
	{"parentheses", "x$(a)y", "x1y"},
	{"white space within braces", "${ a }", "1"},
	{"a value is expanded in turn", "$b", "<1>"},
	{"two dollars are one", "$$a", "$a"},
	{"an unknown name is empty", "[$nope]", "[]"},
	{"text if set", "${a?yes}", "yes"},
	{"text if set: it is empty", "[${empty?yes}]", "[]"},
	{"text if unset", "${nope:no}", "no"},
	{"text if unset: it is set", "[${a:no}]", "[]"},
	{"text in braces if set", "${a?{yes}}", "yes"},
	{"both branches, first", "${a?{yes}:{no}}", "yes"},
	{"both branches, second", "${empty?{yes}:{no}}", "no"},
	{"white space around branches", "${empty? {yes} : {no}}", "no"},
	{"a colon in text without braces is text", "${a?x:y}", "x:y"},
	{"a branch is expanded", "${a?{$b}}", "<1>"},
	{"white space inside braces stays", "${a?{ x }}", " x "},
	{"numbers are compared as numbers", "${{10} > {9}?{y}:{n}}", "y"},
	{"text is compared as text", "${{10x} > {9x}?{y}:{n}}", "n"},
	{"equal", "${{$a} == {1}?{y}:{n}}", "y"},
	{"not equal", "${{$a} != {1}?{y}:{n}}", "n"},
	{"less or equal", "${{2} <= {2}?{y}:{n}}", "y"},
	{"greater or equal", "${{1} >= {2}?{y}:{n}}", "n"},
	{"levels are compared by their parts", "${{$level} <level {3.10}?{y}:{n}}", "y"},
	{"level at least", "${{$level} >=level {3.6}?{y}:{n}}", "y"},
	{"a comparison alone is true", "${{a} == {a}}", "true"},
	{"a comparison alone is false", "[${{a} == {b}}]", "[]"},
	{"a comparison within a branch", "${a?{${{1} < {2}?{in}:{out}}}:{no}}", "in"},
	{"a name that contains itself", "$loop", NULL},
	{"an open brace", "${a", NULL},
	{"an open parenthesis", "$(a", NULL},
	{"a dollar alone", "a$", NULL},
	{"a dollar before a byte that no name has", "$-x", NULL},
	{"a bad byte in a name", "${a.b}", NULL},
	{"an unknown operator", "${{a} % {b}?{c}}", NULL},
	{"an operand without braces", "${{a} < b?{c}}", NULL},
	{"text behind the branches", "${a?{x}:{y}z}", NULL},
	{"a level that is none", "${{x} <level {3}?{c}}", NULL},
};

static void test_expand(void **state)
{
	struct expand_source source = {look_up, NULL, false};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(1000), error = BUF_INIT(1000);
		bool ok = expand(span_from_cstr(rows[i].text), &source, &out, &error);
		if (ok != (rows[i].result != NULL))
			fail_msg("%s: %s", rows[i].what, ok ? buf_cstr(&out) : buf_cstr(&error));
		if (ok && strcmp(buf_cstr(&out), rows[i].result) != 0)
			fail_msg("%s: got \"%s\"", rows[i].what, buf_cstr(&out));
		if (!ok)
			assert_true(error.len > 0);
		buf_done(&out);
		buf_done(&error);
	}
}

static void test_growth_is_bounded(void **state)
{
	struct expand_source source = {look_up, NULL, false};
	struct buf out = BUF_INIT(100), error = BUF_INIT(1000);

	(void)state;
	assert_false(expand(SPAN("$c1"), &source, &out, &error));
	assert_true(out.len <= 100);
	buf_done(&out);
	buf_done(&error);
}

static void count_name(void *arg, struct span name)
{
	(void)name;
	++*(int *)arg;
}

static void test_names_of_all_branches(void **state)
{
	int count = 0;

	(void)state;
	assert_true(
		expand_names(SPAN("$x ${y?{$z}:{$w}} ${{$l} < {$r}?{$t}}"), count_name, &count));
	assert_int_equal(count, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_growth_is_bounded),
		cmocka_unit_test(test_names_of_all_branches),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
