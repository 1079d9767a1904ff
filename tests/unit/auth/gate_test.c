/* The gate in front of the password check: so many at once, the rest in turn, nothing left behind.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/gate.h"

#define GUESSERS 100

static unsigned inside, most, done, refused, others;

static void guesser(void *arg)
{
	(void)arg;
	struct gate *gate = gate_enter(SPAN("192.0.2.1"), task_deadline(60000));
	assert_non_null(gate);
	if (++inside > most)
		most = inside;
	(void)task_sleep(5);
	inside--;
	done++;
	gate_leave(gate);
}

static void hurried(void *arg)
{
	(void)arg;
	if (gate_enter(SPAN("192.0.2.1"), task_deadline(1)) == NULL)
		refused++;
}

static void neighbour(void *arg)
{
	(void)arg;
	struct gate *gate = gate_enter(SPAN("192.0.2.2"), task_deadline(1));
	assert_non_null(gate);
	others = done + 1;
	gate_leave(gate);
}

static void stop(void *arg)
{
	(void)arg;
	while (done < GUESSERS)
		(void)task_sleep(5);
	task_loop_stop();
}

static void test_gate(void **state)
{
	(void)state;
	assert_int_equal(task_loop_open(), 0);
	for (int i = 0; i < GUESSERS; i++)
		assert_non_null(task_spawn("guesser", guesser, NULL, 0));
	assert_non_null(task_spawn("hurried", hurried, NULL, 0));
	assert_non_null(task_spawn("neighbour", neighbour, NULL, 0));
	assert_non_null(task_spawn("stop", stop, NULL, 0));
	assert_int_equal(task_loop_run(), 0);
	assert_int_equal(most, GATE_WIDTH);
	assert_int_equal(refused, 1);
	assert_int_equal(others, 1); /* at once, before any of the crowd was done */
	assert_int_equal(gate_count(), 0);
	task_loop_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_gate)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
