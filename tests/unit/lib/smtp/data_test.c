/* DATA framing: where content ends, dots, line ends; the same for any cut of the input.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "guard.h"
#include "smtp/data.h"

struct data_case {
	const char *name;
	enum smtp_newline newline;
	bool chunk;
	const char *input;
	size_t input_len; /* 0: strlen */
	enum smtp_data_result result;
	const char *output;
	const char *left; /* not consumed */
};

static const struct data_case cases[] = {
	{.name = "one line", .input = "a\r\n.\r\nQUIT", .result = SMTP_DATA_END, .output = "a\n",
		.left = "QUIT"},
	{.name = "nothing at all", .input = ".\r\n", .result = SMTP_DATA_END, .output = "",
		.left = ""},
	{.name = "a stuffed dot", .input = "..\r\n.a\r\n..b\r\n.\r\n", .result = SMTP_DATA_END,
		.output = ".\na\n.b\n", .left = ""},
	{.name = "a dot inside a line", .input = "a.\r\nb.c\r\n.\r\n", .result = SMTP_DATA_END,
		.output = "a.\nb.c\n", .left = ""},
	{.name = "no end yet", .input = "a\r\n.", .result = SMTP_DATA_MORE, .output = "a\n"},
	{.name = "LF.LF is no end", .input = "a\n.\nb\r\n.\r\n", .result = SMTP_DATA_END,
		.output = "a\n\nb\n", .left = ""},
	{.name = "LF.CRLF is no end", .input = "a\n.\r\nb\r\n.\r\n", .result = SMTP_DATA_END,
		.output = "a\n\nb\n", .left = ""},
	{.name = "CRLF.LF is no end", .input = "a\r\n.\nb\r\n.\r\n", .result = SMTP_DATA_END,
		.output = "a\n\nb\n", .left = ""},
	{.name = "CR.CRLF is no end", .input = "a\r.\r\nb\r\n.\r\n", .result = SMTP_DATA_END,
		.output = "a .\nb\n", .left = ""},
	{.name = "CRLF.CR is no end", .input = "a\r\n.\rb\r\n.\r\n", .result = SMTP_DATA_END,
		.output = "a\n b\n", .left = ""},
	{.name = "CRLF.CRCRLF is no end", .input = "a\r\n.\r\r\nb\r\n.\r\n",
		.result = SMTP_DATA_END, .output = "a\n\nb\n", .left = ""},
	{.name = "CRLF NUL . CRLF is no end", .input = "a\r\n\0.\r\nb\r\n.\r\n", .input_len = 13,
		.result = SMTP_DATA_END, .output = "a\n.\nb\n", .left = ""},
	{.name = "CRLF.NUL CRLF is no end", .input = "a\r\n.\0\r\nb\r\n.\r\n", .input_len = 13,
		.result = SMTP_DATA_END, .output = "a\n\nb\n", .left = ""},
	{.name = "LF ends lines", .input = "a\nb\n\r\n.\r\n", .result = SMTP_DATA_END,
		.output = "a\nb\n\n", .left = ""},
	{.name = "the end after one proper line", .input = "a\nb\r\n.\r\n", .result = SMTP_DATA_END,
		.output = "a\nb\n", .left = ""},
	{.name = "a CR in a line", .input = "a\rb\r\r\n.\r\n", .result = SMTP_DATA_END,
		.output = "a b\n", .left = ""},
	{.name = "LF allowed: LF.LF ends", .newline = SMTP_NEWLINE_ALLOW, .input = "a\n.\nb",
		.result = SMTP_DATA_END, .output = "a\n", .left = "b"},
	{.name = "LF allowed: LF.CRLF ends", .newline = SMTP_NEWLINE_ALLOW, .input = "a\n.\r\nb",
		.result = SMTP_DATA_END, .output = "a\n", .left = "b"},
	{.name = "LF refused", .newline = SMTP_NEWLINE_REJECT, .input = "a\r\nb\nc",
		.result = SMTP_DATA_BARE_LF, .output = "a\nb", .left = "c"},
	{.name = "LF refused, none there", .newline = SMTP_NEWLINE_REJECT, .input = "a\r\n.\r\n",
		.result = SMTP_DATA_END, .output = "a\n", .left = ""},
	{.name = "a chunk has no dots", .chunk = true, .input = "a\r\n.\r\n..b\r\n",
		.result = SMTP_DATA_MORE, .output = "a\n.\n..b\n"},
	{.name = "a chunk's last line is completed", .chunk = true, .input = "a\r\nb",
		.result = SMTP_DATA_MORE, .output = "a\nb\n"},
	{.name = "a chunk's last CR", .chunk = true, .input = "a\r", .result = SMTP_DATA_MORE,
		.output = "a \n"},
};

