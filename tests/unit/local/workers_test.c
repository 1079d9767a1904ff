/* What a worker says that it has no reason to say does no harm to the front.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "local/local.h"
#include "task/task.h"

static struct local_done said;
static bool has_fd;

static void worker(void *arg)
{
	struct channel *channel = channel_new((int)(uintptr_t)arg);
	struct local_work *work;
	assert_int_equal(channel_expect(channel, &local_work_type, TASK_FOREVER, (void **)&work), 0);
	assert_int_equal(channel_send(channel, &local_done_type, &said), 0);
	assert_int_equal(channel_flush(channel, TASK_FOREVER), 0);
	channel_free(channel);
}

static void front(void *arg)
{
	struct worker_key key = {.uid = 4711, .gid = 4711, .tree = SPAN_EMPTY};
	struct local_work work = {.kind = LOCAL_WORK_READ, .content_fd = -1, .path = SPAN("/list")};
	struct channel *channel;
	struct local_done *done;
	worker_give(&key, channel_new((int)(uintptr_t)arg));
	assert_int_equal(worker_call(&key, &work, &channel, &done), 0);
	has_fd = done->flush_fd >= 0;
	if (has_fd)
		(void)close(done->flush_fd);
	channel_free(channel);
}

/* Does the front get the descriptor that came with this result? */
static bool gets_fd(enum local_result result)
{
	int pair[2], fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	said = (struct local_done){.result = result, .dsn = SPAN("2.0.0"), .text = SPAN("x"),
		.content = SPAN_EMPTY, .flush_fd = fd};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(task_loop_open(), 0);
	assert_non_null(task_spawn("worker", worker, (void *)(uintptr_t)pair[0], 0));
	assert_non_null(task_spawn("front", front, (void *)(uintptr_t)pair[1], 0));
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
	(void)close(fd);
	return has_fd;
}

static void test_a_descriptor_comes_with_a_delivery_only(void **state)
{
	(void)state;
	assert_true(gets_fd(LOCAL_DELIVERED));
	assert_false(gets_fd(LOCAL_READ));
	assert_false(gets_fd(LOCAL_FORWARD));
	assert_false(gets_fd(LOCAL_DEFERRED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_descriptor_comes_with_a_delivery_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
