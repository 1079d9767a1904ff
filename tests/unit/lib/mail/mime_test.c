/* MIME structure, parameters, transfer encodings, encoded words, address lists.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/check.h"
#include "guard.h"
#include "mail/charset.h"
#include "mail/encoded_word.h"
#include "mail/mime.h"

/* "type/subtype[header,body,lines](children)" of a tree; sizes as sent. */
static void print_part(const struct mime_part *part, struct buf *out)
{
	buf_append_format(out, "%.*s/%.*s[%u,%u,%u]", SPAN_ARGS(part->type), SPAN_ARGS(part->subtype),
		(unsigned)part->header.crlf_size, (unsigned)part->body.crlf_size, part->body.lines);
	if (part->kind == MIME_SINGLE)
		return;
	buf_append_char(out, '(');
	for (const struct mime_part *child = part->first_child; child != NULL; child = child->next) {
		if (child != part->first_child)
			buf_append_char(out, ' ');
		print_part(child, out);
	}
	buf_append_char(out, ')');
}

struct mime_row {
	const char *what, *message, *tree;
};

static const struct mime_row mime_rows[] = {
	{"empty", "", "text/plain[0,0,0]"},
	{"header only", "Subject: x\r\n", "text/plain[12,0,0]"},
	{"LF counts as CRLF", "A: b\n\nhi\nho\n", "text/plain[8,8,2]"},
	{"two parts",
		"Content-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n--b\r\n\r\none\r\n--b\r\n"
		"Content-Type: text/html\r\n\r\ntwo\r\n\r\n--b--\r\nepilogue\r\n",
		"multipart/mixed[45,73,11](text/plain[2,3,0] text/html[27,5,1])"},
	{"close is missing", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n",
		"multipart/mixed[45,12,3](text/plain[2,5,1])"},
	{"no boundary line at all", "Content-Type: multipart/mixed; boundary=b\n\npreamble\n",
		"multipart/mixed[45,10,1]()"},
	{"no boundary parameter", "Content-Type: multipart/mixed\n\n--b\n\none\n",
		"multipart/mixed[33,12,3]()"},
	{"boundary is the beginning of another",
		"Content-Type: multipart/mixed; boundary=a\n\n--a\n"
		"Content-Type: multipart/mixed; boundary=\"aa\"\n\n--aa\n\nx\n--aa--\n--a--\n",
		"multipart/mixed[45,79,8](multipart/mixed[48,17,3](text/plain[2,1,0]))"},
	{"outer boundary ends the inner ones",
		"Content-Type: multipart/mixed; boundary=a\n\n--a\n"
		"Content-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--a\n\ny\n--a--\n",
		"multipart/mixed[45,77,10](multipart/mixed[45,8,2](text/plain[2,1,0]) text/plain[2,1,0])"},
	{"boundary right behind the header",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\n--b--\n",
		"multipart/mixed[45,12,2](text/plain[0,0,0])"},
	{"trailing white space on the boundary",
		"Content-Type: multipart/mixed; boundary=b\n\n--b \t\n\nx\n--b-- \n",
		"multipart/mixed[45,20,4](text/plain[2,1,0])"},
	{"message inside", "Content-Type: message/rfc822\n\nSubject: in\n\nbody\n",
		"message/rfc822[32,21,3](text/plain[15,6,1])"},
	{"message inside encoded is opaque",
		"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\neA==\n",
		"message/rfc822[67,6,1]"},
	{"multipart that only says it is encoded",
		"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: quoted-printable\n\n"
		"--b\n\none\n--b--\n",
		"multipart/mixed[90,19,4](text/plain[2,3,0])"},
	{"multipart that is encoded is opaque",
		"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\neA==\n",
		"multipart/mixed[80,6,1]"},
	{"empty message inside", "Content-Type: message/rfc822\n\n",
		"message/rfc822[32,0,0](text/plain[0,0,0])"},
	{"empty message inside a multipart",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n--b--\n",
		"multipart/mixed[45,44,4](message/rfc822[32,0,0](text/plain[0,0,0]))"},
	{"header of a message inside that a boundary cuts",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n--b--\n",
		"multipart/mixed[45,42,3](message/rfc822[28,0,0](text/plain[0,0,0]))"},
	{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\ny\n--b--\n",
		"multipart/digest[46,31,6](message/rfc822[2,15,2](text/plain[14,1,0]))"},
	{"nonsense type", "Content-Type: text\n\nx\n", "text/plain[22,3,1]"},
	{"type in upper case with comment", "Content-Type: (a) TEXT/HTML (b); x=y\n\nx",
		"text/html[40,1,0]"},
};