static void run(const struct data_case *c, size_t step)
{
	struct span input = span_new(c->input, c->input_len > 0 ? c->input_len : strlen(c->input));
	struct buf out = BUF_INIT(10000);
	struct smtp_data data;
	enum smtp_data_result result = SMTP_DATA_MORE;

	smtp_data_init(&data, c->newline, !c->chunk);
	while (input.len > 0 && result == SMTP_DATA_MORE) {
		struct guard guard;
		size_t used;
		struct span part = guard_copy(&guard, span_head(input, step));
		result = smtp_data_decode(&data, part, &out, &used);
		input = span_skip(input, used);
		guard_free(&guard);
	}
	if (c->chunk)
		smtp_data_finish(&data, &out);
	if (result != c->result)
		fail_msg("%s (step %zu): result %d", c->name, step, result);
	if (!span_equal(buf_span(&out), span_from_cstr(c->output)))
		fail_msg("%s (step %zu): \"%.*s\"", c->name, step, SPAN_ARGS(buf_span(&out)));
	if (c->left != NULL && !span_equal(input, span_from_cstr(c->left)))
		fail_msg("%s (step %zu): left \"%.*s\"", c->name, step, SPAN_ARGS(input));
	buf_done(&out);
}

static void at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		run(&cases[i], SIZE_MAX);
}

static void cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t step = 1; step < 5; step++)
			run(&cases[i], step);
}

static void decode(struct span input, enum smtp_newline newline, size_t step, struct buf *out)
{
	struct smtp_data data;
	enum smtp_data_result result = SMTP_DATA_MORE;

	smtp_data_init(&data, newline, true);
	while (input.len > 0 && result == SMTP_DATA_MORE) {
		size_t used;
		result = smtp_data_decode(&data, span_head(input, step), out, &used);
		input = span_skip(input, used);
	}
	buf_append_format(out, "|%d %d %zu %zu", result, data.bare_lf, (size_t)data.size, input.len);
}

/* Whole lines are taken at once: the result is the same as byte by byte. */
static void same_in_any_pieces(void **state)
{
	static const char letters[] = "aaaabc.\r\n\r\n\r\n"; /* and NUL */
	unsigned random = 1;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct buf text = BUF_INIT(4000), whole = BUF_INIT(8000), pieces = BUF_INIT(8000);
		size_t most = round % 3 == 0 ? sizeof(letters) : sizeof(letters) - 1;
		for (int i = 0; i < 60; i++) {
			random = random * 1103515245 + 12345;
			if (random >> 16 & 1)
				buf_append_cstr(&text, "text\r\n");
			else
				buf_append_char(&text, letters[(random >> 18) % most]);
		}
		if (round % 10 == 0)
			for (int i = 0; i < 990 + round % 20; i++)
				buf_append_char(&text, 'x');
		buf_append_cstr(&text, "\r\ny\r\n");
		decode(buf_span(&text), (enum smtp_newline)(round % 3), SIZE_MAX, &whole);
		decode(buf_span(&text), (enum smtp_newline)(round % 3), 1, &pieces);
		if (!span_equal(buf_span(&whole), buf_span(&pieces)))
			fail_msg("round %d: \"%.*s\"", round, SPAN_ARGS(buf_span(&text)));
		buf_done(&text);
		buf_done(&whole);
		buf_done(&pieces);
	}
}

static void sizes(void **state)
{
	struct buf out = BUF_INIT(1000);
	struct smtp_data data;
	size_t used;

	(void)state;
	smtp_data_init(&data, SMTP_NEWLINE_NORMALIZE, true);
	assert_int_equal(smtp_data_decode(&data, SPAN("ab\r\nc\n.\r\r\n"), &out, &used),
		SMTP_DATA_MORE);
	assert_int_equal(data.size, 4 + 3 + 2);
	assert_true(data.bare_lf);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_once),
		cmocka_unit_test(cut),
		cmocka_unit_test(same_in_any_pieces),
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
