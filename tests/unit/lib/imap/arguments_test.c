/* Arguments of IMAP commands: what each parser takes, what it refuses, and what it makes of it.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "guard.h"
#include "imap/command.h"
#include "imap/date.h"
#include "imap/fetch.h"
#include "imap/search.h"
#include "imap/write.h"

static struct arena arena;

static int open_arena(void **state)
{
	(void)state;
	arena_init(&arena, 1024 * 1024);
	return 0;
}

static int close_arena(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

/* --- strings --- */

static const struct {
	const char *name;
	struct span input;
	const char *expect; /* NULL: refused */
} STRINGS[] = {
	{"an atom", SPAN("INBOX"), "INBOX"},
	{"an atom with a bracket", SPAN("a]b"), "a]b"},
	{"a quoted string", SPAN("\"a b\""), "a b"},
	{"an empty quoted string", SPAN("\"\""), ""},
	{"escapes", SPAN("\"a\\\"b\\\\c\""), "a\"b\\c"},
	{"a wrong escape", SPAN("\"a\\n\""), NULL},
	{"an escape at the end", SPAN("\"a\\"), NULL},
	{"an open quote", SPAN("\"abc"), NULL},
	{"eight bits in quotes", SPAN("\"\xc3\xa4\""), "\xc3\xa4"},
	{"eight bits in an atom", SPAN("\xc3\xa4"), NULL},
	{"a literal", SPAN("{3}\r\na\nb"), "a\nb"},
	{"an empty literal", SPAN("{0}\r\n"), ""},
	{"a literal that is cut", SPAN("{5}\r\nab"), NULL},
	{"a literal without CRLF", SPAN("{2}ab"), NULL},
	{"a literal without a number", SPAN("{}\r\n"), NULL},
	{"a literal whose number overflows", SPAN("{99999999999999999999}\r\n"), NULL},
	{"a parenthesis", SPAN("("), NULL},
	{"nothing", SPAN(""), NULL},
};

static void parses_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(STRINGS); i++) {
		struct guard guard;
		struct imap_parser parser;
		struct span result;
		imap_parser_init(&parser, guard_copy(&guard, STRINGS[i].input), &arena);
		bool ok = imap_parse_astring(&parser, &result) && parser.rest.len == 0;
		if (ok != (STRINGS[i].expect != NULL) ||
			(ok && !span_equal(result, span_from_cstr(STRINGS[i].expect))))
			fail_msg("%s", STRINGS[i].name);
		if (!ok && parser.rest.len == 0 && STRINGS[i].expect == NULL)
			assert_non_null(parser.error);
		guard_free(&guard);
	}
}

/* --- sets --- */

static const struct {
	const char *name, *input;
	uint32_t largest;
	const char *expect; /* ranges after resolving; NULL: refused */
} SETS[] = {
	{"one number", "5", 9, "5"},
	{"a range", "2:4", 9, "2:4"},
	{"a descending range", "4:2", 9, "2:4"},
	{"overlapping and out of order", "5:1,3,*", 9, "1:5,9"},
	{"neighbours are joined", "1,2,3", 9, "1:3"},
	{"star alone", "*", 7, "7"},
	{"star in an empty mailbox", "*", 0, ""},
	{"from a number above the last to star", "20:*", 9, "9:20"},
	{"all of an empty mailbox", "1:*", 0, "1"},
	{"star to star", "*:*", 3, "3"},
	{"the largest number", "4294967295", 9, "4294967295"},
	{"up to the largest number", "1:4294967295,5", 9, "1:4294967295"},
	{"zero", "0", 9, NULL},
	{"a number beyond 32 bits", "4294967296", 9, NULL},
	{"a comma at the end", "1,", 9, NULL},
	{"two commas", "1,,2", 9, NULL},
	{"a triple", "1:2:3", 9, NULL},
	{"empty", "", 9, NULL},
};

