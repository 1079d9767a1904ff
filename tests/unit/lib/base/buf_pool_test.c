/* Buffers that are used again.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf_pool.h"

static void no_more_than_max_are_out(void **state)
{
	(void)state;
	static struct buf_pool pool = {.size = 1000, .max = 2, .kept = 1};
	struct buf first, second, third;
	assert_true(buf_pool_take(&pool, &first));
	assert_true(buf_pool_take(&pool, &second));
	assert_false(buf_pool_take(&pool, &third));
	buf_pool_give(&pool, &first);
	assert_true(buf_pool_take(&pool, &third));
	buf_pool_give(&pool, &second);
	buf_pool_give(&pool, &third);
	buf_pools_drop();
	assert_int_equal(pool.spare_count, 0);
}

static void memory_is_used_again_and_empty(void **state)
{
	(void)state;
	static struct buf_pool pool = {.size = 1000, .max = 2, .kept = 1};
	struct buf buf;
	assert_true(buf_pool_take(&pool, &buf));
	assert_true(buf.alloc > 1000 && buf.cap == 1000 && buf.len == 0);
	const char *memory = buf.ptr;
	buf_append(&buf, SPAN("something"));
	(void)buf_reserve(&buf, 1000);
	assert_true(buf.overflow);
	buf_pool_give(&pool, &buf);
	assert_true(buf.ptr == NULL && buf.cap == 0);
	assert_true(buf_pool_take(&pool, &buf));
	assert_true(buf.ptr == memory && buf.len == 0 && !buf.overflow);
	buf_pool_give(&pool, &buf);
	buf_pools_drop();
	assert_int_equal(pool.spare_count, 0);
}

static void few_stay_when_none_is_out(void **state)
{
	(void)state;
	static struct buf_pool pool = {.size = 1000, .max = 3, .kept = 1};
	struct buf bufs[3];
	for (int i = 0; i < 3; i++)
		assert_true(buf_pool_take(&pool, &bufs[i]));
	buf_pool_give(&pool, &bufs[0]);
	buf_pool_give(&pool, &bufs[1]);
	assert_int_equal(pool.spare_count, 2);
	buf_pool_give(&pool, &bufs[2]);
	assert_int_equal(pool.spare_count, 1);
	buf_pools_drop();
	assert_int_equal(pool.spare_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_than_max_are_out),
		cmocka_unit_test(memory_is_used_again_and_empty),
		cmocka_unit_test(few_stay_when_none_is_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
