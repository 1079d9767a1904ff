/* Spans, buffers, arenas, tables, base64 and CRC-32C.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/table.h"

static void test_span_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t value;
	} rows[] = {
		{"0", 10, true, 0},
		{"10", 10, true, 10},
		{"11", 10, false, 0},
		{"", 10, false, 0},
		{"1x", 100, false, 0},
		{"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, false, 0},
		{"-1", UINT64_MAX, false, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t value = 0;
		assert_int_equal(
			span_to_u64(span_from_cstr(rows[i].text), rows[i].max, &value), rows[i].ok);
		assert_true(value == rows[i].value);
	}
}

static void test_span_cutting(void **state)
{
	(void)state;
	struct span rest = SPAN("a,b,,c,");
	int fields = 0;
	while (rest.ptr != NULL) {
		span_split(&rest, ',');
		fields++;
	}
	assert_int_equal(fields, 5);
	assert_true(span_equal(span_trim(SPAN(" \t x y \r\n")), SPAN("x y")));
	assert_true(span_find(SPAN("ab"), SPAN("abc")) == SIZE_MAX);
	assert_true(span_is_empty(span_skip(SPAN("ab"), 3)));
}

static void test_span_words(void **state)
{
	(void)state;
	assert_true(span_has_word(SPAN("a, ALL\tb"), SPAN("all")));
	assert_true(span_has_word(SPAN("all"), SPAN("All")));
	assert_false(span_has_word(SPAN("allow, b all-c"), SPAN("all")));
	assert_false(span_has_word(SPAN_EMPTY, SPAN("all")));
	assert_false(span_has_word(SPAN("a,,b"), SPAN_EMPTY));
}

static void test_span_utf8(void **state)
{
	(void)state;
	assert_true(span_is_utf8(SPAN("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80")));
	static const char *bad[] = {
		"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xff"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(span_is_utf8(span_from_cstr(bad[i])));
}

static void test_buf_cap_is_sticky(void **state)
{
	(void)state;
	struct buf buf = BUF_INIT(4);
	buf_append(&buf, SPAN("abc"));
	buf_append(&buf, SPAN("de"));
	assert_true(buf.overflow);
	buf_append(&buf, SPAN("f"));
	assert_string_equal(buf_cstr(&buf), "abc");
	buf_reset(&buf);
	buf_append_format(&buf, "%d", 1234);
	assert_false(buf.overflow);
	assert_string_equal(buf_cstr(&buf), "1234");
	buf_consume(&buf, 2);
	assert_string_equal(buf_cstr(&buf), "34");
	buf_done(&buf);
}

static void test_buf_cut_to_its_cap(void **state)
{
	(void)state;
	struct buf buf = BUF_INIT(6);
	buf_append_format_cut(&buf, "%s", "ab");
	buf_append_format_cut(&buf, "%s%d", "cd", 123);
	assert_string_equal(buf_cstr(&buf), "abcd12");
	buf_append_format_cut(&buf, "%s", "more");
	assert_string_equal(buf_cstr(&buf), "abcd12");
	assert_false(buf.overflow);
	buf_done(&buf);
}

static void test_arena_cap(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 10000);
	for (int i = 0; i < 9; i++)
		assert_non_null(arena_alloc(&arena, 1000));
	assert_null(arena_alloc(&arena, 5000));
	assert_true(arena.overflow);
	arena_reset(&arena);
	assert_true(span_equal(arena_dup(&arena, SPAN("xyz")), SPAN("xyz")));
	arena_done(&arena);
}

static void test_large_sizes_that_memory_has_not(void **state)
{
	(void)state;
#ifdef TAMBO_SANITIZED
	skip(); /* it ends the process itself */
#endif
	struct buf buf = BUF_LARGE(SIZE_MAX / 2);
	struct arena arena;
	buf_append(&buf, SPAN("abc"));
	assert_null(buf_reserve(&buf, SIZE_MAX / 4));
	assert_true(buf.overflow);
	assert_string_equal(buf_cstr(&buf), "abc");
	buf_done(&buf);
	assert_true(buf.is_large);
	arena_init(&arena, SIZE_MAX / 2);
	assert_non_null(arena_alloc(&arena, 10));
	assert_null(arena_alloc(&arena, SIZE_MAX / 4));
	assert_true(arena.overflow);
	arena_done(&arena);
}

static void test_table(void **state)
{
	(void)state;
	struct table table;
	char key[16];
	table_init(&table);
	for (uintptr_t i = 1; i <= 1000; i++) {
		snprintf(key, sizeof key, "key%d", (int)i);
		assert_null(table_put(&table, span_from_cstr(key), (void *)i));
	}
	assert_true(table.count == 1000);
	assert_true(table_get(&table, SPAN("key500")) == (void *)500);
	assert_true(table_remove(&table, SPAN("key500")) == (void *)500);
	assert_null(table_get(&table, SPAN("key500")));
	assert_true(table_put(&table, SPAN("key1"), (void *)7) == (void *)1);
	table_done(&table, NULL);
}

static void test_base64(void **state)
{
	(void)state;
	static const struct {
		const char *plain, *text;
	} rows[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
	struct buf out = BUF_INIT(100);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_reset(&out);
		base64_encode(span_from_cstr(rows[i].plain), &out);
		assert_string_equal(buf_cstr(&out), rows[i].text);
		buf_reset(&out);
		assert_true(base64_decode(span_from_cstr(rows[i].text), &out));
		assert_string_equal(buf_cstr(&out), rows[i].plain);
	}
	static const char *bad[] = {"Z", "Zg=", "Zg==Zg==", "Zh==", "Z g=", "Zm9=", "===="};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(base64_decode(span_from_cstr(bad[i]), &out));
	buf_done(&out);
}

static void test_crc32c(void **state)
{
	(void)state;
	assert_true(crc32c(0, "123456789", 9) == 0xe3069283u);
	assert_true(crc32c(crc32c(0, "1234567", 7), "89", 2) == 0xe3069283u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_span_numbers),
		cmocka_unit_test(test_span_cutting),
		cmocka_unit_test(test_span_words),
		cmocka_unit_test(test_span_utf8),
		cmocka_unit_test(test_buf_cap_is_sticky),
		cmocka_unit_test(test_buf_cut_to_its_cap),
		cmocka_unit_test(test_arena_cap),
		cmocka_unit_test(test_large_sizes_that_memory_has_not),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_crc32c),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