static void parses_sets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(SETS); i++) {
		struct imap_parser parser;
		struct imap_set set;
		imap_parser_init(&parser, span_from_cstr(SETS[i].input), &arena);
		bool ok = imap_parse_set(&parser, &set) && parser.rest.len == 0;
		if (ok != (SETS[i].expect != NULL))
			fail_msg("%s", SETS[i].name);
		if (!ok)
			continue;
		struct buf out = BUF_INIT(1000);
		imap_set_resolve(&set, SETS[i].largest);
		for (size_t k = 0; k < set.count; k++) {
			buf_append_format(&out, "%s%u", k > 0 ? "," : "", set.ranges[k].first);
			if (set.ranges[k].last != set.ranges[k].first)
				buf_append_format(&out, ":%u", set.ranges[k].last);
			assert_true(imap_set_has(&set, set.ranges[k].first));
			assert_true(imap_set_has(&set, set.ranges[k].last));
		}
		if (!span_equal(buf_span(&out), span_from_cstr(SETS[i].expect)))
			fail_msg("%s: %s", SETS[i].name, buf_cstr(&out));
		buf_done(&out);
	}
}

static void refuses_a_set_without_end(void **state)
{
	(void)state;
	struct buf text = BUF_INIT(1024 * 1024);
	struct imap_parser parser;
	struct imap_set set;
	for (size_t i = 0; i < IMAP_SET_RANGES_MAX + 100; i++)
		buf_append_cstr(&text, "1,");
	buf_append_cstr(&text, "1");
	imap_parser_init(&parser, buf_span(&text), &arena);
	assert_false(imap_parse_set(&parser, &set));
	buf_done(&text);
}

static void writes_sets(void **state)
{
	(void)state;
	static const uint32_t numbers[] = {1, 2, 3, 7, 9, 10, 0};
	struct buf out = BUF_INIT(100);
	struct imap_set_writer writer = {.out = &out};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		imap_set_write_number(&writer, numbers[i]);
	assert_string_equal(buf_cstr(&out), "1:3,7,9:10");
	buf_done(&out);
}

/* --- FETCH --- */

static const struct {
	const char *name, *input;
	const char *expect; /* labels of sections and letters of items; NULL: refused */
} FETCHES[] = {
	{"one item", "FLAGS", "F"},
	{"a list in its order", "(UID RFC822.SIZE FLAGS)", "USF"},
	{"the macro FAST", "FAST", "FDS"},
	{"the macro ALL", "ALL", "FDSE"},
	{"the macro FULL", "full", "FDSEB"},
	{"a macro in a list", "(FAST)", NULL},
	{"structures", "(BODY BODYSTRUCTURE)", "Bb"},
	{"a whole message", "BODY[]", "[BODY[]]"},
	{"peek", "BODY.PEEK[]", "p[BODY[]]"},
	{"parts", "BODY[1.2.3]", "[BODY[1.2.3]]"},
	{"a part's header", "BODY[1.HEADER]", "[BODY[1.HEADER]]"},
	{"MIME", "BODY[2.mime]", "[BODY[2.MIME]]"},
	{"MIME without a part", "BODY[MIME]", NULL},
	{"the text", "BODY[TEXT]<0.100>", "[BODY[TEXT]<0>]"},
	{"the origin only is echoed", "body.peek[1]<0.393216>", "p[BODY[1]<0>]"},
	{"fields in order and case", "BODY[HEADER.FIELDS (SUBJECT from Date)]",
		"[BODY[HEADER.FIELDS (SUBJECT from Date)]]"},
	{"fields that need quotes", "BODY[HEADER.FIELDS (\"a b\")]",
		"[BODY[HEADER.FIELDS (\"a b\")]]"},
	{"fields without", "BODY[HEADER.FIELDS.NOT (To)]", "[BODY[HEADER.FIELDS.NOT (To)]]"},
	{"no fields", "BODY[HEADER.FIELDS ()]", NULL},
	{"part zero", "BODY[0]", NULL},
	{"a dot at the end", "BODY[1.]", NULL},
	{"an unknown section", "BODY[FOO]", NULL},
	{"an open section", "BODY[TEXT", NULL},
	{"a partial of no bytes", "BODY[]<0.0>", NULL},
	{"half a partial", "BODY[]<1.>", NULL},
	{"a partial beyond 32 bits", "BODY[]<0.4294967296>", NULL},
	{"the old names", "(RFC822 RFC822.HEADER RFC822.TEXT)",
		"[RFC822]p[RFC822.HEADER][RFC822.TEXT]"},
	{"changed since", "FLAGS (CHANGEDSINCE 12345)", "F>12345"},
	{"changed since zero, as iOS has it", "FLAGS (CHANGEDSINCE 0)", "F>0"},
	{"changed since, too large", "FLAGS (CHANGEDSINCE 9223372036854775808)", NULL},
	{"an unknown modifier", "FLAGS (FOO)", NULL},
	{"an unknown item", "FOO", NULL},
	{"an open list", "(FLAGS", NULL},
	{"an empty list", "()", NULL},
};