static void test_trees(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mime_rows); i++) {
		struct guard guard;
		struct span input = guard_copy(&guard, span_from_cstr(mime_rows[i].message));
		struct arena arena;
		struct mime_message message;
		struct buf out = BUF_INIT(10000);
		arena_init(&arena, 1 << 20);
		assert_true(mime_parse(input, &arena, &message));
		print_part(message.root, &out);
		if (!span_equal(buf_span(&out), span_from_cstr(mime_rows[i].tree)))
			fail_msg("%s: %s", mime_rows[i].what, buf_cstr(&out));
		assert_false(message.truncated);
		arena_done(&arena);
		buf_done(&out);
		guard_free(&guard);
	}
}

static const struct mime_part *child_at(const struct mime_part *part, uint32_t number)
{
	const struct mime_part *child = part->first_child;
	for (uint32_t i = 1; child != NULL && i < number; i++)
		child = child->next;
	return number == 0 ? NULL : child;
}

/* The part that IMAP calls path[0].path[1]...; a message that is not multipart is its own part 1
 * (RFC 3501 section 6.4.5). */
static const struct mime_part *part_at(
	const struct mime_part *root, const uint32_t *path, size_t depth)
{
	const struct mime_part *part = root;
	bool message = true; /* part is the content of a message: 1 names a lone body */
	for (size_t i = 0; i < depth && part != NULL; i++) {
		if (part->kind == MIME_MESSAGE && !message) {
			part = part->first_child;
			message = true;
		}
		if (part->kind == MIME_MULTIPART)
			part = child_at(part, path[i]);
		else if (!message || path[i] != 1)
			part = NULL;
		message = false;
	}
	return part;
}

static void test_part_numbers(void **state)
{
	(void)state;
	struct span text = SPAN(
		"Content-Type: multipart/mixed; boundary=a\n\n--a\n\none\n--a\n"
		"Content-Type: message/rfc822\n\nContent-Type: multipart/x; boundary=i\n\n"
		"--i\n\n2.1\n--i\n\n2.2\n--i--\n--a\nContent-Type: message/rfc822\n\nA: b\n\n3.1\n--a--\n");
	static const struct {
		uint32_t path[3];
		size_t depth;
		const char *body; /* NULL: no such part */
	} rows[] = {
		{{1}, 1, "one"}, {{2, 1}, 2, "2.1"}, {{2, 2}, 2, "2.2"}, {{3, 1}, 2, "3.1"},
		{{3}, 1, "A: b\n\n3.1"}, {{4}, 1, NULL}, {{0}, 1, NULL}, {{1, 1}, 2, NULL},
		{{3, 2}, 2, NULL}, {{2, 2, 1}, 3, NULL},
	};
	struct arena arena;
	struct mime_message message;
	arena_init(&arena, 1 << 20);
	assert_true(mime_parse(text, &arena, &message));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct mime_part *part = part_at(message.root, rows[i].path, rows[i].depth);
		assert_int_equal(part != NULL, rows[i].body != NULL);
		if (part != NULL)
			assert_true(span_equal(mime_extent_span(text, &part->body),
				span_from_cstr(rows[i].body)));
	}
	arena_reset(&arena);
	assert_true(mime_parse(SPAN("A: b\n\nc"), &arena, &message));
	assert_ptr_equal(part_at(message.root, (uint32_t[]){1}, 1), message.root);
	assert_null(part_at(message.root, (uint32_t[]){1, 1}, 2));
	arena_done(&arena);
}

static void append_times(struct buf *out, const char *text, int times)
{
	for (int i = 0; i < times; i++)
		buf_append_cstr(out, text);
}

static void check_bounded(struct span text, uint32_t most)
{
	struct arena arena;
	struct mime_message message;
	arena_init(&arena, 16 << 20);
	assert_true(mime_parse(text, &arena, &message));
	assert_true(message.truncated);
	assert_true(message.part_count <= most);
	arena_done(&arena);
}

