/* Counting by anvil: one channel for all, one question at a time, a lost channel is replaced, and
 * no answer is no limit.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>

#include "service/anvil_client.h"

static struct {
	unsigned takes, questions;
	bool away, dies;
} fake;

static void serve(void *arg)
{
	struct channel *channel = arg;
	void *message;
	while (!fake.dies &&
		channel_expect(channel, &anvil_count_type, TASK_FOREVER, &message) == 0) {
		const struct anvil_count *count = message;
		struct anvil_answer answer = {.concurrent = ++fake.questions, .rate = count->event};
		assert_true(span_equal(count->service, SPAN("imaps")));
		assert_true(span_equal(count->client, SPAN("192.0.2.1")));
		task_yield();
		assert_int_equal(channel_send(channel, &anvil_answer_type, &answer), 0);
		assert_int_equal(channel_flush(channel, TASK_FOREVER), 0);
	}
	channel_free(channel);
}

static struct channel *take(void *arg, task_time deadline)
{
	int fds[2];
	(void)deadline;
	assert_ptr_equal(arg, &fake);
	if (fake.away)
		return NULL;
	fake.takes++;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_non_null(task_spawn("anvil", serve, channel_new(fds[1]), 0));
	return channel_new(fds[0]);
}

static struct anvil_client client;
static unsigned answered;

static void ask_once(void *arg)
{
	struct anvil_answer answer = {0};
	(void)arg;
	assert_true(anvil_client_count(&client, ANVIL_MESSAGE, "192.0.2.1", &answer));
	assert_int_equal(answer.rate, ANVIL_MESSAGE);
	assert_int_equal(answer.concurrent, ++answered); /* each got its own answer */
}

static void check(void *arg)
{
	struct anvil_answer answer = {0};
	(void)arg;
	anvil_client_init(&client, "imaps", take, &fake);
	fake.away = true;
	assert_false(anvil_client_count(&client, ANVIL_CONNECT, "192.0.2.1", &answer));
	fake.away = false;
	for (int i = 0; i < 5; i++)
		assert_non_null(task_spawn("asks", ask_once, NULL, 0));
	while (answered < 5)
		task_yield();
	assert_int_equal(fake.takes, 1);
	fake.dies = true; /* after the next answer */
	assert_true(anvil_client_count(&client, ANVIL_CONNECT, "192.0.2.1", &answer));
	assert_false(anvil_client_count(&client, ANVIL_CONNECT, "192.0.2.1", &answer));
	fake.dies = false;
	assert_true(anvil_client_count(&client, ANVIL_CONNECT, "192.0.2.1", &answer));
	assert_int_equal(fake.takes, 2);
	anvil_client_done(&client);
}

static void test_counting(void **state)
{
	(void)state;
	assert_int_equal(task_loop_open(), 0);
	assert_non_null(task_spawn("check", check, NULL, 256 * 1024));
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