static void describe(const struct imap_fetch *fetch, struct buf *out)
{
	for (size_t i = 0; i < fetch->count; i++) {
		const struct imap_fetch_item *item = &fetch->items[i];
		if (item->kind != IMAP_FETCH_SECTION) {
			buf_append_char(out, "BbEFDM?SU"[item->kind]);
			continue;
		}
		if (item->peek)
			buf_append_char(out, 'p');
		buf_append_format(out, "[%.*s]", SPAN_ARGS(item->label));
	}
	if (fetch->changed_since_given)
		buf_append_format(out, ">%llu", (unsigned long long)fetch->changed_since);
}

static void parses_fetch(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(FETCHES); i++) {
		struct guard guard;
		struct imap_parser parser;
		struct imap_fetch fetch;
		struct buf out = BUF_INIT(1000);
		imap_parser_init(
			&parser, guard_copy(&guard, span_from_cstr(FETCHES[i].input)), &arena);
		bool ok = imap_parse_fetch(&parser, &fetch);
		if (ok)
			describe(&fetch, &out);
		if (ok != (FETCHES[i].expect != NULL) ||
			(ok && !span_equal(buf_span(&out), span_from_cstr(FETCHES[i].expect))))
			fail_msg("%s: %s", FETCHES[i].name, ok ? buf_cstr(&out) : "refused");
		buf_done(&out);
		guard_free(&guard);
	}
}

/* --- SEARCH --- */

static const struct {
	const char *name, *input;
	bool ok;
} SEARCHES[] = {
	{"all", "ALL", true},
	{"several keys", "UNSEEN SINCE 1-Feb-1994 NOT FROM \"Smith\"", true},
	{"a charset", "CHARSET UTF-8 TEXT {3}\r\nabc", true},
	{"a group", "(ALL (SEEN DELETED)) OR SEEN (FLAGGED)", true},
	{"a set", "2,4:* UNDELETED", true},
	{"UIDs", "UID 1:5", true},
	{"a header", "HEADER Message-ID <x@y>", true},
	{"a header that is there", "HEADER X \"\"", true},
	{"sizes", "LARGER 5 SMALLER 100", true},
	{"a keyword", "KEYWORD $Forwarded UNKEYWORD x", true},
	{"mod-sequence", "MODSEQ 620162338", true},
	{"mod-sequence with entry", "MODSEQ \"/flags/\\\\draft\" all 620162338", true},
	{"mod-sequence beyond 63 bits", "MODSEQ 9223372036854775808", false},
	{"a day that is not", "ON 31-Feb-2020", false},
	{"a leap day that is not", "ON 29-Feb-2023", false},
	{"a leap day that is", "ON 29-Feb-2024", true},
	{"an unknown key", "FOO", false},
	{"nothing", "", false},
	{"an open group", "(SEEN", false},
	{"an empty group", "()", false},
	{"OR with one key", "OR SEEN", false},
	{"NOT alone", "NOT", false},
	{"a number where a date should be", "SINCE 5", false},
	{"a size beyond 64 bits", "LARGER 99999999999999999999", false},
};

static void parses_search(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(SEARCHES); i++) {
		struct guard guard;
		struct imap_parser parser;
		struct imap_search search;
		imap_parser_init(
			&parser, guard_copy(&guard, span_from_cstr(SEARCHES[i].input)), &arena);
		if (imap_parse_search(&parser, &search) != SEARCHES[i].ok)
			fail_msg("%s", SEARCHES[i].name);
		guard_free(&guard);
	}
}