static void test_limits(void **state)
{
	(void)state;
	struct buf text = BUF_INIT(4 << 20);
	append_times(&text, "Content-Type: message/rfc822\n\n", 10000);
	check_bounded(buf_span(&text), MIME_DEPTH_MAX);
	buf_reset(&text);
	append_times(&text, "Content-Type: multipart/x; boundary=b\n\n--b\n", 10000);
	check_bounded(buf_span(&text), MIME_DEPTH_MAX);
	buf_reset(&text);
	buf_append_cstr(&text, "Content-Type: multipart/x; boundary=b\n\n");
	append_times(&text, "--b\n", 100000);
	check_bounded(buf_span(&text), MIME_PARTS_MAX);
	struct arena small;
	struct mime_message message;
	arena_init(&small, 2000);
	assert_true(mime_parse(buf_span(&text), &small, &message));
	assert_true(message.truncated);
	arena_done(&small);
	buf_done(&text);
}

static void test_parameters(void **state)
{
	(void)state;
	static const struct {
		const char *value, *name, *plain, *text;
	} rows[] = {
		{"a/b; x=y", "x", "y", "y"},
		{"a/b; x=\"y; \\\"z\"; q=1", "x", "y; \"z", "y; \"z"},
		{"a/b; x = y (comment) ; z=1", "x", "y", "y"},
		{"a/b;;; x=y;", "x", "y", "y"},
		{"a/b; name*=iso-8859-1'en'gr%FC%DF", "name", NULL, "gr\xc3\xbc\xc3\x9f"},
		{"a/b; name*0*=utf-8''gr%C3; name*1*=%BC; name*2=\"a b\"", "name", NULL,
			"gr\xc3\xbc"
			"a b"},
		{"a/b; name*1=b; name*0=a; name*3=d", "name", "ab", "ab"},
		{"a/b; name=old; name*=utf-8''new", "name", "old", "new"},
		{"a/b; name=\"=?utf-8?Q?gr=C3=BC?=\"", "name",
			"=?utf-8?Q?gr=C3=BC?=", "gr\xc3\xbc"},
		{"a/b; name*1=b", "name", NULL, NULL},
		{"a/b; name", "name", NULL, NULL},
		{"a/b; name=\"unfinished", "name", "unfinished", "unfinished"},
		{"a/b; name=\"unfinished\\", "name", "unfinished\\", "unfinished\\"},
		{"", "name", NULL, NULL},
		{"a/b; name=(", "name", "", ""},
		{"a/b; name*=nocharset", "name", NULL, "nocharset"},
		{"a/b; name*=x'y", "name", NULL, ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct guard guard;
		struct span input = guard_copy(&guard, span_from_cstr(rows[i].value));
		struct arena arena;
		struct mime_value value;
		struct span plain = SPAN_EMPTY;
		struct buf text = BUF_INIT(1000);
		arena_init(&arena, 100000);
		mime_value_parse(input, &arena, &value);
		bool has_plain = mime_parameter_get(&value, span_from_cstr(rows[i].name), &plain);
		bool has_text = mime_parameter_text(&value, span_from_cstr(rows[i].name), &text);
		if (has_plain != (rows[i].plain != NULL) || has_text != (rows[i].text != NULL) ||
			!span_equal(plain, span_from_cstr(rows[i].plain)) ||
			!span_equal(buf_span(&text), span_from_cstr(rows[i].text)))
			fail_msg("%s: '%.*s' '%s'", rows[i].value, SPAN_ARGS(plain), buf_cstr(&text));
		arena_done(&arena);
		buf_done(&text);
		guard_free(&guard);
	}
}

static void test_many_parameters(void **state)
{
	(void)state;
	struct buf text = BUF_INIT(4 << 20);
	buf_append_cstr(&text, "a/b");
	for (int i = 0; i < 100000; i++)
		buf_append_format(&text, "; a*%d*=x", i);
	struct arena arena;
	struct mime_value value;
	arena_init(&arena, 100000);
	mime_value_parse(buf_span(&text), &arena, &value);
	assert_int_equal(value.parameter_count, 1);
	arena_done(&arena);
	buf_done(&text);
}

static void test_transfer(void **state)
{
	(void)state;
	static const struct {
		enum transfer_encoding encoding;
		const char *text, *plain;
	} rows[] = {
		{TRANSFER_BASE64, "aGVs\r\nbG8=", "hello"},
		{TRANSFER_BASE64, "aGVs*bG8", "hello"},
		{TRANSFER_BASE64, "aGk=aG8=", "hiho"},
		{TRANSFER_BASE64, "a", ""},
		{TRANSFER_QUOTED_PRINTABLE, "a=3Db=\r\nc  \r\nd=", "a=bc\r\nd"},
		{TRANSFER_QUOTED_PRINTABLE, "a= \t\nb", "ab"},
		{TRANSFER_QUOTED_PRINTABLE, "a=XYb=3", "a=XYb=3"},
		{TRANSFER_QUOTED_PRINTABLE, "=c3=bc=", "\xc3\xbc"},
		{TRANSFER_QUOTED_PRINTABLE, "a b  c   ", "a b  c"},
		{TRANSFER_QUOTED_PRINTABLE, "==3D=", "=="},
		{TRANSFER_7BIT, "a=3D", "a=3D"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct guard guard;
		struct span input = guard_copy(&guard, span_from_cstr(rows[i].text));
		struct buf whole = BUF_INIT(1000), pieces = BUF_INIT(1000);
		transfer_decode_all(rows[i].encoding, input, &whole);
		assert_string_equal(buf_cstr(&whole), rows[i].plain);
		struct transfer_decoder decoder;
		transfer_decoder_init(&decoder, rows[i].encoding);
		for (size_t at = 0; at < input.len; at++)
			transfer_decode(&decoder, span_part(input, at, 1), &pieces);
		transfer_decode_end(&decoder, &pieces);
		assert_true(span_equal(buf_span(&whole), buf_span(&pieces)));
		buf_done(&whole);
		buf_done(&pieces);
		guard_free(&guard);
	}
}

static void test_encoded_words(void **state)
{
	(void)state;
	static const struct {
		const char *value, *text;
	} rows[] = {
		{" =?iso-8859-1?Q?gr=FC=DF?= you", "gr\xc3\xbc\xc3\x9f you"},
		{"=?utf-8?B?Z3LDvA==?= =?utf-8?Q?=C3=9F?=", "gr\xc3\xbc\xc3\x9f"},
		{"=?utf-8?Q?gr=C3?=\r\n =?utf-8?Q?=BC?=", "gr\xc3\xbc"},
		{"=?utf-8?Q?a_b?=x", "a bx"},
		{"=?utf-8*en?Q?a?=", "a"},
		{"=?utf-8?Q?a", "=?utf-8?Q?a"},
		{"=?x?Q?", "=?x?Q?"},
		{"=?nonsense?Q?a=41?=", "aA"},
		{"=?utf-8?X?a?=", "=?utf-8?X?a?="},
		{"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac"},
		{"=?gb2312?B?xOO6ww==?=", "\xe4\xbd\xa0\xe5\xa5\xbd"},
		{"raw gr\xfc", "raw gr\xef\xbf\xbd"},
		{"a\r\n b", "a b"},
		{"=?utf-8?Q?a=0D=0Ab=00?=", "a  b "},
		{"", ""},
		{"=?", "=?"},
		{"=??Q?a?=", "=??Q?a?="},
		{"=?utf-8?B?!!!?= x", " x"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct guard guard;
		struct span input = guard_copy(&guard, span_from_cstr(rows[i].value));
		struct buf out = BUF_INIT(1000);
		encoded_word_decode(input, &out);
		if (!span_equal(buf_span(&out), span_from_cstr(rows[i].text)))
			fail_msg("%s: '%s'", rows[i].value, buf_cstr(&out));
		buf_done(&out);
		guard_free(&guard);
	}
}

/* "name|route|mailbox|host" joined by ", "; '-' for absent; "mailbox{" and "}" are group marks. */
static void print_list(const struct address_list *list, struct buf *out)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct address_item *m = &list->items[i];
		buf_append_cstr(out, i > 0 ? ", " : "");
		if (m->kind == ADDRESS_GROUP_END) {
			buf_append_char(out, '}');
		} else if (m->kind == ADDRESS_GROUP_START) {
			buf_append(out, m->mailbox);
			buf_append_char(out, '{');
		} else {
			buf_append(out, m->has_name ? m->name : SPAN("-"));
			buf_append_char(out, '|');
			buf_append(out, m->has_route ? m->route : SPAN("-"));
			buf_append_format(out, "|%.*s|%.*s", SPAN_ARGS(m->mailbox), SPAN_ARGS(m->host));
		}
	}
}

static void test_address_lists(void **state)
{
	(void)state;
	static const struct {
		const char *value, *list;
	} rows[] = {
		{"a@b", "-|-|a|b"},
		{" A B <a@b>, c@d", "A B|-|a|b, -|-|c|d"},
		{"\"B, A\" <a@b>", "B, A|-|a|b"},
		{"a@b (A \\) B (nested))", "A ) B (nested)|-|a|b"},
		{"Friends: a@b, C <c@d>;, e@f", "Friends{, -|-|a|b, C|-|c|d, }, -|-|e|f"},
		{"undisclosed-recipients:;", "undisclosed-recipients{, }"},
		{"a:b:c;", "a{, -|-|c|, }"},
		{"a: b@c", "a{, -|-|b|c, }"},
		{"<@x,@y:a@b>", "-|@x,@y|a|b"},
		{"a . b @ c . d", "-|-|a.b|c.d"},
		{"\"a b\"@c", "-|-|a b|c"},
		{"a@[192.0.2.1]", "-|-|a|[192.0.2.1]"},
		{"just a name", "-|-|just a name|"},
		{"<>", "-|-||"},
		{"<a@b", "-|-|a|b"},
		{"foo@bar <a@b>", "foo@bar|-|a|b"},
		{"a@b c@d, e@f", "-|-|a|b, -|-|e|f"},
		{"=?utf-8?Q?x?= <a@b>", "=?utf-8?Q?x?=|-|a|b"},
		{"A.B. <a@b>", "A.B.|-|a|b"},
		{"[list] x <a@b>", "[list] x|-|a|b"},
		{",,, ,a@b,,", "-|-|a|b"},
		{"((((((((", ""},
		{"\"unfinished", "-|-|unfinished|"},
		{"<@host>", "-|-||host"},
		{"a\r\n @b", "-|-|a|b"},
		{"gr\xc3\xbc <a@b>", "gr\xc3\xbc|-|a|b"},
		{")", ""},
		{"", ""},
		{"\\", "-|-|\\|"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct guard guard;
		struct span input = guard_copy(&guard, span_from_cstr(rows[i].value));
		struct arena arena;
		struct address_list list;
		struct buf out = BUF_INIT(1000);
		arena_init(&arena, 100000);
		address_list_parse(input, 100, &arena, &list);
		print_list(&list, &out);
		if (!span_equal(buf_span(&out), span_from_cstr(rows[i].list)))
			fail_msg("%s: '%s'", rows[i].value, buf_cstr(&out));
		arena_done(&arena);
		buf_done(&out);
		guard_free(&guard);
	}
}

static void test_many_addresses(void **state)
{
	(void)state;
	struct buf text = BUF_INIT(4 << 20);
	append_times(&text, "a@b,", 200000);
	struct arena arena;
	struct address_list list;
	arena_init(&arena, 8 << 20);
	address_list_parse(buf_span(&text), 5000, &arena, &list);
	assert_int_equal(list.count, 5000);
	assert_true(list.truncated);
	arena_done(&arena);
	buf_done(&text);
}

static void test_mailbox_format(void **state)
{
	(void)state;
	struct address_item mailbox = {.has_name = true,
		.name = SPAN("B, \"A\""),
		.mailbox = SPAN("a b"),
		.host = SPAN("c")};
	struct buf out = BUF_INIT(100);
	address_item_format(&mailbox, &out);
	assert_string_equal(buf_cstr(&out), "\"B, \\\"A\\\"\" <\"a b\"@c>");
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees), cmocka_unit_test(test_part_numbers),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_many_parameters), cmocka_unit_test(test_transfer),
		cmocka_unit_test(test_encoded_words),
		cmocka_unit_test(test_address_lists), cmocka_unit_test(test_many_addresses),
		cmocka_unit_test(test_mailbox_format),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
