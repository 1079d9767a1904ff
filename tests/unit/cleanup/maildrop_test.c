/* The pickup of maildrop/: a file that cannot be queued does not keep the others waiting.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "cleanup/maildrop.h"
#include "cleanup_fixture.h"
#include "queue/maildrop.h"
#include "task/task.h"

#define LONGEST_MS 60000

static int setup(void **state)
{
	(void)state;
	return fixture_open("virtual_alias_maps = inline:{ {one@virt.test=two@virt.test},"
			    " {two@virt.test=one@virt.test} }\n") != 0 ||
		maildrop_prepare(directory) != 0;
}

static void drop(unsigned number, const char *sender, const char *recipient)
{
	struct maildrop_encoder encoder;
	struct buf out = BUF_INIT(100000);
	char path[128];
	maildrop_begin(&encoder, &out);
	maildrop_append(&encoder, MAILDROP_SENDER, span_from_cstr(sender), &out);
	maildrop_append_recipient(&encoder, span_from_cstr(recipient), SPAN_EMPTY, 0, &out);
	maildrop_append(&encoder, MAILDROP_CONTENT, SPAN("Subject: x\n\nx\n"), &out);
	maildrop_end(&encoder, &out);
	snprintf(path, sizeof path, "%s/maildrop/AAAA%04u", directory, number);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(out.ptr, 1, out.len, file), out.len);
	assert_int_equal(fclose(file), 0);
	buf_done(&out);
}

static bool is_there(const char *folder, unsigned number)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s/AAAA%04u", directory, folder, number);
	return access(path, F_OK) == 0;
}

static bool all_gone(unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++)
		if (is_there("maildrop", i))
			return false;
	return true;
}

/* Waits for what is to go, then for the end of the scan. */
struct wanted {
	unsigned first, count;
};

static void wait_and_stop(void *arg)
{
	const struct wanted *wanted = arg;
	task_time deadline = task_deadline(LONGEST_MS);
	while (!all_gone(wanted->first, wanted->count) && task_now() < deadline)
		(void)task_sleep(20);
	maildrop_stop();
}

static void pick_up_until_gone(unsigned first, unsigned count)
{
	struct wanted wanted = {first, count};
	assert_int_equal(task_loop_open(), 0);
	committed = 0;
	maildrop_start();
	assert_non_null(task_spawn("wait", wait_and_stop, &wanted, 0));
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

static void test_failing_aliases_hold_up_nobody(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 30; i++)
		drop(i, "s@example.net", "one@virt.test");
	for (unsigned i = 30; i < 40; i++)
		drop(i, "s@example.net", "r@example.org");
	pick_up_until_gone(30, 10);
	assert_true(all_gone(30, 10));
	assert_int_equal(committed, 10);
	/* Tried again later. */
	for (unsigned i = 0; i < 30; i++)
		assert_true(is_there("maildrop", i));
}

static void test_addresses_that_become_too_long(void **state)
{
	(void)state;
	static char name[2046];
	memset(name, 'x', sizeof name - 1);
	drop(50, "s@example.net", name); /* too long with @myorigin */
	drop(51, name, "r@example.org");
	drop(52, "s@example.net", "r@example.org");
	pick_up_until_gone(50, 3);
	assert_true(all_gone(50, 3));
	assert_int_equal(committed, 2); /* the good one, and the report of the refusal */
	assert_true(is_there("corrupt", 51));
	assert_false(is_there("corrupt", 50));
}

static void make_temporary(const char *name, time_t age)
{
	char path[128];
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - age}};
	snprintf(path, sizeof path, "%s/maildrop/%s", directory, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* What postdrop was writing when it was killed. */
static void test_old_temporary_files_go(void **state)
{
	(void)state;
	char path[128];
	make_temporary("new.0123456789abcdef", 8 * 24 * 3600);
	make_temporary("new.fedcba9876543210", 6 * 24 * 3600);
	drop(60, "s@example.net", "r@example.org");
	pick_up_until_gone(60, 1);
	snprintf(path, sizeof path, "%s/maildrop/new.0123456789abcdef", directory);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof path, "%s/maildrop/new.fedcba9876543210", directory);
	assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failing_aliases_hold_up_nobody),
		cmocka_unit_test(test_addresses_that_become_too_long),
		cmocka_unit_test(test_old_temporary_files_go),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
