/* Files opened before the walls close, files of root, and the lock of master.
 * SPDX-License-Identifier: ISC */
#include "sys/file_access.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/pid_file.h"

static char folder[] = "/tmp/file_access_test_XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL || chdir(folder) < 0)
		return -1;
	write_file("table", "from the file");
	return mkdir("pid", 0700);
}

static int teardown(void **state)
{
	(void)state;
	unlink("table");
	unlink("pid/master.pid");
	rmdir("pid");
	return rmdir(folder);
}

static void what_is_opened_is_remembered_once(void **state)
{
	char path[256];
	(void)state;
	snprintf(path, sizeof path, "%s/table", folder);
	size_t before = file_watched_count();
	close(file_open_read(path));
	close(file_open_read(path));
	assert_int_equal(file_watched_count(), before + 1);
	assert_string_equal(file_watched_at(before), path);
	/* One that is not there yet may come. */
	assert_int_equal(file_open_read("/nonexistent/table"), -ENOENT);
	assert_int_equal(file_watched_count(), before + 2);
}

static void a_granted_file_is_found_under_its_path_from_the_beginning(void **state)
{
	char text[32] = "";
	(void)state;
	assert_false(file_is_granted("/root/secret"));
	file_grant("/root/secret", open("table", O_RDONLY | O_CLOEXEC));
	assert_true(file_is_granted("/root/secret"));
	for (int i = 0; i < 2; i++) {
		int fd = file_open_read("/root/secret");
		assert_true(fd >= 0);
		assert_int_equal(read(fd, text, sizeof text - 1), 13);
		assert_string_equal(text, "from the file");
		close(fd);
	}
}

static void the_lock_has_one_holder_and_ends_with_it(void **state)
{
	int status, ready[2], go[2];
	char byte = 'x';
	(void)state;
	assert_int_equal(pid_file_holder("pid"), 0);
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = pid_file_lock("pid");
		(void)!write(ready[1], &byte, 1);
		(void)!read(go[0], &byte, 1);
		_exit(fd >= 0 ? 0 : 1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(pid_file_lock("pid"), -EAGAIN);
	assert_int_equal(pid_file_holder("pid"), pid);
	assert_int_equal(write(go[1], &byte, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(pid_file_holder("pid"), 0); /* the stale number does not count */
	int fd = pid_file_lock("pid");
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(pid_file_lock("no-such-folder"), -ENOENT);
}

/* Last: it cannot be undone. */
static void a_sealed_process_remembers_nothing_more(void **state)
{
	(void)state;
	assert_false(file_access_is_sealed());
	file_access_seal();
	assert_true(file_access_is_sealed());
	size_t before = file_watched_count();
	file_watch("/another");
	assert_int_equal(file_watched_count(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_opened_is_remembered_once),
		cmocka_unit_test(a_granted_file_is_found_under_its_path_from_the_beginning),
		cmocka_unit_test(the_lock_has_one_holder_and_ends_with_it),
		cmocka_unit_test(a_sealed_process_remembers_nothing_more),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
