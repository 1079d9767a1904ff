/* The counters of clients: windows, connections, owners that die.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "anvil/counters.h"
#include "base/check.h"

static struct counters counters;
static struct counters_owner first, second;

static int setup(void **state)
{
	(void)state;
	counters_init(&counters, 60000);
	counters_owner_init(&first);
	counters_owner_init(&second);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	counters_owner_done(&counters, &first);
	counters_owner_done(&counters, &second);
	counters_done(&counters);
	return 0;
}

static struct anvil_answer count(struct counters_owner *owner, enum anvil_event event,
	const char *client, task_time now)
{
	struct anvil_count message = {.event = event, .service = SPAN("smtp"),
		.client = span_from_cstr(client)};
	struct anvil_answer answer;

	counters_count(&counters, owner, &message, now, &answer);
	return answer;
}

static void connections(void **state)
{
	(void)state;
	assert_int_equal(count(&first, ANVIL_CONNECT, "a", 0).concurrent, 1);
	assert_int_equal(count(&second, ANVIL_CONNECT, "a", 0).concurrent, 2);
	assert_int_equal(count(&first, ANVIL_CONNECT, "b", 0).concurrent, 1);
	assert_int_equal(count(&first, ANVIL_DISCONNECT, "a", 0).concurrent, 1);
	/* it has no other to end */
	assert_int_equal(count(&first, ANVIL_DISCONNECT, "a", 0).concurrent, 1);
	assert_int_equal(count(&second, ANVIL_DISCONNECT, "a", 0).concurrent, 0);
}

static void rates(void **state)
{
	(void)state;
	assert_int_equal(count(&first, ANVIL_MESSAGE, "a", 1000).rate, 1);
	assert_int_equal(count(&second, ANVIL_MESSAGE, "a", 2000).rate, 2);
	assert_int_equal(count(&first, ANVIL_RECIPIENT, "a", 2000).rate, 1);
	assert_int_equal(count(&first, ANVIL_MESSAGE, "b", 2000).rate, 1);
	assert_int_equal(count(&first, ANVIL_MESSAGE, "a", 60999).rate, 3);
	assert_int_equal(count(&first, ANVIL_MESSAGE, "a", 61000).rate, 1);
}

static void owner_dies(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		(void)count(&first, ANVIL_CONNECT, "a", 0);
	assert_int_equal(count(&second, ANVIL_CONNECT, "a", 0).concurrent, 6);
	counters_owner_done(&counters, &first);
	counters_owner_init(&first);
	assert_int_equal(count(&second, ANVIL_CONNECT, "a", 0).concurrent, 2);
}

static void forgetting(void **state)
{
	(void)state;
	char name[32];

	(void)count(&first, ANVIL_CONNECT, "stays", 0);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "client%d", i);
		(void)count(&first, ANVIL_MESSAGE, name, 0);
	}
	assert_int_equal(counters.clients.count, 101);
	for (int i = 0; i < 100; i++)
		(void)count(&first, ANVIL_MESSAGE, "later", 60000);
	assert_int_equal(counters.clients.count, 2);
	assert_int_equal(count(&first, ANVIL_CONNECT, "stays", 60000).concurrent, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(connections, setup, teardown),
		cmocka_unit_test_setup_teardown(rates, setup, teardown),
		cmocka_unit_test_setup_teardown(owner_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(forgetting, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
