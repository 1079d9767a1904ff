/* The loop: order, waits, deadlines, cancellation, offload, events and the fake clock.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "task/task.h"

static char trace[64];
static size_t trace_len;

static void mark(char c)
{
	trace[trace_len++] = c;
	trace[trace_len] = '\0';
}

static int open_loop(void **state)
{
	(void)state;
	trace_len = 0;
	trace[0] = '\0';
	return task_loop_open();
}

static int close_loop(void **state)
{
	(void)state;
	task_loop_close();
	return 0;
}

static void yielding(void *arg)
{
	for (int i = 0; i < 3; i++) {
		mark(*(const char *)arg);
		task_yield();
	}
}

static void test_tasks_take_turns(void **state)
{
	(void)state;
	char a = 'a', b = 'b';
	task_spawn("a", yielding, &a, 0);
	task_spawn("b", yielding, &b, 0);
	assert_int_equal(task_loop_run(), 0);
	assert_string_equal(trace, "ababab");
	assert_true(task_count() == 0);
}

static void sleeping(void *arg)
{
	assert_int_equal(task_sleep(5), 0);
	*(bool *)arg = true;
}

static void busy(void *arg)
{
	uint64_t turn = task_turn();
	assert_true(turn != 0 && task_turn() == turn);
	while (!*(volatile bool *)arg)
		assert_int_equal(task_yield(), 0);
	assert_true(task_turn() > turn);
	mark('b');
}

static void test_a_busy_task_that_is_alone_lets_sleepers_wake(void **state)
{
	(void)state;
	bool awake = false;
	assert_true(task_turn() == 0);
	task_spawn("sleeping", sleeping, &awake, 0);
	task_spawn("busy", busy, &awake, 0);
	assert_int_equal(task_loop_run(), 0);
	assert_string_equal(trace, "b");
}

struct pair {
	int fd[2];
	int status;
};

static void read_one(void *arg)
{
	struct pair *pair = arg;
	char c;
	while (recv(pair->fd[0], &c, 1, MSG_DONTWAIT) != 1) {
		pair->status = task_wait_fd(pair->fd[0], TASK_READ, task_deadline(5000));
		if (pair->status != 0)
			return;
	}
	mark(c);
}

static void write_one(void *arg)
{
	struct pair *pair = arg;
	task_sleep(10);
	mark('w');
	assert_int_equal(write(pair->fd[1], "r", 1), 1);
}

static void test_waits_for_a_descriptor(void **state)
{
	(void)state;
	struct pair pair = {0};
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair.fd);
	task_spawn("read", read_one, &pair, 0);
	task_spawn("write", write_one, &pair, 0);
	assert_int_equal(task_loop_run(), 0);
	assert_string_equal(trace, "wr");
	task_forget_fd(pair.fd[0]);
	close(pair.fd[0]);
	close(pair.fd[1]);
}

/* Reads in pieces of 8, waiting after each short one without having seen EAGAIN. */
static void read_to_the_end(void *arg)
{
	struct pair *pair = arg;
	for (;;) {
		char bytes[8];
		ssize_t count = recv(pair->fd[0], bytes, sizeof bytes, MSG_DONTWAIT);
		if (count == 0)
			break;
		for (ssize_t i = 0; i < count; i++)
			mark(bytes[i]);
		if (count == sizeof bytes)
			continue;
		if (count > 0)
			task_fd_drained(pair->fd[0]);
		pair->status = task_wait_fd(pair->fd[0], TASK_READ, task_deadline(5000));
		if (pair->status != 0)
			return;
	}
	mark('.');
}

static void write_and_close(void *arg)
{
	struct pair *pair = arg;
	(void)task_yield();
	assert_int_equal(write(pair->fd[1], "0123456789", 10), 10);
	assert_int_equal(shutdown(pair->fd[1], SHUT_WR), 0);
}

static void test_the_end_behind_a_short_read_is_told(void **state)
{
	(void)state;
	struct pair early = {0}, late = {0};
	socketpair(AF_UNIX, SOCK_STREAM, 0, early.fd);
	socketpair(AF_UNIX, SOCK_STREAM, 0, late.fd);
	/* Bytes and end are there before the first read, and come together during a wait. */
	assert_int_equal(write(early.fd[1], "ab", 2), 2);
	assert_int_equal(shutdown(early.fd[1], SHUT_WR), 0);
	task_spawn("early", read_to_the_end, &early, 0);
	task_spawn("late", read_to_the_end, &late, 0);
	task_spawn("write", write_and_close, &late, 0);
	assert_int_equal(task_loop_run(), 0);
	assert_int_equal(early.status, 0);
	assert_int_equal(late.status, 0);
	assert_string_equal(trace, "ab.0123456789.");
	for (int i = 0; i < 2; i++) {
		task_forget_fd(early.fd[i]);
		task_forget_fd(late.fd[i]);
		close(early.fd[i]);
		close(late.fd[i]);
	}
}

