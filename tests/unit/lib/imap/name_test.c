/* Mailbox names: modified UTF-7 in both directions, patterns and their time.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "guard.h"
#include "imap/list_pattern.h"
#include "imap/utf7.h"

static const struct {
	const char *name, *utf7, *utf8;
} NAMES[] = {
	{"plain", "INBOX", "INBOX"},
	{"ampersand", "a&-b", "a&b"},
	{"the example of RFC 3501", "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
		"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
	{"one umlaut", "&AOQ-", "\xc3\xa4"},
	{"umlaut in the middle", "Entw&APw-rfe", "Entw\xc3\xbcrfe"},
	{"beyond the BMP", "&2D3eAA-", "\xf0\x9f\x98\x80"},
	{"ampersand behind a shift", "&AOQ-&-", "\xc3\xa4&"},
	{"empty", "", ""},
};

static void names_go_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
		struct guard guard;
		struct buf out = BUF_INIT(1000);
		bool ok = imap_utf7_decode(guard_copy(&guard, span_from_cstr(NAMES[i].utf7)), &out);
		if (!ok || !span_equal(buf_span(&out), span_from_cstr(NAMES[i].utf8)))
			fail_msg("decode %s", NAMES[i].name);
		guard_free(&guard);
		buf_reset(&out);
		ok = imap_utf7_encode(guard_copy(&guard, span_from_cstr(NAMES[i].utf8)), &out);
		if (!ok || !span_equal(buf_span(&out), span_from_cstr(NAMES[i].utf7)))
			fail_msg("encode %s: %s", NAMES[i].name, buf_cstr(&out));
		guard_free(&guard);
		buf_done(&out);
	}
}

static const struct {
	const char *name;
	struct span utf7;
} BROKEN[] = {
	{"an open shift", SPAN("a&AOQ")},
	{"a shift at the end", SPAN("a&")},
	{"printable ASCII inside a shift", SPAN("&AGE-")},
	{"an encoded separator", SPAN("&AC8-")},
	{"an encoded ..", SPAN("&AC4ALg-")},
	{"an encoded NUL", SPAN("&AAA-")},
	{"a lone high surrogate", SPAN("&2D0-")},
	{"a lone low surrogate", SPAN("&3gA-")},
	{"bits left over", SPAN("&AOX-")},
	{"too few bytes", SPAN("&AA-")},
	{"two shifts where one would do", SPAN("&AOQ-&AOQ-")},
	{"a slash in base64", SPAN("&U/BT-")},
	{"eight bits", SPAN("\xc3\xa4")},
	{"a control byte", SPAN("a\tb")},
	{"NUL", SPAN("a\0b")},
};

static void broken_names_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BROKEN); i++) {
		struct guard guard;
		struct buf out = BUF_INIT(1000);
		if (imap_utf7_decode(guard_copy(&guard, BROKEN[i].utf7), &out))
			fail_msg("%s", BROKEN[i].name);
		buf_done(&out);
		guard_free(&guard);
	}
	struct buf out = BUF_INIT(100);
	assert_false(imap_utf7_encode(SPAN("\xff"), &out));
	buf_done(&out);
}

static const struct {
	const char *pattern, *name;
	enum imap_list_match expect;
} MATCHES[] = {
	{"*", "a/b/c", IMAP_LIST_YES},
	{"%", "a", IMAP_LIST_YES},
	{"%", "a/b", IMAP_LIST_NO},
	{"a/%", "a/b", IMAP_LIST_YES},
	{"a/%", "a", IMAP_LIST_PARENT},
	{"a/%", "a/b/c", IMAP_LIST_NO},
	{"%/%", "a/b", IMAP_LIST_YES},
	{"%/%", "a", IMAP_LIST_PARENT},
	{"a*c", "a/b/c", IMAP_LIST_YES},
	{"a%c", "abc", IMAP_LIST_YES},
	{"a%c", "a/c", IMAP_LIST_NO},
	{"inbox", "INBOX", IMAP_LIST_YES},
	{"InBoX/%", "INBOX/x", IMAP_LIST_YES},
	{"inboxes", "INBOXES", IMAP_LIST_NO},
	{"IN%", "INBOX", IMAP_LIST_YES},
	{"abc", "ab", IMAP_LIST_NO},
	{"ab", "abc", IMAP_LIST_NO},
	{"", "", IMAP_LIST_YES},
	{"**", "x", IMAP_LIST_YES},
	{"%*", "a/b", IMAP_LIST_YES},
	{"Sent", "Sent", IMAP_LIST_YES},
	{"sent", "Sent", IMAP_LIST_NO},
};

static void patterns_match(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(MATCHES); i++)
		if (imap_list_match(span_from_cstr(MATCHES[i].pattern),
			    span_from_cstr(MATCHES[i].name), '/') != MATCHES[i].expect)
			fail_msg("%s against %s", MATCHES[i].pattern, MATCHES[i].name);
}

/* An exponential matcher would not end in the life of this test. */
static void patterns_take_no_time(void **state)
{
	(void)state;
	struct buf pattern = BUF_INIT(10000), name = BUF_INIT(10000);
	for (size_t i = 0; i < 500; i++)
		buf_append_cstr(&pattern, i % 2 == 0 ? "%" : "*");
	buf_append_char(&pattern, 'x');
	for (size_t i = 0; i < 240; i++)
		buf_append_char(&name, 'a');
	assert_int_equal(
		imap_list_match(buf_span(&pattern), buf_span(&name), '/'), IMAP_LIST_PARENT);
	for (size_t i = 0; i < 2000; i++)
		buf_append_char(&pattern, '%');
	assert_int_equal(imap_list_match(buf_span(&pattern), buf_span(&name), '/'), IMAP_LIST_NO);
	buf_done(&pattern);
	buf_done(&name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_go_both_ways),
		cmocka_unit_test(broken_names_are_refused),
		cmocka_unit_test(patterns_match),
		cmocka_unit_test(patterns_take_no_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
