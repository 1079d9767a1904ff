/* The text forms of tables, networks, and parts of lists: pure parsers.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "map/map_private.h"
#include "map/network.h"
#include "map/passwdfile.h"
#include "map/text.h"

/* What a parser said, as one text: "key=value;" and "!line;" for a warning. */
static void write_entry(void *arg, struct span key, struct span value, unsigned line)
{
	(void)line;
	buf_append_format(arg, "%.*s=%.*s;", SPAN_ARGS(key), SPAN_ARGS(value));
}

static void write_warning(void *arg, unsigned line, const char *text)
{
	(void)text;
	buf_append_format(arg, "!%u;", line);
}

typedef void parse_fn(struct span text, const struct map_text_visitor *visitor);

struct row {
	const char *what, *text, *said;
};

static void run_rows(parse_fn *parse, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct buf said = BUF_INIT(4096);
		struct map_text_visitor visitor = {&said, write_entry, write_warning};
		parse(span_from_cstr(rows[i].text), &visitor);
		if (strcmp(buf_cstr(&said), rows[i].said) != 0)
			fail_msg("%s: got \"%s\"", rows[i].what, buf_cstr(&said));
		buf_done(&said);
	}
}

static void test_text(void **state)
{
	static const struct row rows[] = {
		{"key and value", "a b\nc\td e \n", "a=b;c=d e;"},
		{"no final newline", "a b", "a=b;"},
		{"comments and empty lines", "# x\n\n   # y\na b\n", "a=b;"},
		{"continuation", "a b\n\tc\n", "a=b\tc;"},
		{"a comment within an entry", "a b\n#x\n c\n", "a=b c;"},
		{"quotes protect white space", "\"x y\"@z v\n", "\"x y\"@z=v;"},
		{"an escaped quote", "\"x\\\" y\" v\n", "\"x\\\" y\"=v;"},
		{"an open quote", "\"x v\n", "!1;"},
		{"no value", "a\nb c\n", "!1;b=c;"},
		{"white space first", "  a b\nc d\n", "!1;c=d;"},
		{"an alias file is suspected", "a: b\n", "!1;a:=b;"},
		{"CR LF", "a b\r\nc d\r\n", "a=b;c=d;"},
		{"nothing", "", ""},
	};
	(void)state;
	run_rows(map_text_parse, rows, ARRAY_LEN(rows));
}

static void test_aliases(void **state)
{
	static const struct row rows[] = {
		{"one value", "a: b\n", "a=b;"},
		{"names are folded", "Root:x\n", "root=x;"},
		{"white space before the colon", "a : b\n", "a=b;"},
		{"several values", "a: b ,c,\n  d\n", "a=b, c, d;"},
		{"empty values go", "a: ,b,, c,\n", "a=b, c;"},
		{"a command keeps its commas", "a: \"|/x a,b\", c\n", "a=\"|/x a,b\", c;"},
		{"a quoted name", "\"x y\": z\n", "x y=z;"},
		{"a colon within a quoted name", "\"x:y\": z\n", "x:y=z;"},
		{"an include", "a: :include:/x\n", "a=:include:/x;"},
		{"no colon", "a b\n", "!1;"},
		{"no name", ": b\n", "!1;"},
		{"an empty quoted name", "\"\": b\n", "!1;"},
		{"no value", "a:\nb: ,\n", "!1;!2;"},
		{"an open quote in a value", "a: \"b\nc: d\n", "!1;c=d;"},
	};
	(void)state;
	run_rows(map_aliases_parse, rows, ARRAY_LEN(rows));
}

static void test_passwdfile(void **state)
{
	static const struct row rows[] = {
		{"all fields", "a:{PLAIN}x:1:2::/h::k=v\n", "a={PLAIN}x:1:2::/h::k=v;"},
		{"a password alone", "a@b.c:x\n", "a@b.c=x;"},
		{"no password", "a:\n", "a=;"},
		{"comments and empty lines", "#a:b\n\nc:d", "c=d;"},
		{"no colon", "a\n", "!1;"},
		{"no name", ":x\n", "!1;"},
		{"white space in a name", "a b:x\n", "!1;"},
	};
	(void)state;
	run_rows(passwdfile_parse, rows, ARRAY_LEN(rows));
}

static void test_networks(void **state)
{
	static const struct {
		const char *network, *address;
		bool is_network, contains;
	} rows[] = {
		{"10.0.0.0/8", "10.255.0.1", true, true},
		{"10.0.0.0/8", "11.0.0.1", true, false},
		{"192.0.2.1", "192.0.2.1", true, true},
		{"192.0.2.0/31", "192.0.2.1", true, true},
		{"192.0.2.0/31", "192.0.2.2", true, false},
		{"0.0.0.0/0", "8.8.8.8", true, true},
		{"0.0.0.0/0", "::1", true, false},
		{"::/0", "::1", true, true},
		{"2001:db8::/33", "2001:db8:7fff::1", true, true},
		{"2001:db8::/33", "2001:db8:8000::1", true, false},
		{"[::1]/128", "::1", true, true},
		{"[::1/128]", "[::1]", true, true},
		{"10.0.0.1/8", "", false, false},
		{"10.0.0.0/33", "", false, false},
		{"10.0.0.0/", "", false, false},
		{"10.0.0/8", "", false, false},
		{"010.0.0.0/8", "", false, false},
		{"[::1", "", false, false},
		{"", "", false, false},
		{"host", "", false, false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct network network, address;
		const char *problem = network_parse(span_from_cstr(rows[i].network), &network);
		if ((problem == NULL) != rows[i].is_network)
			fail_msg("%s: %s", rows[i].network, problem == NULL ? "accepted" : problem);
		if (problem != NULL)
			continue;
		assert_true(network_parse_address(span_from_cstr(rows[i].address), &address));
		if (network_contains(&network, &address) != rows[i].contains)
			fail_msg("%s and %s", rows[i].network, rows[i].address);
	}
}

static void test_parts(void **state)
{
	static const struct row rows[] = {
		{"commas and blanks", "a, b c,,d", "a|b|c|d|"},
		{"braces protect", "a:{b, c} d", "a:{b, c}|d|"},
		{"nested braces", "{a {b, c}}, d", "{a {b, c}}|d|"},
		{"an open brace", "a, {b", "a|!"},
		{"a brace too many", "a} b", "!"},
		{"nothing", " , ", ""},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span rest = span_from_cstr(rows[i].text), part;
		struct buf said = BUF_INIT(1000);
		const char *problem = NULL;
		while (map_next_part(&rest, &part, &problem))
			buf_append_format(&said, "%.*s|", SPAN_ARGS(part));
		if (problem != NULL)
			buf_append_char(&said, '!');
		if (strcmp(buf_cstr(&said), rows[i].said) != 0)
			fail_msg("%s: got \"%s\"", rows[i].what, buf_cstr(&said));
		buf_done(&said);
	}
}

static void test_folding(void **state)
{
	static const struct row rows[] = {
		{"ASCII", "AbC@X", "abc@x"},
		{"Unicode", "GR\xc3\x9c\xc3\x9f", "gr\xc3\xbcss"},
		{"bytes that are no UTF-8 stay", "A\xff", "a\xff"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(100);
		map_fold(span_from_cstr(rows[i].text), &out);
		if (strcmp(buf_cstr(&out), rows[i].said) != 0)
			fail_msg("%s: got \"%s\"", rows[i].what, buf_cstr(&out));
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_passwdfile),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_folding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
