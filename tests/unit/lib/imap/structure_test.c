/* ENVELOPE and BODYSTRUCTURE text.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "imap/structure.h"

static void test_envelope(void **state)
{
	(void)state;
	static const struct {
		const char *header, *text;
	} rows[] = {
		{"Date: Sun, 22 Nov 2026 07:23:48 +0000\r\nSubject: a \"b\" \\\r\n c\r\nFrom: A B <a@b>\r\n"
		 "To: G: x@y;\r\nMessage-ID: <1@2>\r\n\r\n",
			"(\"Sun, 22 Nov 2026 07:23:48 +0000\" \"a \\\"b\\\" \\\\ c\" ((\"A B\" NIL \"a\" \"b\")) "
			"((\"A B\" NIL \"a\" \"b\")) ((\"A B\" NIL \"a\" \"b\")) "
			"((NIL NIL \"G\" NIL)(NIL NIL \"x\" \"y\")(NIL NIL NIL NIL)) NIL NIL NIL \"<1@2>\")"},
		{"", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"Subject: \nFrom: a\nSender: <>\n\n",
			"(NIL \"\" ((NIL NIL \"a\" \"MISSING_DOMAIN\")) "
			"((NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")) "
			"((NIL NIL \"a\" \"MISSING_DOMAIN\")) NIL NIL NIL NIL NIL)"},
		{"Subject: gr\xc3\xbc\nTo: a@b\nTo: c@d\nSubject: second\n\n",
			"(NIL {4}\r\ngr\xc3\xbc NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) "
			"NIL NIL NIL NIL)"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena;
		struct envelope envelope;
		struct buf out = BUF_INIT(10000);
		arena_init(&arena, 100000);
		envelope_parse(span_from_cstr(rows[i].header), &arena, &envelope);
		imap_write_envelope(&envelope, &out);
		assert_string_equal(buf_cstr(&out), rows[i].text);
		arena_done(&arena);
		buf_done(&out);
	}
}

static void test_bodystructure(void **state)
{
	(void)state;
	static const struct {
		const char *message, *text, *extended;
	} rows[] = {
		{"A: b\n\nhi\n",
			"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 1)",
			"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 1 NIL NIL NIL NIL)"},
		{"Content-Type: multipart/mixed\n\nx",
			"((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"mixed\")",
			"((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL) "
			"\"mixed\" NIL NIL NIL NIL)"},
		{"Content-Type: multipart/mixed; boundary=\"b\"\nContent-Language: en, de\n"
		 "\n--b\n\nx\n--b\n"
		 "Content-Type: image/png; name=\"a \\\"q.png\"\nContent-Transfer-Encoding: BASE64 (x)\n"
		 "Content-ID: <i@d>\nContent-Disposition: attachment; filename*=utf-8''%C3%BC\n\nAA==\n--b--\n",
			"((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0)"
			"(\"image\" \"png\" (\"name\" \"a \\\"q.png\") \"<i@d>\" NIL \"base64\" 4) \"mixed\")",
			"((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL)"
			"(\"image\" \"png\" (\"name\" \"a \\\"q.png\") \"<i@d>\" NIL \"base64\" 4 NIL "
			"(\"attachment\" (\"filename*\" \"utf-8''%C3%BC\")) NIL NIL) \"mixed\" "
			"(\"boundary\" \"b\") NIL (\"en\" \"de\") NIL)"},
		{"Content-Type: message/rfc822\n\nSubject: in\n\nx\n",
			"(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 18 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
			"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1) 3)",
			"(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 18 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
			"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1 NIL NIL NIL NIL) 3 "
			"NIL NIL NIL NIL)"},
		{"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\neA==\n",
			"(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 6)",
			"(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 6 NIL NIL NIL NIL)"},
		{"Content-Type: text/x; a=\"\"; b\nContent-Transfer-Encoding:\n\n",
			"(\"text\" \"x\" (\"a\" \"\") NIL NIL \"7bit\" 0 0)",
			"(\"text\" \"x\" (\"a\" \"\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena;
		struct mime_message message;
		struct buf out = BUF_INIT(10000);
		arena_init(&arena, 100000);
		assert_true(mime_parse(span_from_cstr(rows[i].message), &arena, &message));
		imap_write_bodystructure(message.root, false, &out);
		assert_string_equal(buf_cstr(&out), rows[i].text);
		buf_reset(&out);
		imap_write_bodystructure(message.root, true, &out);
		assert_string_equal(buf_cstr(&out), rows[i].extended);
		arena_done(&arena);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_bodystructure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
