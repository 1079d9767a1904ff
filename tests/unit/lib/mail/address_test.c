/* Paths of SMTP commands, quoting, domains, extensions.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/check.h"
#include "guard.h"
#include "mail/address.h"

struct path_row {
	const char *what, *input;
	unsigned flags;
	enum mail_path_result result;
	const char *local, *domain, *rest;
};

static const struct path_row path_rows[] = {
	{"plain", "<a@b.example>", 0, MAIL_PATH_OK, "a", "b.example", ""},
	{"parameters behind", " <a@b.example> SIZE=1", 0, MAIL_PATH_OK, "a", "b.example",
		" SIZE=1"},
	{"null sender", "<>", MAIL_PATH_EMPTY, MAIL_PATH_OK, "", "", ""},
	{"null recipient", "<>", 0, MAIL_PATH_IS_EMPTY, "", "", ""},
	{"source route", "<@x.example,@y.example:a@b.example>", 0, MAIL_PATH_OK, "a", "b.example",
		""},
	{"broken source route", "<@x.example,a@b.example>", 0, MAIL_PATH_SYNTAX, "", "", ""},
	{"route without end", "<@x.example>", 0, MAIL_PATH_SYNTAX, "", "", ""},
	{"quoted", "<\"a b\\\"c\"@b.example>", 0, MAIL_PATH_OK, "a b\"c", "b.example", ""},
	{"at sign in quotes", "<\"u@v\"@b.example>", 0, MAIL_PATH_OK, "u@v", "b.example", ""},
	{"at sign in quotes, no domain", "<\"u@v\">", MAIL_PATH_NO_DOMAIN, MAIL_PATH_SYNTAX, "", "",
		""},
	{"two at signs", "<u@v@b.example>", 0, MAIL_PATH_BAD_DOMAIN, "", "", ""},
	{"percent means nothing", "<u%v@b.example>", 0, MAIL_PATH_OK, "u%v", "b.example", ""},
	{"bang means nothing", "<v!u@b.example>", 0, MAIL_PATH_OK, "v!u", "b.example", ""},
	{"IPv4 literal", "<a@[192.0.2.1]>", 0, MAIL_PATH_OK, "a", "[192.0.2.1]", ""},
	{"IPv6 literal", "<a@[IPv6:2001:db8::1]>", 0, MAIL_PATH_OK, "a", "[IPv6:2001:db8::1]", ""},
	{"IPv6 without tag", "<a@[2001:db8::1]>", 0, MAIL_PATH_BAD_DOMAIN, "", "", ""},
	{"bad literal", "<a@[192.0.2.256]>", 0, MAIL_PATH_BAD_DOMAIN, "", "", ""},
	{"zone in literal", "<a@[192.0.2.1%lo]>", 0, MAIL_PATH_BAD_DOMAIN, "", "", ""},
	{"number as domain", "<a@2130706433>", 0, MAIL_PATH_BAD_DOMAIN, "", "", ""},
	{"no brackets", "a@b.example", 0, MAIL_PATH_SYNTAX, "", "", ""},
	{"no brackets allowed", "a@b.example X=1", MAIL_PATH_BARE, MAIL_PATH_OK, "a", "b.example",
		" X=1"},
	{"no domain", "<postmaster>", 0, MAIL_PATH_SYNTAX, "", "", ""},
	{"no domain allowed", "<postmaster>", MAIL_PATH_NO_DOMAIN, MAIL_PATH_OK, "postmaster", "",
		""},
	{"at sign without domain", "<a@>", MAIL_PATH_NO_DOMAIN, MAIL_PATH_BAD_DOMAIN, "", "", ""},
	{"no local part", "<@b.example:>", 0, MAIL_PATH_SYNTAX, "", "", ""},
	{"missing bracket", "<a@b.example", 0, MAIL_PATH_SYNTAX, "", "", ""},
	{"junk behind", "<a@b.example>x", 0, MAIL_PATH_SYNTAX, "", "", ""},
	{"unfinished quotes", "<\"a", 0, MAIL_PATH_SYNTAX, "", "", ""},
	{"unfinished escape", "<\"a\\", 0, MAIL_PATH_SYNTAX, "", "", ""},
	{"CR in quotes", "<\"a\rb\"@b.example>", 0, MAIL_PATH_SYNTAX, "", "", ""},
	{"space in local part", "<a b@b.example>", 0, MAIL_PATH_SYNTAX, "", "", ""},
	{"empty quoted local part", "<\"\"@b.example>", 0, MAIL_PATH_OK, "", "b.example", ""},
	{"trailing dot", "<a@b.example.>", 0, MAIL_PATH_BAD_DOMAIN, "", "", ""},
	{"double dot in local part", "<a..b.@b.example>", 0, MAIL_PATH_OK, "a..b.", "b.example",
		""},
	{"UTF-8 not asked for", "<gr\xc3\xbc@b.example>", 0, MAIL_PATH_NON_ASCII, "", "", ""},
	{"UTF-8", "<gr\xc3\xbc@b\xc3\xbc.example>", MAIL_PATH_UTF8, MAIL_PATH_OK, "gr\xc3\xbc",
		"b\xc3\xbc.example", ""},
	{"cut UTF-8", "<gr\xc3@b.example>", MAIL_PATH_UTF8, MAIL_PATH_NON_ASCII, "", "", ""},
	{"UTF-8 domain not asked for", "<a@b\xc3\xbc.example>", 0, MAIL_PATH_NON_ASCII, "", "", ""},
	{"label too long",
		"<a@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example>", 0,
		MAIL_PATH_BAD_DOMAIN, "", "", ""},
	{"dash first", "<a@-b.example>", 0, MAIL_PATH_BAD_DOMAIN, "", "", ""},
	{"empty", "", MAIL_PATH_EMPTY | MAIL_PATH_BARE, MAIL_PATH_SYNTAX, "", "", ""},
};

static void check_path(const struct path_row *row)
{
	struct arena arena;
	struct mail_address address = {SPAN_EMPTY, SPAN_EMPTY, SPAN_EMPTY};
	struct guard guard;
	struct span input = guard_copy(&guard, span_from_cstr(row->input));
	struct span rest = input;
	arena_init(&arena, 8192);
	enum mail_path_result result = mail_path_parse(&rest, row->flags, &arena, &address);
	if (result != row->result)
		fail_msg("%s: result %d", row->what, result);
	if (result == MAIL_PATH_OK) {
		if (!span_equal(address.local, span_from_cstr(row->local)) ||
			!span_equal(address.domain, span_from_cstr(row->domain)) ||
			!span_equal(rest, span_from_cstr(row->rest)))
			fail_msg("%s: '%.*s' '%.*s' rest '%.*s'", row->what, SPAN_ARGS(address.local),
				SPAN_ARGS(address.domain), SPAN_ARGS(rest));
	} else {
		assert_ptr_equal(rest.ptr, input.ptr);
	}
	arena_done(&arena);
	guard_free(&guard);
}

static void test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(path_rows); i++)
		check_path(&path_rows[i]);
}

static void test_path_too_long(void **state)
{
	(void)state;
	struct buf path = BUF_INIT(8192);
	buf_append_cstr(&path, "<");
	for (int i = 0; i < 600; i++)
		buf_append_char(&path, 'a');
	buf_append_cstr(&path, "@b.example>");
	struct arena arena;
	struct mail_address address;
	arena_init(&arena, 8192);
	struct span input = buf_span(&path);
	assert_int_equal(mail_path_parse(&input, 0, &arena, &address), MAIL_PATH_TOO_LONG);
	arena_done(&arena);
	buf_done(&path);
}

static void test_quoting(void **state)
{
	(void)state;
	static const struct {
		const char *full, *quoted;
	} rows[] = {
		{"a@b.example", "a@b.example"},
		{"a b@c", "\"a b\"@c"},
		{"u@v@c", "\"u@v\"@c"},
		{"a\"\\@c", "\"a\\\"\\\\\"@c"},
		{"a..b@c", "\"a..b\"@c"},
		{".a@c", "\".a\"@c"},
		{"@c", "\"\"@c"},
		{"a\r\nX: y@c", "\"a??X: y\"@c"},
		{"gr\xc3\xbc@c", "gr\xc3\xbc@c"},
		{"postmaster", "postmaster"},
		{"", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(1000);
		mail_address_quote_full(span_from_cstr(rows[i].full), &out);
		assert_string_equal(buf_cstr(&out), rows[i].quoted);
		buf_done(&out);
	}
}

static void test_domains(void **state)
{
	(void)state;
	static const struct {
		const char *domain, *ascii; /* NULL: not a domain */
	} rows[] = {
		{"Example.COM", "example.com"},
		{"b\xc3\xbc" "cher.example", "xn--bcher-kva.example"},
		{"B\xc3\x9c" "CHER.example", "xn--bcher-kva.example"},
		{"[IPv6:::1]", "[ipv6:::1]"},
		{"[IPv6:1:2:3:4:5:6:7:8]", "[ipv6:1:2:3:4:5:6:7:8]"},
		{"[IPv6:1:2:3:4:5:6:7]", NULL},
		{"[IPv6:::ffff:192.0.2.1]", "[ipv6:::ffff:192.0.2.1]"},
		{"[IPv6:1::2::3]", NULL},
		{"[IPv6::]", NULL},
		{"_dmarc.example", "_dmarc.example"},
		{"", NULL},
		{".", NULL},
		{"a..b", NULL},
		{"a b", NULL},
		{"a\xff.example", NULL},
		{"1.2.3.4", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(1000);
		bool good = mail_domain_to_ascii(span_from_cstr(rows[i].domain), &out);
		if (good != (rows[i].ascii != NULL))
			fail_msg("%s: %d", rows[i].domain, good);
		if (good)
			assert_string_equal(buf_cstr(&out), rows[i].ascii);
		buf_done(&out);
	}
	assert_true(mail_domain_equal(SPAN("b\xc3\xbc" "cher.example"), SPAN("XN--BCHER-KVA.example")));
	struct buf other = BUF_INIT(300);
	assert_true(mail_domain_other_form(SPAN("XN--BCHER-KVA.Example"), &other));
	assert_string_equal(buf_cstr(&other), "b\xc3\xbc" "cher.example");
	buf_reset(&other);
	assert_true(mail_domain_other_form(SPAN("b\xc3\xbc" "cher.example"), &other));
	assert_string_equal(buf_cstr(&other), "xn--bcher-kva.example");
	buf_reset(&other);
	assert_false(mail_domain_other_form(SPAN("plain.example"), &other));
	assert_false(mail_domain_other_form(SPAN("xn--a.xn--999999b.example"), &other));
	assert_false(mail_domain_other_form(SPAN("a.xxn--b.example"), &other));
	assert_int_equal(other.len, 0);
	buf_done(&other);
	assert_false(mail_domain_equal(SPAN("a.example"), SPAN("b.example")));
}

static void test_extensions(void **state)
{
	(void)state;
	static const struct {
		const char *local, *delimiters, *user, *extension; /* extension NULL: not split */
	} rows[] = {
		{"user+ext", "+", "user", "ext"},
		{"user+a+b", "+", "user", "a+b"},
		{"user-a+b", "+-", "user", "a+b"},
		{"user+", "+", "user", ""},
		{"+ext", "+", "+ext", NULL},
		{"user", "+", "user", NULL},
		{"user+ext", "", "user+ext", NULL},
		{"owner-list", "-", "owner-list", NULL},
		{"list-request", "-", "list-request", NULL},
		{"owner-list", "+", "owner-list", NULL},
		{"owner-list+x", "+", "owner-list", "x"},
		{"Mailer-Daemon", "-", "Mailer-Daemon", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span user, extension;
		bool split = mail_local_part_split(span_from_cstr(rows[i].local), rows[i].delimiters, &user,
			&extension);
		assert_int_equal(split, rows[i].extension != NULL);
		assert_true(span_equal(user, span_from_cstr(rows[i].user)));
		assert_true(span_equal(extension, span_from_cstr(rows[i].extension)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_path_too_long),
		cmocka_unit_test(test_quoting),
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_extensions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