#define ROUNDS 3

static void fill_each_time(void *arg)
{
	static const char block[4096];
	struct pair *pair = arg;
	for (int round = 0; round < ROUNDS; round++) {
		while (send(pair->fd[0], block, sizeof block, MSG_DONTWAIT) > 0)
			;
		mark('f');
		pair->status = task_wait_fd(pair->fd[0], TASK_WRITE, task_deadline(5000));
		if (pair->status != 0)
			return;
	}
}

static void drain_each_time(void *arg)
{
	char block[4096];
	struct pair *pair = arg;
	for (int round = 0; round < ROUNDS; round++) {
		task_sleep(5);
		mark('d');
		while (recv(pair->fd[1], block, sizeof block, MSG_DONTWAIT) > 0)
			;
		task_sleep(5); /* an edge that nobody waits for any more */
	}
}

static void test_room_to_write_is_told_each_time(void **state)
{
	(void)state;
	struct pair pair = {0};
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair.fd);
	task_spawn("fill", fill_each_time, &pair, 0);
	task_spawn("drain", drain_each_time, &pair, 0);
	assert_int_equal(task_loop_run(), 0);
	assert_int_equal(pair.status, 0);
	assert_string_equal(trace, "fdfdfd");
	task_forget_fd(pair.fd[0]);
	close(pair.fd[0]);
	close(pair.fd[1]);
}

static void wait_short(void *arg)
{
	struct pair *pair = arg;
	pair->status = task_wait_fd(pair->fd[0], TASK_READ, task_deadline(20));
}

static void test_deadline_passes(void **state)
{
	(void)state;
	struct pair pair = {0};
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair.fd);
	task_spawn("wait", wait_short, &pair, 0);
	assert_int_equal(task_loop_run(), 0);
	assert_int_equal(pair.status, -ETIMEDOUT);
	task_forget_fd(pair.fd[0]);
	close(pair.fd[0]);
	close(pair.fd[1]);
}

static struct task *victim;

static void sleep_long(void *arg)
{
	int *status = arg;
	*status = task_sleep(100000);
	mark('s');
	assert_int_equal(task_sleep(1), -ECANCELED);
	assert_true(task_is_canceled());
}

static void cancel_victim(void *arg)
{
	(void)arg;
	task_cancel(victim);
}

static void test_cancel_ends_every_wait(void **state)
{
	(void)state;
	int status = 0;
	victim = task_spawn("sleep", sleep_long, &status, 0);
	task_spawn("cancel", cancel_victim, NULL, 0);
	assert_int_equal(task_loop_run(), 0);
	assert_int_equal(status, -ECANCELED);
	assert_string_equal(trace, "s");
}

static void block_thread(void *arg)
{
	usleep(20000);
	*(int *)arg = 7;
}

static void offloading(void *arg)
{
	int value = 0;
	task_offload(block_thread, &value);
	assert_int_equal(value, 7);
	mark(*(const char *)arg);
}

static void test_offload_lets_others_run(void **state)
{
	(void)state;
	char a = 'a', x = 'x';
	task_spawn("offload", offloading, &a, 0);
	task_spawn("other", yielding, &x, 0);
	assert_int_equal(task_loop_run(), 0);
	assert_string_equal(trace, "xxxa");
}

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t arrival;
	unsigned arrived, wanted;
} meeting = {.mutex = PTHREAD_MUTEX_INITIALIZER, .arrival = PTHREAD_COND_INITIALIZER};

/* Ends only when as many jobs as are wanted run at once. */
static void meet(void *arg)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	pthread_mutex_lock(&meeting.mutex);
	meeting.arrived++;
	pthread_cond_broadcast(&meeting.arrival);
	while (meeting.arrived < meeting.wanted)
		if (pthread_cond_timedwait(&meeting.arrival, &meeting.mutex, &until) != 0)
			break;
	*(bool *)arg = meeting.arrived >= meeting.wanted;
	pthread_mutex_unlock(&meeting.mutex);
}

static void meet_in_the_pool(void *arg)
{
	bool met = false;
	(void)arg;
	task_offload(meet, &met);
	assert_true(met);
	mark('m');
}

static size_t threads(void)
{
	size_t count = 0;
	DIR *folder = opendir("/proc/self/task");
	assert_non_null(folder);
	for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

static size_t threads_before;

static void offload_one_by_one(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++) {
		meeting.arrived = 0;
		meet_in_the_pool(NULL);
		assert_int_equal(threads(), threads_before + 1);
	}
}

