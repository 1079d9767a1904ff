/* A recipient with two destinations, and a flush that fails between them; a file system that does
 * not answer.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "local/local.h"
#include "task/task.h"

/* In the place of the C library's: on a person's FUSE mount whose server says nothing, it would
 * never come back. */
static bool server_is_silent;

int fstat(int fd, struct stat *st)
{
	if (!server_is_silent)
		return fstatat(fd, "", st, AT_EMPTY_PATH);
	errno = EIO;
	return -1;
}

static const struct delivery_request request = {.queue_id = SPAN("0123ABC"), .sender = SPAN("s@x")};
static const struct delivery_recipient recipient = {.address = SPAN("list@x")};
static struct delivery_outcome seen;

static struct local_done written(uint64_t device, int flush_fd)
{
	return (struct local_done){.result = LOCAL_DELIVERED, .dsn = SPAN("2.0.0"),
		.text = SPAN("delivered to maildir"), .device = device, .flush_fd = flush_fd};
}

static void two_destinations(void *unused)
{
	(void)unused;
	struct arena arena;
	struct stat st;
	struct target target = {.address = SPAN("a@x")};
	struct delivery delivery = {.request = &request, .recipient = &recipient, .arena = &arena};
	arena_init(&arena, 65536);
	buf_init(&delivery.outcome.text, 4096);
	int fd = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC); /* cannot be flushed */
	assert_int_equal(fstat(fd, &st), 0);
	struct local_done first = written(st.st_dev, fd), second = written(st.st_dev, -1);
	delivery_end_done(&delivery, &target, &first);
	assert_int_equal(delivery.outcome.status, DELIVERY_SENT);
	assert_false(checkpoint_await(delivery.outcome.checkpoint));
	delivery_end_done(&delivery, &target, &second);
	seen = (struct delivery_outcome){
		.status = delivery.outcome.status, .checkpoint = delivery.outcome.checkpoint};
	buf_done(&delivery.outcome.text);
	arena_done(&arena);
	task_loop_stop();
}

/* The second one's checkpoint says nothing about the first. */
static void test_a_lost_first_destination_is_repeated(void **state)
{
	(void)state;
	local.settings.checkpoint_interval = 10;
	assert_int_equal(task_loop_open(), 0);
	checkpoint_start();
	assert_non_null(task_spawn("deliver", two_destinations, NULL, 0));
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
	assert_int_equal(seen.status, DELIVERY_DEFERRED);
}

static void silent_server(void *unused)
{
	(void)unused;
	struct stat st;
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	server_is_silent = true;
	assert_true(checkpoint_take(st.st_dev, fd) != 0);
	server_is_silent = false;
	/* Another's device is seen through as before. */
	assert_int_equal(checkpoint_take(st.st_dev + 1, dup(fd)), 0);
	checkpoint_stop();
	task_loop_stop();
}

/* Deliveries of all others go through the same process. */
static void test_a_silent_file_system_is_not_asked(void **state)
{
	(void)state;
	assert_int_equal(task_loop_open(), 0);
	checkpoint_start();
	assert_non_null(task_spawn("deliver", silent_server, NULL, 0));
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_lost_first_destination_is_repeated),
		cmocka_unit_test(test_a_silent_file_system_is_not_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
