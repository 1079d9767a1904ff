/* SMTP command lines: verbs, MAIL and RCPT with their parameters, BDAT.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "guard.h"
#include "smtp/chunk.h"
#include "smtp/command.h"

static void assert_span(const char *what, struct span got, const char *expected)
{
	if (!span_equal(got, span_from_cstr(expected)))
		fail_msg("%s: got \"%.*s\", expected \"%s\"", what, SPAN_ARGS(got), expected);
}

static void verbs(void **state)
{
	static const struct {
		const char *name, *line;
		enum smtp_verb verb;
		const char *arguments;
	} cases[] = {
		{"an empty line", "", SMTP_EMPTY, ""},
		{"only white space", " \t ", SMTP_EMPTY, ""},
		{"a verb alone", "QUIT", SMTP_QUIT, ""},
		{"lower case", "ehlo there", SMTP_EHLO, "there"},
		{"blanks around the argument", "HELO   a.b  ", SMTP_HELO, "a.b"},
		{"a tab behind the verb", "NOOP\tx", SMTP_NOOP, "x"},
		{"blanks before the verb", "  RSET", SMTP_RSET, ""},
		{"a longer word is not the verb", "DATAX", SMTP_UNKNOWN, ""},
		{"a header is unknown", "Subject: hello", SMTP_UNKNOWN, "hello"},
		{"a colon belongs to the argument", "MAIL FROM:<>", SMTP_MAIL, "FROM:<>"},
		{"LMTP", "LHLO x", SMTP_LHLO, "x"},
		{"chunks", "bdat 10 LAST", SMTP_BDAT, "10 LAST"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct guard guard;
		struct smtp_command command;
		smtp_command_parse(guard_copy(&guard, span_from_cstr(cases[i].line)), &command);
		if (command.verb != cases[i].verb)
			fail_msg("%s: %s", cases[i].name, smtp_verb_name(command.verb));
		assert_span(cases[i].name, command.arguments, cases[i].arguments);
		guard_free(&guard);
	}
	assert_true(smtp_name_is_header(SPAN("Subject:")));
	assert_true(smtp_name_is_header(SPAN("X-a:b")));
	assert_false(smtp_name_is_header(SPAN(":x")));
	assert_false(smtp_name_is_header(SPAN("GET")));
}

struct mail_case {
	const char *name, *arguments;
	unsigned flags;
	enum smtp_result result;
	const char *sender, *envid, *auth, *bad;
	uint64_t size;
	enum smtp_body body;
	enum smtp_ret ret;
	bool smtputf8;
};

static const struct mail_case mail_cases[] = {
	{.name = "the plain form", .arguments = "FROM:<a@b.c>", .sender = "a@b.c"},
	{.name = "the null sender", .arguments = "FROM:<>", .sender = ""},
	{.name = "lower case", .arguments = "from:<a@b.c>", .sender = "a@b.c"},
	{.name = "a space behind the colon", .arguments = "FROM: <a@b.c>", .sender = "a@b.c"},
	{.name = "a space before the colon", .arguments = "FROM :<a@b.c>", .sender = "a@b.c"},
	{.name = "a space before the colon, strict", .arguments = "FROM :<a@b.c>",
		.flags = SMTP_STRICT, .result = SMTP_RESULT_SYNTAX},
	{.name = "no angle brackets", .arguments = "FROM:a@b.c SIZE=5", .sender = "a@b.c", .size = 5},
	{.name = "no angle brackets, strict", .arguments = "FROM:a@b.c", .flags = SMTP_STRICT,
		.result = SMTP_RESULT_ADDRESS},
	{.name = "no domain", .arguments = "FROM:<root>", .sender = "root"},
	{.name = "a source route is stripped", .arguments = "FROM:<@x,@y:a@b.c>", .sender = "a@b.c"},
	{.name = "nothing", .arguments = "", .result = SMTP_RESULT_SYNTAX},
	{.name = "no colon", .arguments = "FROM <a@b.c>", .result = SMTP_RESULT_SYNTAX},
	{.name = "no address", .arguments = "FROM:", .result = SMTP_RESULT_SYNTAX},
	{.name = "TO instead", .arguments = "TO:<a@b.c>", .result = SMTP_RESULT_SYNTAX},
	{.name = "an open bracket", .arguments = "FROM:<a@b.c", .result = SMTP_RESULT_ADDRESS},
	{.name = "bytes behind the bracket", .arguments = "FROM:<a@b.c>SIZE=1",
		.result = SMTP_RESULT_ADDRESS},
	{.name = "size", .arguments = "FROM:<a@b.c> SIZE=1234", .sender = "a@b.c", .size = 1234},
	{.name = "size without a number", .arguments = "FROM:<a@b.c> SIZE=",
		.result = SMTP_RESULT_BAD_SIZE},
	{.name = "a negative size", .arguments = "FROM:<a@b.c> SIZE=-1",
		.result = SMTP_RESULT_BAD_SIZE},
	{.name = "a size beyond all bounds", .arguments = "FROM:<a@b.c> SIZE=99999999999999999999",
		.result = SMTP_RESULT_SIZE_OVERFLOW},
	{.name = "8 bit", .arguments = "FROM:<a@b.c> body=8bitmime", .sender = "a@b.c",
		.body = SMTP_BODY_8BITMIME},
	{.name = "7 bit", .arguments = "FROM:<a@b.c> BODY=7BIT", .sender = "a@b.c",
		.body = SMTP_BODY_7BIT},
	{.name = "binary", .arguments = "FROM:<a@b.c> BODY=BINARYMIME",
		.result = SMTP_RESULT_UNSUPPORTED, .bad = "BODY=BINARYMIME"},
	{.name = "return full", .arguments = "FROM:<> RET=FULL ENVID=Q+2B1", .sender = "",
		.ret = SMTP_RET_FULL, .envid = "Q+1"},
	{.name = "return headers", .arguments = "FROM:<> RET=hdrs", .sender = "",
		.ret = SMTP_RET_HEADERS},
	{.name = "return twice", .arguments = "FROM:<> RET=HDRS RET=HDRS",
		.result = SMTP_RESULT_BAD_RET},
	{.name = "return nonsense", .arguments = "FROM:<> RET=x", .result = SMTP_RESULT_BAD_RET},
	{.name = "no DSN", .arguments = "FROM:<> RET=HDRS", .flags = SMTP_NO_DSN,
		.result = SMTP_RESULT_DSN_DISABLED},
	{.name = "envelope id with a newline", .arguments = "FROM:<> ENVID=a+0Ab",
		.result = SMTP_RESULT_BAD_ENVID},
	{.name = "envelope id cut", .arguments = "FROM:<> ENVID=a+0",
		.result = SMTP_RESULT_BAD_ENVID},
	{.name = "auth", .arguments = "FROM:<a@b.c> AUTH=x+2By@z", .sender = "a@b.c",
		.auth = "x+y@z"},
	{.name = "auth unknown", .arguments = "FROM:<a@b.c> AUTH=<>", .sender = "a@b.c"},
	{.name = "auth twice", .arguments = "FROM:<a@b.c> AUTH=<> AUTH=<>",
		.result = SMTP_RESULT_AUTH_TWICE},
	{.name = "an unknown parameter", .arguments = "FROM:<a@b.c> FOO=BAR",
		.result = SMTP_RESULT_UNSUPPORTED, .bad = "FOO=BAR"},
	{.name = "UTF-8 declared", .arguments = "FROM:<\xc3\xa4@b.c> SMTPUTF8", .smtputf8 = true,
		.sender = "\xc3\xa4@b.c"},
	{.name = "UTF-8 not declared", .arguments = "FROM:<\xc3\xa4@b.c>",
		.result = SMTP_RESULT_NOT_UTF8},
	{.name = "UTF-8 tolerated", .arguments = "FROM:<\xc3\xa4@b.c>", .flags = SMTP_ANY_UTF8,
		.sender = "\xc3\xa4@b.c"},
	{.name = "UTF-8 switched off", .arguments = "FROM:<a@b.c> SMTPUTF8", .flags = SMTP_NO_UTF8,
		.result = SMTP_RESULT_UNSUPPORTED, .bad = "SMTPUTF8"},
	{.name = "SMTPUTF8 with a value", .arguments = "FROM:<a@b.c> SMTPUTF8=1",
		.result = SMTP_RESULT_UNSUPPORTED, .bad = "SMTPUTF8=1"},
};

static void mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mail_cases); i++) {
		const struct mail_case *c = &mail_cases[i];
		struct smtp_mail got = {0};
		struct arena arena;
		struct guard guard;
		arena_init(&arena, 64 * 1024);
		enum smtp_result result = smtp_mail_parse(
			guard_copy(&guard, span_from_cstr(c->arguments)), c->flags, &arena, &got);
		if (result != c->result)
			fail_msg("%s: result %d", c->name, result);
		if (result == SMTP_RESULT_UNSUPPORTED)
			assert_span(c->name, got.bad_parameter, c->bad);
		if (result == SMTP_RESULT_OK) {
			assert_span(c->name, got.sender.full, c->sender);
			assert_span(c->name, got.envid, c->envid == NULL ? "" : c->envid);
			assert_span(c->name, got.auth, c->auth == NULL ? "" : c->auth);
			assert_int_equal(got.size, c->size);
			assert_int_equal(got.body, c->body);
			assert_int_equal(got.ret, c->ret);
			assert_int_equal(got.smtputf8, c->smtputf8);
		}
		guard_free(&guard);
		arena_done(&arena);
	}
}

static void recipient(void **state)
{
	static const struct {
		const char *name, *arguments;
		unsigned flags;
		enum smtp_result result;
		const char *recipient, *orcpt, *bad;
		uint32_t notify;
	} cases[] = {
		{.name = "the plain form", .arguments = "TO:<a@b.c>", .recipient = "a@b.c"},
		{.name = "no brackets", .arguments = "TO:a@b.c", .recipient = "a@b.c"},
		{.name = "no brackets, strict", .arguments = "TO:a@b.c", .flags = SMTP_STRICT,
			.result = SMTP_RESULT_ADDRESS},
		{.name = "the null address", .arguments = "TO:<>", .result = SMTP_RESULT_ADDRESS},
		{.name = "an empty quoted string", .arguments = "TO:<\"\">",
			.result = SMTP_RESULT_ADDRESS},
		{.name = "no colon", .arguments = "TO <a@b.c>", .result = SMTP_RESULT_SYNTAX},
		{.name = "postmaster", .arguments = "TO:<Postmaster>", .recipient = "Postmaster"},
		{.name = "percent and bang mean nothing", .arguments = "TO:<v!u%x@b.c>",
			.recipient = "v!u%x@b.c"},
		{.name = "a quoted at sign stays in the local part", .arguments = "TO:<\"u@v\"@b.c>",
			.recipient = "u@v@b.c"},
		{.name = "never", .arguments = "TO:<a@b.c> NOTIFY=NEVER", .recipient = "a@b.c",
			.notify = SMTP_NOTIFY_NEVER},
		{.name = "a list", .arguments = "TO:<a@b.c> notify=success,DELAY,FAILURE",
			.recipient = "a@b.c",
			.notify = SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY | SMTP_NOTIFY_FAILURE},
		{.name = "never and another", .arguments = "TO:<a@b.c> NOTIFY=NEVER,DELAY",
			.result = SMTP_RESULT_BAD_NOTIFY},
		{.name = "notify empty", .arguments = "TO:<a@b.c> NOTIFY=",
			.result = SMTP_RESULT_BAD_NOTIFY},
		{.name = "notify trailing comma", .arguments = "TO:<a@b.c> NOTIFY=DELAY,",
			.result = SMTP_RESULT_BAD_NOTIFY},
		{.name = "notify twice", .arguments = "TO:<a@b.c> NOTIFY=DELAY NOTIFY=DELAY",
			.result = SMTP_RESULT_BAD_NOTIFY},
		{.name = "original recipient", .arguments = "TO:<a@b.c> ORCPT=rfc822;x+2By@z",
			.recipient = "a@b.c", .orcpt = "rfc822;x+y@z"},
		{.name = "original recipient without type", .arguments = "TO:<a@b.c> ORCPT=x@z",
			.result = SMTP_RESULT_BAD_ORCPT},
		{.name = "original recipient with a line end",
			.arguments = "TO:<a@b.c> ORCPT=rfc822;x+0D+0A",
			.result = SMTP_RESULT_BAD_ORCPT},
		{.name = "no DSN", .arguments = "TO:<a@b.c> NOTIFY=NEVER", .flags = SMTP_NO_DSN,
			.result = SMTP_RESULT_DSN_DISABLED},
		{.name = "unknown", .arguments = "TO:<a@b.c> X=Y", .result = SMTP_RESULT_UNSUPPORTED,
			.bad = "X=Y"},
		{.name = "UTF-8 in its transaction", .arguments = "TO:<\xc3\xa4@b.c>",
			.flags = SMTP_IN_UTF8, .recipient = "\xc3\xa4@b.c"},
		{.name = "UTF-8 elsewhere", .arguments = "TO:<\xc3\xa4@b.c>",
			.result = SMTP_RESULT_NOT_UTF8},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct smtp_rcpt got = {0};
		struct arena arena;
		struct guard guard;
		arena_init(&arena, 64 * 1024);
		enum smtp_result result = smtp_rcpt_parse(
			guard_copy(&guard, span_from_cstr(cases[i].arguments)), cases[i].flags,
			&arena, &got);
		if (result != cases[i].result)
			fail_msg("%s: result %d", cases[i].name, result);
		if (result == SMTP_RESULT_UNSUPPORTED)
			assert_span(cases[i].name, got.bad_parameter, cases[i].bad);
		if (result == SMTP_RESULT_OK) {
			assert_span(cases[i].name, got.recipient.full, cases[i].recipient);
			assert_span(cases[i].name, got.orcpt,
				cases[i].orcpt == NULL ? "" : cases[i].orcpt);
			assert_int_equal(got.notify, cases[i].notify);
		}
		guard_free(&guard);
		arena_done(&arena);
	}
}

static void chunks(void **state)
{
	static const struct {
		const char *name, *arguments;
		enum smtp_chunk_result result;
		uint64_t size;
		bool last;
	} cases[] = {
		{"a chunk", "10", SMTP_CHUNK_OK, 10, false},
		{"the last chunk", "10 last", SMTP_CHUNK_OK, 10, true},
		{"an empty last chunk", "0 LAST", SMTP_CHUNK_OK, 0, true},
		{"an empty chunk", "0", SMTP_CHUNK_NULL, 0, false},
		{"no size", "", SMTP_CHUNK_SYNTAX, 0, false},
		{"a negative size", "-1", SMTP_CHUNK_SYNTAX, 0, false},
		{"another word", "1 MORE", SMTP_CHUNK_SYNTAX, 0, false},
		{"too many words", "1 LAST 2", SMTP_CHUNK_SYNTAX, 0, false},
		{"beyond all bounds", "9223372036854775808", SMTP_CHUNK_SYNTAX, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct smtp_chunk chunk = {0};
		enum smtp_chunk_result result =
			smtp_chunk_parse(span_from_cstr(cases[i].arguments), &chunk);
		if (result != cases[i].result || chunk.size != cases[i].size ||
			chunk.last != cases[i].last)
			fail_msg("%s", cases[i].name);
	}
	struct smtp_chunk chunk;
	assert_int_equal(smtp_chunk_parse(SPAN("5"), &chunk), SMTP_CHUNK_OK);
	assert_span("first part", smtp_chunk_take(&chunk, SPAN("abc")), "abc");
	assert_span("second part", smtp_chunk_take(&chunk, SPAN("defgh")), "de");
	assert_int_equal(chunk.remaining, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs),
		cmocka_unit_test(mail),
		cmocka_unit_test(recipient),
		cmocka_unit_test(chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
