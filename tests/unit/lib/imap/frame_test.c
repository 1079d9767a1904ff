/* Framing of IMAP commands: tables, one byte at a time, input that ends at a guard page.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "guard.h"
#include "imap/frame.h"

static const struct imap_frame_limits SMALL = {
	.line_max = 40, .literal_max = 20, .literal_count = 3, .total_max = 100};

/* Runs all of input through a frame that accepts every literal that fits; writes what happened:
 * O command, B bad, L long, R refused literal, ">" for each continuation. A refused literal is
 * dropped with the rest of its line, as imapd does it. */
static void run(struct span input, size_t step, struct buf *out)
{
	struct imap_frame frame;
	uint64_t drop = 0;
	imap_frame_init(&frame, &SMALL);
	while (input.len > 0) {
		size_t used;
		struct span piece = span_head(input, step);
		if (drop > 0) {
			piece = span_head(piece, drop);
			drop -= piece.len;
			input = span_skip(input, piece.len);
			continue;
		}
		switch (imap_frame_feed(&frame, piece, &used)) {
		case IMAP_FRAME_MORE:
			assert_int_equal(used, piece.len);
			break;
		case IMAP_FRAME_OK:
			buf_append_char(out, 'O');
			buf_append(out, buf_span(&frame.bytes));
			buf_append_char(out, '|');
			imap_frame_reset(&frame);
			break;
		case IMAP_FRAME_LITERAL:
			if (frame.literal_too_big) {
				buf_append_cstr(out, "R|");
				if (frame.literal_sync) {
					imap_frame_reset(&frame);
				} else {
					drop = frame.literal_size;
					imap_frame_skip_line(&frame);
					buf_reset(&frame.bytes);
				}
			} else {
				if (frame.literal_sync)
					buf_append_char(out, '>');
				imap_frame_accept_literal(&frame);
			}
			break;
		case IMAP_FRAME_BAD:
			buf_append_cstr(out, "B|");
			imap_frame_reset(&frame);
			break;
		case IMAP_FRAME_TOO_LONG:
			buf_append_char(out, 'L');
			imap_frame_skip_line(&frame);
			buf_reset(&frame.bytes);
			break;
		}
		assert_true(frame.bytes.len <= SMALL.total_max);
		input = span_skip(input, used);
	}
	imap_frame_done(&frame);
}