static bool search_of(const char *key, size_t count, const char *end)
{
	struct buf text = BUF_INIT(1024 * 1024);
	struct imap_parser parser;
	struct imap_search search;
	struct arena own;
	arena_init(&own, 4 * 1024 * 1024);
	for (size_t i = 0; i < count; i++)
		buf_append_cstr(&text, key);
	buf_append_cstr(&text, end);
	imap_parser_init(&parser, buf_span(&text), &own);
	bool ok = imap_parse_search(&parser, &search);
	buf_done(&text);
	arena_done(&own);
	return ok;
}

static void bounds_search(void **state)
{
	(void)state;
	assert_true(search_of("NOT ", 20, "SEEN"));
	assert_false(search_of("NOT ", 100000, "SEEN"));
	assert_false(search_of("(", 100000, "SEEN"));
	assert_false(search_of("OR ", 100000, "SEEN"));
	assert_true(search_of("SEEN ", 500, "SEEN"));
	assert_false(search_of("SEEN ", 100000, "SEEN"));
}

/* --- STORE, LIST, STATUS, ID, APPEND --- */

static bool parses(bool (*parse)(struct imap_parser *), const char *input)
{
	struct guard guard;
	struct imap_parser parser;
	imap_parser_init(&parser, guard_copy(&guard, span_from_cstr(input)), &arena);
	bool ok = parse(&parser);
	guard_free(&guard);
	return ok;
}

static bool store(struct imap_parser *parser)
{
	struct imap_store result;
	return imap_parse_store(parser, &result);
}

static bool list(struct imap_parser *parser)
{
	struct imap_list result;
	return imap_parse_list(parser, &result);
}

static bool status(struct imap_parser *parser)
{
	unsigned items;
	return imap_parse_status_items(parser, &items);
}

static bool id(struct imap_parser *parser)
{
	struct buf out = BUF_INIT(1000);
	bool ok = imap_parse_id(parser, &out);
	buf_done(&out);
	return ok;
}

static bool append(struct imap_parser *parser)
{
	struct imap_append result;
	return imap_parse_append(parser, &result);
}

static bool select_box(struct imap_parser *parser)
{
	struct imap_select result;
	return imap_parse_select(parser, &result);
}

static const struct {
	const char *name;
	bool (*parse)(struct imap_parser *);
	const char *input;
	bool ok;
} OTHERS[] = {
	{"set flags", store, "1:* FLAGS (\\Seen $Junk)", true},
	{"add without parentheses", store, "1 +FLAGS \\Seen \\Deleted", true},
	{"remove silently", store, "1 -FLAGS.SILENT ()", true},
	{"conditional", store, "1 (UNCHANGEDSINCE 5) FLAGS ()", true},
	{"unchanged since zero", store, "1 (UNCHANGEDSINCE 0) FLAGS ()", true},
	{"recent cannot be stored", store, "1 FLAGS (\\Recent)", false},
	{"an unknown system flag", store, "1 FLAGS (\\Foo)", false},
	{"the star flag", store, "1 FLAGS (\\*)", false},
	{"no flags", store, "1 FLAGS", false},
	{"a keyword with a brace", store, "1 FLAGS (a{b)", false},
	{"a plain list", list, " \"\" *", true},
	{"a list of patterns", list, " \"\" (INBOX \"Sent%\")", true},
	{"selection options", list, " (SUBSCRIBED RECURSIVEMATCH) \"\" * RETURN (CHILDREN)", true},
	{"special use", list, " (SPECIAL-USE) \"\" \"*\" RETURN (SPECIAL-USE SUBSCRIBED)", true},
	{"recursive match alone", list, " (RECURSIVEMATCH) \"\" *", false},
	{"an unknown option", list, " (FOO) \"\" *", false},
	{"an unknown return option", list, " \"\" * RETURN (FOO)", false},
	{"a list without a pattern", list, " \"\"", false},
	{"status items", status, "(MESSAGES UNSEEN UIDNEXT)", true},
	{"no status items", status, "()", false},
	{"an unknown status item", status, "(FOO)", false},
	{"ID NIL", id, "NIL", true},
	{"ID pairs", id, "(\"name\" \"x\" \"version\" NIL)", true},
	{"an empty ID", id, "()", true},
	{"half a pair", id, "(\"name\")", false},
	{"append", append, " INBOX {310}\r\n", true},
	{"append with flags and date", append, " x (\\Seen) \"07-Feb-1994 21:52:25 -0800\" {3}\r\n",
		true},
	{"append with a quoted name and no flags", append, " \"x y\" () {3+}\r\n", true},
	{"append with a bad date", append, " x \"32-Feb-1994 21:52:25 -0800\" {3}\r\n", false},
	{"append whose mailbox is still to come", append, " {5}\r\n", false},
	{"append of a quoted message", append, " x \"hello\"", false},
	{"append of literal8", append, " x ~{3}\r\n", false},
	{"select", select_box, " INBOX", true},
	{"select with CONDSTORE", select_box, " INBOX (CONDSTORE)", true},
	{"select with something unknown", select_box, " INBOX (FOO)", false},
	{"select of nothing", select_box, "", false},
};

