/* Whole reads and writes: at a cap, through a pipe in pieces, behind the end, of a bad descriptor.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fd.h"

static int file_of(const char *text)
{
	char path[] = "/tmp/fd_test.XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(fd_write_all(fd, span_from_cstr(text)), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void test_reading_stops_at_the_cap(void **state)
{
	static const struct {
		const char *name;
		size_t cap;
		int result;
	} rows[] = {{"room left", 100, 0}, {"just enough", 10, 0}, {"one too few", 9, -EFBIG},
		{"none", 0, -EFBIG}};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf out = BUF_INIT(rows[i].cap);
		int fd = file_of("0123456789");
		if (fd_read_all(fd, &out) != rows[i].result ||
			!span_starts_with(SPAN("0123456789"), buf_span(&out)) ||
			out.len != (rows[i].result == 0 ? 10 : rows[i].cap))
			fail_msg("%s: %zu bytes", rows[i].name, out.len);
		buf_done(&out);
		close(fd);
	}
}

static void test_large_through_a_pipe(void **state)
{
	struct buf sent = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20);
	int ends[2];
	(void)state;
	for (int i = 0; sent.len < 300000; i++)
		buf_append_format(&sent, "%d ", i);
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		close(ends[0]);
		_exit(fd_write_all(ends[1], buf_span(&sent)) == 0 ? 0 : 1);
	}
	close(ends[1]);
	assert_int_equal(fd_read_all(ends[0], &got), 0);
	assert_true(span_equal(buf_span(&sent), buf_span(&got)));
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(ends[0]);
	buf_done(&sent);
	buf_done(&got);
}

static void test_reading_at_an_offset(void **state)
{
	char bytes[20];
	int fd = file_of("0123456789");
	(void)state;
	assert_int_equal(fd_read_at(fd, bytes, 4, 3), 4);
	assert_memory_equal(bytes, "3456", 4);
	assert_int_equal(fd_read_at(fd, bytes, 10, 8), 2);
	assert_int_equal(fd_read_at(fd, bytes, 10, 50), 0);
	close(fd);
	assert_int_equal(fd_read_at(fd, bytes, 10, 0), -EBADF);
	assert_int_equal(fd_write_all(fd, SPAN("x")), -EBADF);
	struct buf out = BUF_INIT(10);
	assert_int_equal(fd_read_all(fd, &out), -EBADF);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading_stops_at_the_cap),
		cmocka_unit_test(test_large_through_a_pipe),
		cmocka_unit_test(test_reading_at_an_offset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