static const struct {
	const char *name;
	struct span input;
	const char *expect;
} CASES[] = {
	{"a plain line", SPAN("a NOOP\r\n"), "Oa NOOP|"},
	{"a line that ends in LF", SPAN("a NOOP\n"), "Oa NOOP|"},
	{"two lines at once", SPAN("a NOOP\r\nb NOOP\r\n"), "Oa NOOP|Ob NOOP|"},
	{"an empty line", SPAN("\r\n"), "O|"},
	{"a synchronising literal", SPAN("a LOGIN {3}\r\nx\ny z\r\n"), ">Oa LOGIN {3}\r\nx\ny z|"},
	{"a literal+", SPAN("a LOGIN {3+}\r\nabc z\r\n"), "Oa LOGIN {3+}\r\nabc z|"},
	{"a literal-", SPAN("a LOGIN {3-}\r\nabc z\r\n"), "Oa LOGIN {3-}\r\nabc z|"},
	{"an empty literal", SPAN("a LOGIN {0}\r\n z\r\n"), ">Oa LOGIN {0}\r\n z|"},
	{"two literals", SPAN("a L {1}\r\nb {2+}\r\ncd\r\n"), ">Oa L {1}\r\nb {2+}\r\ncd|"},
	{"a literal that holds an announcement", SPAN("a L {5}\r\n{1}\r\n\r\n"),
		">Oa L {5}\r\n{1}\r\n|"},
	{"a literal that is too big", SPAN("a L {21}\r\nb NOOP\r\n"), "R|Ob NOOP|"},
	{"a literal beyond 32 bits", SPAN("a L {4294967296}\r\nb NOOP\r\n"), "R|Ob NOOP|"},
	{"a literal+ beyond 32 bits has no end", SPAN("a L {4294967296+}\r\nb NOOP\r\n"), "R|"},
	{"a literal+ beyond 64 bits", SPAN("a L {18446744073709551616+}\r\nb NOOP\r\n"), "R|"},
	{"the rest of a line behind a literal+ that is too big",
		SPAN("a L {21+}\r\n012345678901234567890 x\r\nb NOOP\r\n"), "R|B|Ob NOOP|"},
	{"a literal+ behind one that is too big",
		SPAN("a L {21+}\r\n012345678901234567890 {8+}\r\nc NOOP\r\n\r\nb NOOP\r\n"),
		"R|R|B|Ob NOOP|"},
	{"a literal behind one that is too big is not asked for",
		SPAN("a L {21+}\r\n012345678901234567890 {8}\r\nb NOOP\r\n"), "R|B|Ob NOOP|"},
	{"a literal+ at the end of a line that is too long",
		SPAN("a L 0123456789012345678901234567890123456{8+}\r\nc NOOP\r\n\r\nb NOOP\r\n"),
		"LR|B|Ob NOOP|"},
	{"a literal+ at the end of a line with NUL",
		SPAN("a L \0{8+}\r\nc NOOP\r\n\r\nb NOOP\r\n"), "R|B|Ob NOOP|"},
	{"a literal+ at the end of a line with a bare CR",
		SPAN("a L \r{8+}\r\nc NOOP\r\n\r\nb NOOP\r\n"), "R|B|Ob NOOP|"},
	{"a literal at the end of a line with NUL", SPAN("a L \0{8}\r\nb NOOP\r\n"), "B|Ob NOOP|"},
	{"a negative literal is no literal", SPAN("a L {-1}\r\n"), "Oa L {-1}|"},
	{"an empty pair of braces is no literal", SPAN("a L {}\r\n"), "Oa L {}|"},
	{"too many literals", SPAN("a {1+}\r\nb{1+}\r\nc{1+}\r\nd{1+}\r\ne\r\nb NOOP\r\n"),
		"R|B|Ob NOOP|"},
	{"a line that is too long",
		SPAN("a NOOP 0123456789012345678901234567890123456789\r\nb NOOP\r\n"),
		"LB|Ob NOOP|"},
	{"NUL", SPAN("a NO\0OP\r\nb NOOP\r\n"), "B|Ob NOOP|"},
	{"NUL in a literal", SPAN("a L {2}\r\n\0x\r\nb NOOP\r\n"), ">B|Ob NOOP|"},
	{"bare CR", SPAN("a\rb NOOP\r\nb NOOP\r\n"), "B|Ob NOOP|"},
	{"CR in a literal is data", SPAN("a L {2}\r\n\rx\r\n"), ">Oa L {2}\r\n\rx|"},
};

static void frames_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct buf out = BUF_INIT(1000);
		run(CASES[i].input, SIZE_MAX, &out);
		if (!span_equal(buf_span(&out), span_from_cstr(CASES[i].expect)))
			fail_msg("%s: got %s", CASES[i].name, buf_cstr(&out));
		buf_done(&out);
	}
}

static void frames_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct buf out = BUF_INIT(1000);
		run(CASES[i].input, 1, &out);
		/* A line that is too long is seen at the limit, not at its end: the rest is the
		 * same. */
		if (!span_equal(buf_span(&out), span_from_cstr(CASES[i].expect)))
			fail_msg("%s: got %s", CASES[i].name, buf_cstr(&out));
		buf_done(&out);
	}
}

static void reads_no_byte_too_far(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		for (size_t len = 0; len <= CASES[i].input.len; len++) {
			struct guard guard;
			struct buf out = BUF_INIT(1000);
			run(guard_copy(&guard, span_head(CASES[i].input, len)), SIZE_MAX, &out);
			guard_free(&guard);
			buf_done(&out);
		}
	}
}

static void takes_a_literal_for_the_caller(void **state)
{
	(void)state;
	struct imap_frame frame;
	size_t used;
	struct span input = SPAN("a APPEND x {1000000}\r\n");
	imap_frame_init(&frame, &SMALL);
	assert_int_equal(imap_frame_feed(&frame, input, &used), IMAP_FRAME_LITERAL);
	assert_true(frame.literal_too_big);
	assert_int_equal(frame.literal_size, 1000000);
	imap_frame_take_literal(&frame);
	assert_int_equal(imap_frame_feed(&frame, SPAN("\r\n"), &used), IMAP_FRAME_OK);
	assert_true(span_equal(buf_span(&frame.bytes), SPAN("a APPEND x {1000000}\r\n")));
	imap_frame_done(&frame);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_whole),
		cmocka_unit_test(frames_byte_by_byte),
		cmocka_unit_test(reads_no_byte_too_far),
		cmocka_unit_test(takes_a_literal_for_the_caller),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