static void parses_the_other_arguments(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(OTHERS); i++)
		if (parses(OTHERS[i].parse, OTHERS[i].input) != OTHERS[i].ok)
			fail_msg("%s", OTHERS[i].name);
}

static void inbox_has_one_name(void **state)
{
	(void)state;
	struct imap_parser parser;
	struct span name;
	imap_parser_init(&parser, SPAN("\"iNbOx\""), &arena);
	assert_true(imap_parse_mailbox(&parser, &name));
	assert_true(span_equal(name, SPAN("INBOX")));
}

/* --- dates and writing --- */

static void dates_go_both_ways(void **state)
{
	(void)state;
	static const char *const TEXTS[] = {"\"07-Feb-1994 21:52:25 -0800\"",
		"\"01-Jan-1970 00:00:00 +0000\"", "\"29-Feb-2024 23:59:59 +0530\"",
		"\"31-Dec-1969 12:00:00 +0000\""};
	static const int ZONES[] = {-480, 0, 330, 0};
	for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
		struct imap_parser parser;
		struct buf out = BUF_INIT(100);
		int64_t seconds;
		imap_parser_init(&parser, span_from_cstr(TEXTS[i]), &arena);
		assert_true(imap_parse_date_time(&parser, &seconds));
		imap_write_date_time(seconds, ZONES[i], &out);
		assert_string_equal(buf_cstr(&out), TEXTS[i]);
		buf_done(&out);
	}
}

static void writes_strings(void **state)
{
	(void)state;
	static const struct {
		struct span text;
		const char *string, *astring;
	} cases[] = {
		{SPAN("abc"), "\"abc\"", "abc"},
		{SPAN(""), "\"\"", "\"\""},
		{SPAN("a b"), "\"a b\"", "\"a b\""},
		{SPAN("a\"b\\c"), "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\""},
		{SPAN("a\nb"), "{3}\r\na\nb", "{3}\r\na\nb"},
		{SPAN("\xc3\xa4"), "{2}\r\n\xc3\xa4", "{2}\r\n\xc3\xa4"},
		{SPAN("nil"), "\"nil\"", "\"nil\""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT(100);
		imap_write_string(cases[i].text, &out);
		assert_string_equal(buf_cstr(&out), cases[i].string);
		buf_reset(&out);
		imap_write_astring(cases[i].text, &out);
		assert_string_equal(buf_cstr(&out), cases[i].astring);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_strings),
		cmocka_unit_test(parses_sets),
		cmocka_unit_test(refuses_a_set_without_end),
		cmocka_unit_test(writes_sets),
		cmocka_unit_test(parses_fetch),
		cmocka_unit_test(parses_search),
		cmocka_unit_test(bounds_search),
		cmocka_unit_test(parses_the_other_arguments),
		cmocka_unit_test(inbox_has_one_name),
		cmocka_unit_test(dates_go_both_ways),
		cmocka_unit_test(writes_strings),
	};
	return cmocka_run_group_tests(tests, open_arena, close_arena);
}
