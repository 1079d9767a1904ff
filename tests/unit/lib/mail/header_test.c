/* Header fields, dates, status codes, xtext, Received.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "guard.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/received.h"
#include "mail/status.h"
#include "mail/xtext.h"

static void test_fields(void **state)
{
	(void)state;
	struct guard guard;
	struct span input =
		guard_copy(&guard, SPAN("From: a\r\nSubject : one\r\n\ttwo\nno colon\n cont\n"
					"X:\n\nBody: no\n"));
	static const struct {
		const char *name, *value;
		bool valid;
	} rows[] = {
		{"From", " a", true}, {"Subject", " one\r\n\ttwo", true}, {"", "no colon", false},
		{"", " cont", false}, {"X", "", true},
	};
	struct header_reader reader;
	struct header_field field;
	header_reader_init(&reader, input);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(header_next(&reader, &field), HEADER_FIELD);
		assert_int_equal(field.valid, rows[i].valid);
		assert_true(span_equal(field.name, span_from_cstr(rows[i].name)));
		assert_true(span_equal(field.value, span_from_cstr(rows[i].value)));
	}
	assert_int_equal(header_next(&reader, &field), HEADER_END);
	assert_true(span_equal(span_skip(input, reader.offset), SPAN("Body: no\n")));
	assert_int_equal(header_length(input), reader.offset);
	guard_free(&guard);
}

static void test_fields_of_one_name(void **state)
{
	(void)state;
	struct guard guard;
	struct span input = guard_copy(&guard,
		SPAN("To: a\r\nTo-Do: b\r\n To: c\nto\t: d\r\n\te\r\nTo\nTO: f\r\n\r\nTo: body\n"));
	static const char *const values[] = {" a", " d\r\n\te", " f"};
	struct header_reader reader;
	struct header_field field;
	header_reader_init(&reader, input);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		assert_int_equal(header_next_named(&reader, SPAN("to"), &field), HEADER_FIELD);
		assert_true(span_equal(field.value, span_from_cstr(values[i])));
	}
	assert_int_equal(header_next_named(&reader, SPAN("to"), &field), HEADER_END);
	assert_true(span_equal(span_skip(input, reader.offset), SPAN("To: body\n")));
	header_reader_init(&reader, span_head(input, 4));
	assert_int_equal(header_next_named(&reader, SPAN("cc"), &field), HEADER_END_OF_INPUT);
	guard_free(&guard);
}

static void test_header_without_end(void **state)
{
	(void)state;
	static const char *inputs[] = {"A: b", "A: b\r", "A: b\r\n c", "A", ":", "A:", "\tx", "\r"};
	for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
		struct guard guard;
		struct span input = guard_copy(&guard, span_from_cstr(inputs[i]));
		struct header_reader reader;
		struct header_field field;
		size_t count = 0;
		header_reader_init(&reader, input);
		while (header_next(&reader, &field) == HEADER_FIELD)
			count++;
		assert_int_equal(count, inputs[i][0] != '\r');
		guard_free(&guard);
	}
}

static void test_unfold(void **state)
{
	(void)state;
	struct buf out = BUF_INIT(100);
	header_unfold(SPAN(" one\r\n two\n\tthree \r\n "), &out);
	assert_string_equal(buf_cstr(&out), "one two\tthree");
	buf_reset(&out);
	header_unfold_clean(span_new("a\0b\rc", 5), &out);
	assert_string_equal(buf_cstr(&out), "a b c");
	buf_done(&out);
}

static void test_dates(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool good;
		int64_t seconds;
		int32_t zone;
	} rows[] = {
		{"Sun, 22 Nov 2026 07:23:48 +0000", true, 1795332228, 0},
		{"22 Nov 2026 07:23:48 +0100", true, 1795328628, 60},
		{"Sun, 22 Nov 2026 07:23 -0530 (IST)", true, 1795352000 - 20, -330},
		{"Thu, 1 Jan 1970 00:00:00 GMT", true, 0, 0},
		{"1 Jan 70 00:00:00 EST", true, 5 * 3600, -300},
		{"1 Jan 049 00:00:00 Z", true, -662688000, 0},
		{"22-Nov-2026 07:23:48", true, 1795332228, 0},
		{"Sun Nov 22 07:23:48 2026", true, 1795332228, 0},
		{"Sun Nov 22 07:23:48 CET 2026", true, 1795332228, 0},
		{"(a (nested) comment) 22 (x) Nov 2026 07:23:48 +0000", true, 1795332228, 0},
		{"29 Feb 2024 00:00:00 +0000", true, 1709164800, 0},
		{"29 Feb 2023 00:00:00 +0000", false, 0, 0},
		{"31 Dec 2016 23:59:60 +0000", true, 1483228800, 0},
		{"22 Nov 2026 24:00:00 +0000", false, 0, 0},
		{"22 Nov 99999 07:23:48 +0000", false, 0, 0},
		{"22 Nov 2026 07:23:48 +9999", true, 1795332228, 0},
		{"22 Nov 2026 07:23:48 +9959", true, 1795332228 - 5999 * 60, 5999},
		{"22 Nov 2026 07:23:48 XYZ", true, 1795332228, 0},
		{"0 Nov 2026 07:23:48", false, 0, 0},
		{"", false, 0, 0},
		{"(", false, 0, 0},
		{"yesterday", false, 0, 0},
		{"22 Nov", false, 0, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct guard guard;
		struct span input = guard_copy(&guard, span_from_cstr(rows[i].text));
		struct mail_date date = {0, 0};
		bool good = mail_date_parse(input, &date);
		if (good != rows[i].good || date.seconds != rows[i].seconds || date.zone != rows[i].zone)
			fail_msg("%s: %d %lld %d", rows[i].text, good, (long long)date.seconds, date.zone);
		guard_free(&guard);
	}
}

static void test_date_round_trip(void **state)
{
	(void)state;
	for (int64_t seconds = -40000000000; seconds < 200000000000; seconds += 86413 * 7919LL) {
		struct mail_date date = {seconds, (int32_t)(seconds % 720)}, again;
		struct buf out = BUF_INIT(100);
		mail_date_format(date, &out);
		assert_true(mail_date_parse(buf_span(&out), &again));
		assert_true(again.seconds == date.seconds && again.zone == date.zone);
		buf_done(&out);
	}
}

static void test_status(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool good;
		const char *rest;
	} rows[] = {
		{"5.1.1 no such user", true, "no such user"},
		{"2.0.0", true, ""},
		{"4.999.999 x", true, "x"},
		{"5.7.", false, ""},
		{"5.7", false, ""},
		{"5.1.1000", false, ""},
		{"3.1.1", false, ""},
		{"5.1.1x", false, ""},
		{"", false, ""},
		{"5..1", false, ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct guard guard;
		struct span input = guard_copy(&guard, span_from_cstr(rows[i].text));
		struct mail_status status;
		struct span rest = SPAN_EMPTY;
		assert_int_equal(mail_status_parse(input, &status, &rest), rows[i].good);
		assert_true(span_equal(rest, span_from_cstr(rows[i].rest)));
		guard_free(&guard);
	}
	struct mail_status status = mail_status_of_reply(550, SPAN("4.1.1 odd"), NULL);
	assert_true(status.class == 5 && status.subject == 0 && status.detail == 0);
	status = mail_status_of_reply(450, SPAN("4.7.1 later"), NULL);
	assert_true(status.class == 4 && status.subject == 7 && status.detail == 1);
}

static void test_xtext(void **state)
{
	(void)state;
	struct buf out = BUF_INIT(200);
	xtext_encode(SPAN("a+b=c d\n"), &out);
	assert_string_equal(buf_cstr(&out), "a+2Bb+3Dc+20d+0A");
	static const char *bad[] = {"a+", "a+2", "a+00", "a+0A", "a=b", "a b", "+GG", "\xc3\xbc"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		buf_reset(&out);
		struct guard guard;
		struct span input = guard_copy(&guard, span_from_cstr(bad[i]));
		assert_false(xtext_decode(input, &out));
		assert_int_equal(out.len, 0);
		guard_free(&guard);
	}
	buf_reset(&out);
	assert_true(xtext_decode(SPAN("a+2Bb"), &out));
	assert_string_equal(buf_cstr(&out), "a+b");
	buf_done(&out);
}

static void test_orcpt(void **state)
{
	(void)state;
	static const struct {
		const char *sent, *inside, *again; /* inside NULL: refused */
	} rows[] = {
		{"rfc822;a+2Bb@c.example", "rfc822;a+b@c.example", "rfc822;a+2Bb@c.example"},
		{"utf-8;gr\\x{FC}@c.example", "utf-8;gr\xc3\xbc@c.example", "utf-8;gr\\x{FC}@c.example"},
		{"utf-8;gr\xc3\xbc@c.example", "utf-8;gr\xc3\xbc@c.example", "utf-8;gr\\x{FC}@c.example"},
		{"utf-8;\\x{110000}", NULL, NULL}, {"utf-8;\\x{A}", NULL, NULL}, {"rfc822;", NULL, NULL},
		{"rfc822", NULL, NULL}, {";a", NULL, NULL}, {"rfc822;a+00", NULL, NULL},
		{"utf-8;\\x{", NULL, NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf inside = BUF_INIT(200), again = BUF_INIT(200);
		bool good = orcpt_decode(span_from_cstr(rows[i].sent), &inside);
		assert_int_equal(good, rows[i].inside != NULL);
		if (good) {
			assert_string_equal(buf_cstr(&inside), rows[i].inside);
			orcpt_encode(buf_span(&inside), false, &again);
			assert_string_equal(buf_cstr(&again), rows[i].again);
		}
		buf_done(&inside);
		buf_done(&again);
	}
}

