/* Appending to an mbox file that others change, cut short or make anew.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "local/worker.h"
#include "task/task.h"

static char folder[] = "/tmp/tambo-mbox-XXXXXX";
static char path[64];
static bool removed_before_lock;
static unsigned files_flushed, folders_flushed;

/* In place of the C library's. */
int flock(int fd, int operation)
{
	if (removed_before_lock)
		CHECK(unlink(path) == 0);
	removed_before_lock = false;
	return (int)syscall(SYS_flock, fd, operation);
}

int fsync(int fd)
{
	struct stat st;
	CHECK(fstat(fd, &st) == 0);
	if (S_ISDIR(st.st_mode))
		folders_flushed++;
	else
		files_flushed++;
	return 0;
}

static void deliver(void *arg)
{
	const struct local_work *work = arg;
	struct answer answer = {.text = BUF_INIT(1000), .content = BUF_INIT(1000)};
	work_mbox(work, "delivered", &answer);
	CHECK(answer.done.result == LOCAL_DELIVERED);
	buf_done(&answer.text);
	buf_done(&answer.content);
}

static void append(const char *message)
{
	struct local_work work = {.path = span_from_cstr(path), .sender = SPAN("a@example.test"),
		.content = span_from_cstr(message), .size = strlen(message), .content_fd = -1,
		.locks = LOCAL_LOCK_FLOCK, .lock_attempts = 2, .lock_delay_ms = 1};
	files_flushed = folders_flushed = 0;
	assert_int_equal(task_loop_open(), 0);
	assert_non_null(task_spawn("mbox", deliver, &work, 0));
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

static void file_begin(const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* What the file holds from an offset on. */
static const char *file_from(size_t offset)
{
	static char text[4096];
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return "no file";
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	(void)fclose(file);
	return strlen(text) < offset ? "short" : text + offset;
}

static void assert_begins(const char *text, const char *beginning)
{
	if (strncmp(text, beginning, strlen(beginning)) != 0)
		fail_msg("'%s' does not begin with '%s'", text, beginning);
}

/* A mail program removes an empty mailbox while it holds the lock that is waited for. */
static void test_a_file_removed_before_the_lock_gets_no_message(void **state)
{
	(void)state;
	file_begin("");
	removed_before_lock = true;
	append("Subject: x\r\n\r\nx\r\n");
	assert_begins(file_from(0), "From a@example.test  ");
}

/* A worker or a machine died in the middle of a message: it is delivered again, and begins on a
 * line of its own. */
static void test_a_message_begins_after_a_blank_line(void **state)
{
	static const char *const before[] = {"From x\n\nhal", "From x\n\nhalf\n", "From x\n\nhalf\n\n"};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		file_begin(before[i]);
		append("Subject: x\r\n\r\nx\r\n");
		assert_begins(file_from(0), "From x\n\nhal");
		assert_begins(file_from(strlen(before[i])), &"\n\nFrom a@"[i]);
	}
	file_begin("\n");
	append("Subject: x\r\n\r\nx\r\n");
	assert_begins(file_from(0), "\nFrom a@");
}

/* fsync() of a file need not make its name durable. */
static void test_the_name_of_a_new_file_is_flushed(void **state)
{
	(void)state;
	(void)unlink(path);
	append("Subject: x\r\n\r\nx\r\n");
	assert_int_equal(files_flushed, 1);
	assert_int_equal(folders_flushed, 1);
	append("Subject: x\r\n\r\nx\r\n");
	assert_int_equal(files_flushed, 1);
	assert_int_equal(folders_flushed, 0);
}

static int set_up(void **state)
{
	(void)state;
	task_offload_threads(0);
	CHECK(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof path, "%s/mbox", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_removed_before_the_lock_gets_no_message),
		cmocka_unit_test(test_a_message_begins_after_a_blank_line),
		cmocka_unit_test(test_the_name_of_a_new_file_is_flushed),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
