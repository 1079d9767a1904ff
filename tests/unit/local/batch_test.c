/* The worker's part of a batch, in real folders: each recipient has his own outcome.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "local/worker.h"
#include "task/task.h"

#define BOXES 4
#define TEXT "Subject: x\n\nx\n"

static char root[100];

struct run {
	char paths[BOXES][150];
	size_t count;
	int content_fd;
	uint64_t size_limit;
	int front_fd, worker_fd;
	/* what came of it */
	enum local_result results[BOXES];
	bool is_durable[BOXES], has_fd;
	uint64_t devices[BOXES], flush_device;
};

static void work(void *arg)
{
	struct run *run = arg;
	worker_serve(channel_new(run->worker_fd), "local");
}

static void ask(void *arg)
{
	struct run *run = arg;
	struct channel *channel = channel_new(run->front_fd);
	struct local_batch_item items[BOXES];
	struct local_batch_done *done;
	for (size_t i = 0; i < run->count; i++)
		items[i] = (struct local_batch_item){.headers = SPAN("Delivered-To: a@b\n"),
			.path = span_from_cstr(run->paths[i]), .base = SPAN("1.Q0123R0.host")};
	const struct local_batch batch = {.first_ms = 1, .size_limit = run->size_limit,
		.items = items, .item_count = run->count,
		.content = run->content_fd < 0 ? SPAN(TEXT) : SPAN_EMPTY,
		.content_fd = run->content_fd, .size = sizeof(TEXT) - 1};
	assert_int_equal(channel_call(channel, &local_batch_type, &batch, &local_batch_done_type,
		TASK_FOREVER, (void **)&done), 0);
	assert_int_equal(done->outcome_count, run->count);
	for (size_t i = 0; i < run->count; i++) {
		run->results[i] = (enum local_result)done->outcomes[i].result;
		run->is_durable[i] = done->outcomes[i].is_durable;
		run->devices[i] = done->outcomes[i].device;
	}
	run->has_fd = done->flush_fd >= 0;
	run->flush_device = done->flush_device;
	if (run->has_fd)
		(void)close(done->flush_fd);
	channel_free(channel);
}

static void do_run(struct run *run)
{
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	run->front_fd = pair[0];
	run->worker_fd = pair[1];
	assert_int_equal(task_loop_open(), 0);
	assert_non_null(task_spawn("worker", work, run, 0));
	assert_non_null(task_spawn("front", ask, run, 0));
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

static struct run new_run(const char *in, const char *name, size_t count)
{
	struct run run = {.count = count, .content_fd = -1};
	for (size_t i = 0; i < count; i++)
		(void)snprintf(run.paths[i], sizeof(run.paths[i]), "%s/%s%zu", in, name, i);
	return run;
}

/* The number of messages in new/, all of that size. */
static int messages(const char *maildir, size_t size)
{
	char path[600];
	struct stat st;
	struct dirent *entry;
	int count = 0;
	(void)snprintf(path, sizeof(path), "%s/new", maildir);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/new/%s", maildir, entry->d_name);
		if (entry->d_name[0] == '.')
			continue;
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, size);
		count++;
	}
	(void)closedir(dir);
	return count;
}

static const size_t whole = sizeof("Delivered-To: a@b\n" TEXT) - 1;

static void check_all(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		assert_int_equal(run->results[i], LOCAL_DELIVERED);
		assert_int_equal(messages(run->paths[i], whole), 1);
	}
}

static void test_each_gets_a_file_of_his_own(void **state)
{
	struct stat first, second;
	char path[300];
	(void)state;
	struct run run = new_run(root, "own", BOXES);
	do_run(&run);
	check_all(&run);
	assert_true(run.has_fd);
	for (size_t i = 0; i < BOXES; i++) {
		assert_false(run.is_durable[i]);
		assert_int_equal(run.devices[i], run.flush_device);
	}
	(void)snprintf(path, sizeof(path), "%s/new", run.paths[0]);
	assert_int_equal(stat(path, &first), 0);
	(void)snprintf(path, sizeof(path), "%s/new", run.paths[1]);
	assert_int_equal(stat(path, &second), 0);
	assert_true(first.st_ino != second.st_ino);
}

static void test_a_damaged_mailbox_is_its_owners_trouble(void **state)
{
	(void)state;
	struct run run = new_run(root, "damaged", BOXES);
	for (size_t i = 0; i < 3; i += 2) {
		int fd = open(run.paths[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		(void)close(fd);
	}
	do_run(&run);
	for (size_t i = 0; i < BOXES; i++) {
		bool good = i % 2 == 1;
		assert_int_equal(run.results[i], good ? LOCAL_DELIVERED : LOCAL_DEFERRED);
		assert_int_equal(messages(run.paths[i], whole), good);
	}
	assert_true(run.has_fd);
}

static void test_two_recipients_with_one_mailbox(void **state)
{
	(void)state;
	struct run run = new_run(root, "same", 2);
	(void)snprintf(run.paths[1], sizeof(run.paths[1]), "%s", run.paths[0]);
	do_run(&run);
	assert_int_equal(run.results[0], LOCAL_DELIVERED);
	assert_int_equal(run.results[1], LOCAL_DELIVERED);
}

static void test_too_large_for_a_mailbox(void **state)
{
	(void)state;
	struct run run = new_run(root, "large", 2);
	run.size_limit = sizeof(TEXT) - 2;
	do_run(&run);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(run.results[i], LOCAL_BOUNCED);
		assert_int_equal(messages(run.paths[i], whole), 0);
	}
	assert_false(run.has_fd);
}

static void test_content_in_a_file_is_read_for_each(void **state)
{
	(void)state;
	struct run run = new_run(root, "file", BOXES);
	run.content_fd = memfd_create("content", MFD_CLOEXEC);
	assert_int_equal(write(run.content_fd, TEXT, sizeof(TEXT) - 1), sizeof(TEXT) - 1);
	do_run(&run);
	check_all(&run);
	(void)close(run.content_fd);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

/* An answer carries one descriptor: what lies elsewhere is flushed by the worker. */
static void test_a_second_file_system(void **state)
{
	struct stat here, there;
	char other[] = "/dev/shm/tambo-batch-XXXXXX";
	(void)state;
	if (mkdtemp(other) == NULL || stat(root, &here) != 0 || stat(other, &there) != 0
		|| here.st_dev == there.st_dev) {
		(void)rmdir(other);
		skip();
	}
	struct run run = new_run(root, "here", BOXES);
	(void)snprintf(run.paths[1], sizeof(run.paths[1]), "%s/there", other);
	do_run(&run);
	check_all(&run);
	assert_true(run.has_fd);
	assert_int_equal(run.flush_device, run.devices[0]);
	for (size_t i = 0; i < BOXES; i++)
		assert_int_equal(run.is_durable[i], i == 1);
	assert_int_equal(nftw(other, remove_one, 10, FTW_DEPTH | FTW_PHYS), 0);
}

static int setup(void **state)
{
	(void)state;
	(void)snprintf(root, sizeof(root), "/tmp/tambo-batch-XXXXXX");
	return mkdtemp(root) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(root, remove_one, 10, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_gets_a_file_of_his_own),
		cmocka_unit_test(test_a_damaged_mailbox_is_its_owners_trouble),
		cmocka_unit_test(test_two_recipients_with_one_mailbox),
		cmocka_unit_test(test_too_large_for_a_mailbox),
		cmocka_unit_test(test_content_in_a_file_is_read_for_each),
		cmocka_unit_test(test_a_second_file_system),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
