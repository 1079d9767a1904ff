/* The client's side of SMTP's grammar: replies, EHLO offers, outgoing content.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "guard.h"
#include "smtp/content.h"
#include "smtp/extension.h"
#include "smtp/reply.h"

static void test_lines(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		enum smtp_reply_result result;
		unsigned code;
		const char *text;
	} rows[] = {
		{"250 ok\r\n", SMTP_REPLY_DONE, 250, "250 ok"},
		{"250-ok\r\n", SMTP_REPLY_MORE, 250, "250-ok"},
		{"250\r\n", SMTP_REPLY_DONE, 250, "250"},
		{"250 \n", SMTP_REPLY_DONE, 250, "250"},
		{"250", SMTP_REPLY_DONE, 250, "250"},
		{"25\r\n", SMTP_REPLY_BAD, 0, ""},
		{"\r\n", SMTP_REPLY_BAD, 0, ""},
		{"", SMTP_REPLY_BAD, 0, ""},
		{"abc ok", SMTP_REPLY_BAD, 0, ""},
		{"150 ok", SMTP_REPLY_BAD, 0, ""},
		{"600 ok", SMTP_REPLY_BAD, 0, ""},
		{"2500 ok", SMTP_REPLY_BAD, 0, ""},
		{"250_ok", SMTP_REPLY_BAD, 0, ""},
		{"+25 ok", SMTP_REPLY_BAD, 0, ""},
		{"550 a\tb\x01", SMTP_REPLY_DONE, 550, "550 a?b?"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct guard guard;
		struct smtp_reply reply;
		smtp_reply_init(&reply);
		assert_int_equal(smtp_reply_add(&reply, guard_copy(&guard, span_from_cstr(rows[i].line))),
			rows[i].result);
		if (rows[i].result != SMTP_REPLY_BAD) {
			assert_int_equal(reply.code, rows[i].code);
			assert_string_equal(buf_cstr(&reply.text), rows[i].text);
		}
		smtp_reply_done(&reply);
		guard_free(&guard);
	}
}

static void test_many_lines(void **state)
{
	(void)state;
	struct smtp_reply reply;
	smtp_reply_init(&reply);
	assert_int_equal(smtp_reply_add(&reply, SPAN("550-5.7.1 first")), SMTP_REPLY_MORE);
	assert_int_equal(smtp_reply_add(&reply, SPAN("550 5.1.1 last")), SMTP_REPLY_DONE);
	assert_string_equal(buf_cstr(&reply.text), "550-5.7.1 first 550 5.1.1 last");
	assert_true(reply.status.class == 5 && reply.status.subject == 1 && reply.status.detail == 1);
	smtp_reply_reset(&reply);
	enum smtp_reply_result result = SMTP_REPLY_MORE;
	size_t lines = 0;
	while (result == SMTP_REPLY_MORE && lines < 100000) {
		result = smtp_reply_add(&reply, SPAN("250-a line that never ends the reply it stands in"));
		lines++;
	}
	assert_int_equal(result, SMTP_REPLY_BAD);
	assert_true(lines <= SMTP_REPLY_LINES_MAX + 1 && reply.text.len <= SMTP_REPLY_TEXT_MAX);
	smtp_reply_done(&reply);
}

static void test_offer(void **state)
{
	(void)state;
	static const char *lines[] = {"mx.example.com greets you", "PIPELINING", "size 1000",
		"SIZE x", "AUTH PLAIN login", "AUTH=CRAM-MD5", "AUTH BAD!MECH", "X-UNKNOWN a b",
		"8bitmime", "", "DSN"};
	struct smtp_offer offer;
	smtp_offer_init(&offer);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		smtp_offer_add(&offer, span_from_cstr(lines[i]), i == 0);
	assert_string_equal(buf_cstr(&offer.host), "mx.example.com");
	assert_string_equal(buf_cstr(&offer.mechanisms), "PLAIN LOGIN CRAM-MD5");
	assert_true(offer.size_limit == 1000);
	assert_int_equal(offer.extensions, SMTP_EXTENSION_PIPELINING | SMTP_EXTENSION_SIZE |
			SMTP_EXTENSION_AUTH | SMTP_EXTENSION_8BITMIME | SMTP_EXTENSION_DSN);
	for (int i = 0; i < 1000; i++)
		smtp_offer_add(&offer, SPAN("AUTH SCRAM-SHA-256"), false);
	assert_true(offer.mechanisms.len <= SMTP_AUTH_MECHANISMS_MAX && !offer.mechanisms.overflow);
	smtp_offer_done(&offer);
}

static void test_content(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
		size_t limit;
	} rows[] = {
		{"", ".\r\n", 0},
		{"a", "a\r\n.\r\n", 0},
		{"a\n", "a\r\n.\r\n", 0},
		{"a\r\n", "a\r\n.\r\n", 0},
		{".", "..\r\n.\r\n", 0},
		{".\n..\n", "..\r\n...\r\n.\r\n", 0},
		{"a\rb", "a b\r\n.\r\n", 0},
		{"\r", " \r\n.\r\n", 0},
		{"a\r\r\n", "a \r\n.\r\n", 0},
		{"\n\r\n.\r\n", "\r\n\r\n..\r\n.\r\n", 0},
		{"a\n\r.\n", "a\r\n .\r\n.\r\n", 0},
		{"\r.\r", " . \r\n.\r\n", 0},
		{"abcdefghij", "abcdefgh\r\n ij\r\n.\r\n", 8},
		{"abcdefgh\nx", "abcdefgh\r\nx\r\n.\r\n", 8},
		{"abcdefgh.", "abcdefgh\r\n .\r\n.\r\n", 8},
		{"abc\n.d\nef\r\n\nabcdefghi\n", "abc\r\n..d\r\nef\r\n\r\nabcdefgh\r\n i\r\n.\r\n", 8},
		{"abc\nd\re\n\rf\n", "abc\r\nd e\r\n f\r\n.\r\n", 0},
		{"abcdef\xc3\xbc", "abcdef\r\n \xc3\xbc\r\n.\r\n", 8},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct guard guard;
		struct span input = guard_copy(&guard, span_from_cstr(rows[i].in));
		struct buf whole = BUF_INIT(1000), pieces = BUF_INIT(1000);
		struct smtp_content content;
		smtp_content_init(&content, rows[i].limit);
		smtp_content_encode(&content, input, &whole);
		smtp_content_end(&content, &whole);
		assert_string_equal(buf_cstr(&whole), rows[i].out);
		smtp_content_init(&content, rows[i].limit);
		for (size_t at = 0; at < input.len; at++)
			smtp_content_encode(&content, span_part(input, at, 1), &pieces);
		smtp_content_end(&content, &pieces);
		assert_string_equal(buf_cstr(&pieces), rows[i].out);
		buf_done(&whole);
		buf_done(&pieces);
		guard_free(&guard);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines), cmocka_unit_test(test_many_lines),
		cmocka_unit_test(test_offer), cmocka_unit_test(test_content),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
