/* A message that is taken from a file at once: as a whole or in pieces, whatever its line ends.
 * SPDX-License-Identifier: ISC */
#include "store_fixture.h"

#include <fcntl.h>

#include "base/check.h"
#include "store/content.h"
#include "task/task.h"

#define HEADER "Return-Path: <a@example.test>\n"

static int file_of(struct fixture *f, struct span bytes)
{
	int fd = open(at_root(f, "source"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes.ptr, bytes.len, 0), (ssize_t)bytes.len);
	return fd;
}

static int fill_from(struct fixture *f, int fd, uint64_t offset, uint64_t size,
	struct append_result *ret_result)
{
	struct append_options options = {.internaldate = 1000000000, .durability = APPEND_CHECKPOINT};
	struct append *append;
	assert_int_equal(append_begin(f->store, SPAN("INBOX"), &options, &append), 0);
	assert_int_equal(append_write(append, SPAN(HEADER)), 0);
	int error = append_fill(append, fd, offset, size);
	if (error == 0)
		return append_commit(append, ret_result);
	append_abort(append);
	return error;
}

/* Text of about that size, lines with that end, and last behind it. */
static void make_text(struct buf *out, size_t size, const char *line_end, const char *last)
{
	buf_append_format(out, "Subject: %zu%s%s", size, line_end, line_end);
	while (out->len < size)
		buf_append_format(out, "line %zu of the text%s", out->len, line_end);
	buf_append_cstr(out, last);
}

static void expect_message(struct fixture *f, uint32_t uid, struct span wanted)
{
	struct buf got = BUF_INIT(8UL << 20), sent = BUF_INIT(8UL << 20);
	struct content_state state = {0};
	struct mailbox *box = open_box(f, "INBOX", 0);
	const struct message *message = mailbox_at(box, mailbox_count(box) - 1);
	content_to_crlf(&state, wanted, &sent);
	assert_int_equal(message->uid, uid);
	assert_int_equal(message->size, sent.len);
	assert_int_equal(read_message(box, uid, &got), 0);
	assert_true(span_equal(buf_span(&got), buf_span(&sent)));
	mailbox_close(box);
	buf_done(&got);
	buf_done(&sent);
}

static void what_is_kept_is_what_the_file_had(void **state)
{
	static const struct {
		const char *name;
		size_t size;
		const char *line_end, *last, *kept_last;
	} cases[] = {
		{"small", 2000, "\n", "", ""},
		{"no line end at the end", 70000, "\n", "x", "x"},
		{"a whole message", 1000000, "\n", "", ""},
		{"another, in the buffer of the first", 900000, "\n", "", ""},
		{"CRLF", 600000, "\r\n", "", ""},
		{"a CR behind all", 600000, "\n", "x\r", "x\r"},
		{"CRLF and a CR behind all", 600000, "\r\n", "x\r", "x\r"},
		{"in pieces", 3000000, "\n", "x", "x"},
		{"in pieces with CRLF", 3000000, "\r\n", "x\r", "x\r"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text = BUF_INIT(8UL << 20), wanted = BUF_INIT(8UL << 20);
		struct append_result result;
		print_message("%s\n", cases[i].name);
		make_text(&text, cases[i].size, cases[i].line_end, cases[i].last);
		struct content_state to_lf = {0};
		buf_append_cstr(&wanted, HEADER);
		content_to_lf(&to_lf, buf_span(&text), &wanted);
		content_to_lf_end(&to_lf, &wanted);
		int fd = file_of(f, buf_span(&text));
		assert_int_equal(fill_from(f, fd, 0, text.len, &result), 0);
		expect_message(f, result.uid, buf_span(&wanted));
		assert_int_equal(close(fd), 0);
		buf_done(&text);
		buf_done(&wanted);
	}
}

static void only_the_part_that_was_named(void **state)
{
	struct fixture *f = *state;
	struct append_result result;
	int fd = file_of(f, SPAN("foreign\nSubject: x\n\ntext\nforeign\n"));
	assert_int_equal(fill_from(f, fd, 8, 17, &result), 0);
	expect_message(f, result.uid, SPAN(HEADER "Subject: x\n\ntext\n"));
	assert_int_equal(close(fd), 0);
}

static void a_file_that_is_too_short_gives_no_message(void **state)
{
	struct fixture *f = *state;
	struct append_result result;
	int fd = file_of(f, SPAN("Subject: x\n\ntext\n"));
	assert_int_equal(fill_from(f, fd, 0, 18, &result), -EIO);
	assert_int_equal(fill_from(f, fd, 0, 3000000, &result), -EIO);
	assert_int_equal(count_files(f, "new") + count_files(f, "cur") + count_files(f, "tmp"), 0);
	assert_int_equal(close(fd), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_is_kept_is_what_the_file_had), CASE(only_the_part_that_was_named),
		CASE(a_file_that_is_too_short_gives_no_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