static void test_the_pool_has_the_threads_that_are_needed(void **state)
{
	(void)state;
	threads_before = threads();
	meeting.wanted = 1;
	task_spawn("one", offload_one_by_one, NULL, 0);
	assert_int_equal(task_loop_run(), 0);
	assert_string_equal(trace, "mmmmm");
}

static void test_jobs_of_the_pool_run_at_the_same_time(void **state)
{
	(void)state;
	meeting.wanted = 4;
	meeting.arrived = 0;
	for (int i = 0; i < 4; i++)
		task_spawn("meet", meet_in_the_pool, NULL, 0);
	assert_int_equal(task_loop_run(), 0);
	assert_string_equal(trace, "mmmm");
}

static struct task_event event;

static void wait_event(void *arg)
{
	assert_int_equal(task_event_wait(&event, TASK_FOREVER), 0);
	mark(*(const char *)arg);
}

static void signal_event(void *arg)
{
	(void)arg;
	task_event_signal_one(&event);
	task_yield();
	task_yield();
	mark('|');
	task_event_signal(&event);
}

static void test_events_wake_in_order(void **state)
{
	(void)state;
	char a = 'a', b = 'b', c = 'c';
	task_event_init(&event);
	task_spawn("a", wait_event, &a, 0);
	task_spawn("b", wait_event, &b, 0);
	task_spawn("c", wait_event, &c, 0);
	task_spawn("signal", signal_event, NULL, 0);
	assert_int_equal(task_loop_run(), 0);
	assert_string_equal(trace, "a|bc");
}

static void on_usr1(int signo)
{
	assert_int_equal(signo, SIGUSR1);
	mark('u');
	task_loop_stop();
}

static void raise_usr1(void *arg)
{
	(void)arg;
	kill(getpid(), SIGUSR1);
	task_sleep(10000);
}

static void test_signals_come_on_the_loop(void **state)
{
	(void)state;
	assert_int_equal(task_on_signal(SIGUSR1, on_usr1), 0);
	task_spawn("raise", raise_usr1, NULL, 0);
	assert_int_equal(task_loop_run(), 0);
	assert_string_equal(trace, "u");
}

static bool others_ran;

/* A peer that always has something more to say. */
static void be_busy(void *arg)
{
	task_time began = task_now();
	(void)arg;
	while (!others_ran)
		assert_int_equal(task_share(), 0);
	assert_true(task_now() > began); /* deadlines are seen to pass */
	mark('b');
}

static void run_between(void *arg)
{
	(void)arg;
	mark('o');
	others_ran = true;
}

static void test_a_busy_task_shares(void **state)
{
	(void)state;
	assert_int_equal(task_share(), 0); /* outside of a task: nothing */
	task_spawn("busy", be_busy, NULL, 0);
	task_spawn("other", run_between, NULL, 0);
	assert_int_equal(task_loop_run(), 0);
	assert_string_equal(trace, "ob");
}

static void sleep_hour(void *arg)
{
	(void)arg;
	assert_int_equal(task_sleep(3600 * 1000), 0);
	mark('h');
}

static void advance(void *arg)
{
	(void)arg;
	task_yield();
	task_clock_advance(3599 * 1000);
	task_yield();
	task_yield();
	mark('a');
	task_clock_advance(1000);
}

static void test_fake_clock(void **state)
{
	(void)state;
	task_clock_fake(1000);
	task_spawn("hour", sleep_hour, NULL, 0);
	task_spawn("advance", advance, NULL, 0);
	assert_int_equal(task_loop_run(), 0);
	assert_string_equal(trace, "ah");
}

static void short_nap(void *arg)
{
	task_sleep((int64_t)(intptr_t)arg);
}

static void test_thousands_of_tasks(void **state)
{
	(void)state;
	for (intptr_t i = 0; i < 5000; i++)
		assert_non_null(task_spawn("nap", short_nap, (void *)(i % 50), 16 * 1024));
	assert_int_equal(task_loop_run(), 0);
	assert_true(task_count() == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tasks_take_turns, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(
			test_a_busy_task_that_is_alone_lets_sleepers_wake, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(test_waits_for_a_descriptor, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(
			test_the_end_behind_a_short_read_is_told, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(
			test_room_to_write_is_told_each_time, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(test_deadline_passes, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(test_cancel_ends_every_wait, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(test_offload_lets_others_run, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(
			test_the_pool_has_the_threads_that_are_needed, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(
			test_jobs_of_the_pool_run_at_the_same_time, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(test_events_wake_in_order, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(test_signals_come_on_the_loop, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(test_a_busy_task_shares, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(test_thousands_of_tasks, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(test_fake_clock, open_loop, close_loop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
