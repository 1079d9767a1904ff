/* Reading files from a task: all of it, a part, the end, an error; in a task and without a loop.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "task/file.h"
#include "task/task.h"

#define CONTENT "0123456789"

static int fd;

static void check_reads(void *unused)
{
	static const struct {
		const char *name;
		uint64_t offset;
		size_t len;
		const char *bytes;
	} rows[] = {
		{"the whole file", 0, 10, CONTENT},
		{"a part within", 3, 4, "3456"},
		{"more than there is", 8, 100, "89"},
		{"at the end", 10, 5, ""},
		{"behind the end", 1000, 5, ""},
		{"no bytes", 2, 0, ""},
	};
	char bytes[128];
	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ssize_t want = (ssize_t)strlen(rows[i].bytes);
		for (int some = 0; some < 2; some++) {
			memset(bytes, 'x', sizeof bytes);
			ssize_t got = (some ? task_read_some : task_read_at)(
				fd, bytes, rows[i].len, rows[i].offset);
			if (got != want || memcmp(bytes, rows[i].bytes, (size_t)want) != 0 ||
				bytes[want] != 'x')
				fail_msg("%s: %zd bytes", rows[i].name, got);
		}
	}
	assert_true(task_read_at(-1, bytes, 1, 0) < 0);
	assert_true(task_read_some(-1, bytes, 1, 0) < 0);
	if (task_self() != NULL)
		task_loop_stop();
}

static void test_without_a_loop(void **state)
{
	(void)state;
	check_reads(NULL);
}

static void test_in_a_task(void **state)
{
	(void)state;
	assert_int_equal(task_loop_open(), 0);
	assert_non_null(task_spawn("reads", check_reads, NULL, 0));
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_loop),
		cmocka_unit_test(test_in_a_task),
	};
	char path[] = "/tmp/file_test.XXXXXX";
	fd = mkstemp(path);
	if (fd < 0 || write(fd, CONTENT, strlen(CONTENT)) != (ssize_t)strlen(CONTENT))
		return EXIT_FAILURE;
	unlink(path);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	close(fd);
	return failed;
}
