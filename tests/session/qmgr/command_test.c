/* Commands of an administrator to qmgr while agents deliver: hold, release, delete, expire, flush.
 * SPDX-License-Identifier: ISC */
#include "fixture.h"

#include <string.h>

#include "queue/faults.h"

static char id[QUEUE_ID_MAX], second[QUEUE_ID_MAX];

static void hold_story(void)
{
	uint64_t count;
	submit_one("s@x.test", "defer@y.test", id);
	assert_true(wait_deferred(id));
	assert_int_equal(run_command(QUEUE_HOLD, id, false, &count), -EPERM);
	assert_int_equal(run_command(QUEUE_HOLD, id, true, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(run_command(QUEUE_HOLD, id, true, &count), 0);
	assert_int_equal(count, 0);
	assert_string_equal(entry_queue_name(entry_of(id)), "hold");
	fake.requests = 0;
	assert_int_equal(run_command(QUEUE_FLUSH_ALL, "", false, &count), 0);
	assert_int_equal(count, 0);
	queue_end();
	queue_begin();
	task_sleep(30);
	assert_string_equal(entry_queue_name(entry_of(id)), "hold");
	assert_int_equal(fake.requests, 0);
	assert_int_equal(run_command(QUEUE_RELEASE, "ALL", true, &count), 0);
	assert_int_equal(count, 1);
	waiting_retry(entry_of(id));
	task_sleep(20);
	assert_true(wait_deferred(id));
	assert_int_equal(fake.requests, 1);
	assert_int_equal(run_command(QUEUE_DELETE, "ALL", true, &count), 0);
	assert_int_equal(count, 1);
	assert_null(entry_of(id));
	queue_end();
	queue_begin();
	assert_null(entry_of(id));
	assert_int_equal(fake.reports, 0);
}

static void test_hold_release_delete(void **state)
{
	(void)state;
	play("", hold_story);
}

static void held_story(void)
{
	struct fixture_recipient one = {"sent@y.test", 0};
	uint64_t count;
	submit("s@x.test", &one, 1, QUEUE_HELD, id);
	task_sleep(30);
	assert_int_equal(fake.requests, 0);
	assert_int_equal(run_command(QUEUE_RELEASE, id, true, &count), 0);
	assert_true(wait_gone(id));
}

static void test_mail_that_is_born_held(void **state)
{
	(void)state;
	play("", held_story);
}

static void delete_in_flight_story(void)
{
	uint64_t count;
	fake.slow = true;
	submit_one("s@x.test", "defer@y.test", id);
	while (fake.requests == 0)
		task_sleep(1);
	assert_int_equal(run_command(QUEUE_DELETE, id, true, &count), 0);
	assert_int_equal(count, 1);
	assert_true(wait_gone(id));
	assert_int_equal(qmgr.active_count, 0);
	assert_int_equal(qmgr.recipients_in_memory, 0);
}

static void test_deleted_while_it_is_delivered(void **state)
{
	(void)state;
	play("", delete_in_flight_story);
}

static void force_expire_story(void)
{
	uint64_t count;
	submit_one("s@x.test", "defer@y.test", id);
	assert_true(wait_deferred(id));
	assert_int_equal(run_command(QUEUE_EXPIRE, id, true, &count), 0);
	assert_int_equal(count, 1);
	assert_true(wait_gone(id));
	assert_int_equal(fake.reports, 1);
	assert_int_equal(fake.requests, 1);
}

static void test_forced_expiration(void **state)
{
	(void)state;
	play("", force_expire_story);
}

static void site_flush_story(void)
{
	uint64_t count;
	submit_one("s@x.test", "defer@y.test", id);
	submit_one("s@x.test", "defer@z.test", second);
	assert_true(wait_deferred(id));
	assert_true(wait_deferred(second));
	assert_int_equal(run_command(QUEUE_FLUSH_SITE, "Z.test", false, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(run_command(QUEUE_FLUSH_ID, id, false, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(run_command(QUEUE_FLUSH_ID, "ZZZZZZ1", false, &count), 0);
	assert_int_equal(count, 0);
}

static void test_flush_of_a_site_and_of_an_id(void **state)
{
	(void)state;
	play("", site_flush_story);
}

static void held_in_flight_story(void)
{
	uint64_t count;
	fake.slow = true;
	submit_one("s@x.test", "sent@y.test", id);
	while (fake.requests == 0)
		task_sleep(1);
	assert_int_equal(run_command(QUEUE_HOLD, id, true, &count), 0);
	assert_int_equal(count, 1);
	assert_true(wait_gone(id)); /* it was delivered: nothing is left to hold */
}

static void test_held_while_it_is_delivered(void **state)
{
	(void)state;
	play("", held_in_flight_story);
}

static int full_disk(const char *operation)
{
	return strcmp(operation, "write") == 0 || strcmp(operation, "fdatasync") == 0 ? ENOSPC : 0;
}

/* What the ledger is going to say and what this process knows are the same. */
static void full_disk_story(void)
{
	uint64_t count;
	submit_one("s@x.test", "defer@y.test", id);
	submit_one("s@x.test", "defer@z.test", second);
	assert_true(wait_deferred(id));
	assert_true(wait_deferred(second));
	queue_faults = full_disk;
	assert_int_equal(run_command(QUEUE_DELETE, id, true, &count), -ENOSPC);
	assert_int_equal(run_command(QUEUE_HOLD, second, true, &count), -ENOSPC);
	queue_faults = NULL;
	bool is_there = entry_of(id) != NULL;
	bool is_held = (entry_of(second)->flags & ENTRY_HELD) != 0;
	assert_int_equal(qmgr_commit(), 0);
	queue_end();
	queue_begin();
	assert_int_equal(entry_of(id) != NULL, is_there);
	assert_int_equal((entry_of(second)->flags & ENTRY_HELD) != 0, is_held);
}

static void test_a_command_on_a_full_disk(void **state)
{
	(void)state;
	play("", full_disk_story);
}

static void moving_story(void)
{
	struct queue_command command = {QUEUE_DELETE, SPAN("ALL"), SPAN("deferred")};
	uint64_t count = 0;
	submit_one("s@x.test", "defer@y.test", id);
	assert_true(wait_deferred(id));
	fake.slow = true;
	waiting_retry(entry_of(id)); /* active as soon as the command waits for the disk */
	assert_int_equal(command_run(&command, true, &count), 0);
	assert_int_equal(count, 1);
	assert_true(wait_gone(id));
}

static void test_deleted_while_it_changes_its_queue(void **state)
{
	(void)state;
	play("", moving_story);
}

static void active_story(void)
{
	fake.slow = true;
	submit_one("s@x.test", "sent@y.test", id);
	while (fake.requests == 0)
		task_sleep(1);
	waiting_retry(entry_of(id));
	assert_true(wait_gone(id));
	assert_int_equal(fake.requests, 1);
	assert_int_equal(qmgr.active_count, 0);
}

static void test_a_message_is_not_active_twice(void **state)
{
	(void)state;
	play("", active_story);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_message_is_not_active_twice),
		cmocka_unit_test(test_hold_release_delete),
		cmocka_unit_test(test_mail_that_is_born_held),
		cmocka_unit_test(test_deleted_while_it_is_delivered),
		cmocka_unit_test(test_forced_expiration),
		cmocka_unit_test(test_flush_of_a_site_and_of_an_id),
		cmocka_unit_test(test_held_while_it_is_delivered),
		cmocka_unit_test(test_a_command_on_a_full_disk),
		cmocka_unit_test(test_deleted_while_it_changes_its_queue),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
