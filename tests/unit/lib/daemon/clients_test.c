/* How many connections an address has.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/clients.h"

static void test_limit(void **state)
{
	struct table counts = {0};
	(void)state;
	assert_true(clients_enter(&counts, "192.0.2.1", 2));
	assert_true(clients_enter(&counts, "192.0.2.1", 2));
	assert_false(clients_enter(&counts, "192.0.2.1", 2));
	assert_true(clients_enter(&counts, "2001:db8::1", 2)); /* another address has its own */
	clients_leave(&counts, "192.0.2.1");
	assert_true(clients_enter(&counts, "192.0.2.1", 2)); /* the refused one was not counted */
	assert_true(clients_enter(&counts, "192.0.2.1", 0)); /* no limit */
	for (int i = 0; i < 3; i++)
		clients_leave(&counts, "192.0.2.1");
	clients_leave(&counts, "2001:db8::1");
	assert_int_equal(counts.count, 0); /* who is gone takes no room */
	table_done(&counts, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