static void test_received(void **state)
{
	(void)state;
	struct received received = {.helo = SPAN("evil)\r\nX: y"), .client_name = SPAN("unknown"),
		.client_address = SPAN("2001:db8::1"), .tls_summary = SPAN("using TLSv1.3"),
		.host = SPAN("mx.example"), .mail_name = SPAN("Tambo"), .protocol = SPAN("ESMTPS"),
		.queue_id = SPAN("4ABC"), .recipient = SPAN("a b@c"), .submitter_uid = -1};
	struct buf out = BUF_INIT(1000);
	received_format(&received, "\r\n", &out);
	assert_string_equal(buf_cstr(&out),
		"Received: from evil???X:?y (unknown [IPv6:2001:db8::1])\r\n\t(using TLSv1.3)\r\n"
		"\tby mx.example (Tambo) with ESMTPS id 4ABC\r\n"
		"\tfor <\"a b\"@c>; Thu, 1 Jan 1970 00:00:00 +0000\r\n");
	buf_reset(&out);
	received.recipient = SPAN_EMPTY;
	received.protocol = SPAN_EMPTY;
	received.submitter_uid = 7;
	received_format(&received, "\n", &out);
	assert_string_equal(buf_cstr(&out), "Received: by mx.example (Tambo, from userid 7)\n"
					    "\tid 4ABC; Thu, 1 Jan 1970 00:00:00 +0000\n");
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields), cmocka_unit_test(test_fields_of_one_name),
		cmocka_unit_test(test_header_without_end),
		cmocka_unit_test(test_unfold), cmocka_unit_test(test_dates),
		cmocka_unit_test(test_date_round_trip), cmocka_unit_test(test_status),
		cmocka_unit_test(test_xtext), cmocka_unit_test(test_orcpt),
		cmocka_unit_test(test_received),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
