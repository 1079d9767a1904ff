/* The schedule: turns, limits, feedback, suspension; and the heap of next tries.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "qmgr/due.h"
#include "qmgr/schedule.h"

static struct transport_limits limits;

static void give_limits(void *arg, const char *transport, struct transport_limits *ret_limits)
{
	(void)arg;
	(void)transport;
	*ret_limits = limits;
}

static void begin(struct schedule *schedule)
{
	limits = (struct transport_limits){.concurrency_limit = 20, .initial_concurrency = 5,
		.failed_cohort_limit = 1, .recipient_limit = 50, .process_limit = 100,
		.positive = {1, FEEDBACK_CONSTANT}, .negative = {1, FEEDBACK_CONSTANT}};
	schedule_init(schedule);
	schedule->limits = give_limits;
	schedule->suspend_ms = 1000;
}

static bool add(struct schedule *schedule, struct schedule_message *message, const char *transport,
	const char *address, uint32_t index, int64_t now)
{
	const char *dsn, *text;
	struct span whole = span_from_cstr(address);
	struct schedule_recipient *recipient =
		schedule_recipient_new(index, 0, whole, whole, SPAN_EMPTY);
	const char *nexthop = strchr(address, '@') + 1;
	if (schedule_add(schedule, message, transport, nexthop, SPAN("+"), recipient, now, &dsn, &text))
		return true;
	assert_string_equal(dsn, "4.4.1");
	assert_string_equal(text, "no answer");
	free(recipient);
	return false;
}

static void add_many(struct schedule *schedule, struct schedule_message *message,
	const char *domain, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		char address[100];
		snprintf(address, sizeof address, "u%u@%s", i, domain);
		assert_true(add(schedule, message, "smtp", address, i, 0));
	}
}

static void finish(struct schedule *schedule, struct batch *batch, enum site_result result,
	int64_t now)
{
	schedule_recipients_free(&batch->recipients);
	assert_false(schedule_finish(schedule, batch, result, SPAN("4.4.1"), SPAN("no answer"), now));
}

/* Takes and finishes up to max deliveries; how many of them were message's. */
static int run(struct schedule *schedule, const struct schedule_message *message, int max,
	int *ret_all)
{
	int mine = 0, all = 0;
	struct batch batch;
	while (all < max && schedule_next(schedule, 0, &batch)) {
		mine += batch.message == message;
		all++;
		finish(schedule, &batch, SITE_OK, 0);
	}
	*ret_all = all;
	return mine;
}

static void test_batches_hold_at_most_the_limit(void **state)
{
	(void)state;
	struct schedule schedule;
	struct schedule_message message;
	struct batch batch;
	begin(&schedule);
	schedule_message_init(&message, true);
	add_many(&schedule, &message, "a.test", 120);
	assert_int_equal(message.waiting, 120);
	static const uint32_t sizes[] = {50, 50, 20};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		assert_true(schedule_next(&schedule, 0, &batch));
		assert_int_equal(batch.recipient_count, sizes[i]);
		finish(&schedule, &batch, SITE_OK, 0);
	}
	assert_false(schedule_next(&schedule, 0, &batch));
	assert_int_equal(message.waiting, 0);
	schedule_done(&schedule);
}

static void test_concurrency_grows_with_success_up_to_the_limit(void **state)
{
	(void)state;
	struct schedule schedule;
	struct schedule_message messages[200];
	struct batch batches[200];
	begin(&schedule);
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		schedule_message_init(&messages[i], false);
		assert_true(add(&schedule, &messages[i], "smtp", "u@a.test", 0, 0));
	}
	size_t open = 0;
	while (schedule_next(&schedule, 0, &batches[open]))
		open++;
	assert_int_equal(open, 5);
	/* list heads do not move: finish in place */
	size_t done = 0, widest = 0;
	finish(&schedule, &batches[done++], SITE_OK, 0);
	while (schedule_next(&schedule, 0, &batches[open]))
		open++;
	assert_int_equal(open - done, 6); /* one more for one success */
	while (done < ARRAY_LEN(messages)) {
		finish(&schedule, &batches[done++], SITE_OK, 0);
		while (open < ARRAY_LEN(messages) && schedule_next(&schedule, 0, &batches[open]))
			open++;
		if (open - done > widest)
			widest = open - done;
	}
	assert_int_equal(widest, 20);
	schedule_done(&schedule);
}

static void test_process_limit_of_a_transport(void **state)
{
	(void)state;
	struct schedule schedule;
	struct schedule_message message;
	struct batch batches[10];
	begin(&schedule);
	limits.process_limit = 3;
	schedule_message_init(&message, false);
	for (uint32_t i = 0; i < 10; i++) {
		char address[100];
		snprintf(address, sizeof address, "u@d%u.test", i);
		assert_true(add(&schedule, &message, "smtp", address, i, 0));
	}
	size_t open = 0;
	while (schedule_next(&schedule, 0, &batches[open]))
		open++;
	assert_int_equal(open, 3);
	for (size_t i = 0; i < open; i++)
		finish(&schedule, &batches[i], SITE_OK, 0);
	schedule_withdraw(&schedule, &message, 0);
	assert_int_equal(message.waiting, 0);
	schedule_done(&schedule);
}

static void test_destinations_take_turns(void **state)
{
	(void)state;
	struct schedule schedule;
	struct schedule_message messages[3];
	struct batch batch;
	begin(&schedule);
	limits.recipient_limit = 1; /* each recipient a delivery and a destination */
	static const char *const addresses[] = {"a@x.test", "b@x.test", "c@x.test"};
	for (size_t i = 0; i < 3; i++) {
		schedule_message_init(&messages[i], false);
		for (size_t j = 0; j < 3; j++)
			assert_true(add(&schedule, &messages[i], "local", addresses[j], 0, 0));
	}
	char order[10] = "";
	for (size_t i = 0; i < 9; i++) {
		assert_true(schedule_next(&schedule, 0, &batch));
		const struct schedule_recipient *recipient =
			LIST_ENTRY(batch.recipients.next, struct schedule_recipient, link);
		order[i] = recipient->address.ptr[0];
		finish(&schedule, &batch, SITE_OK, 0);
	}
	assert_string_equal(order, "abcabcabc");
	schedule_done(&schedule);
}

static void test_messages_take_turns_at_a_destination(void **state)
{
	(void)state;
	struct schedule schedule;
	struct schedule_message big, small;
	struct batch batch;
	begin(&schedule);
	schedule_message_init(&big, true);
	schedule_message_init(&small, false);
	add_many(&schedule, &big, "a.test", 1000);
	assert_true(add(&schedule, &small, "smtp", "one@a.test", 0, 0));
	int before = 0;
	while (schedule_next(&schedule, 0, &batch)) {
		bool is_small = batch.message == &small;
		finish(&schedule, &batch, SITE_OK, 0);
		if (is_small)
			break;
		before++;
	}
	assert_true(before <= 1);
	schedule_withdraw(&schedule, &big, 0);
	schedule_done(&schedule);
}

static void test_bulk_to_many_domains_neither_starves_nor_is_starved(void **state)
{
	(void)state;
	struct schedule schedule;
	struct schedule_message bulk, small[100];
	begin(&schedule);
	schedule_message_init(&bulk, true);
	for (uint32_t i = 0; i < 10000; i++) {
		char address[100];
		snprintf(address, sizeof address, "u@bulk%u.test", i);
		assert_true(add(&schedule, &bulk, "smtp", address, i, 0));
	}
	for (size_t i = 0; i < ARRAY_LEN(small); i++) {
		char address[100];
		snprintf(address, sizeof address, "u@small%zu.test", i);
		schedule_message_init(&small[i], false);
		assert_true(add(&schedule, &small[i], "smtp", address, 0, 0));
	}
	int all, mine = run(&schedule, &bulk, 100, &all);
	assert_int_equal(all, 100);
	/* a fifth is bulk's while both wait */
	assert_int_equal(mine, 20);
	mine = run(&schedule, &bulk, 25, &all);
	assert_int_equal(mine, 5);
	mine = run(&schedule, &bulk, 1000, &all);
	assert_int_equal(mine, 1000);
	schedule_withdraw(&schedule, &bulk, 0);
	schedule_done(&schedule);
}

static void test_a_dead_site_is_suspended_and_drained(void **state)
{
	(void)state;
	struct schedule schedule;
	struct schedule_message messages[8];
	struct batch batches[8], drained;
	begin(&schedule);
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		schedule_message_init(&messages[i], false);
		assert_true(add(&schedule, &messages[i], "smtp", "u@dead.test", 0, 0));
	}
	size_t open = 0;
	while (schedule_next(&schedule, 0, &batches[open]))
		open++;
	assert_int_equal(open, 5);
	bool suspended = false;
	size_t failed = 0;
	while (!suspended && failed < open) {
		schedule_recipients_free(&batches[failed].recipients);
		suspended = schedule_finish(&schedule, &batches[failed++], SITE_FAILED,
			SPAN("4.4.1"), SPAN("no answer"), 100);
	}
	/* one cohort: as many failures as deliveries at once, while failures also lower that number */
	assert_true(suspended);
	size_t count = 0;
	while (schedule_drain(&schedule, batches[0].destination, &drained)) {
		count += drained.recipient_count;
		schedule_recipients_free(&drained.recipients);
	}
	assert_int_equal(count, 3);
	while (failed < open)
		finish(&schedule, &batches[failed++], SITE_FAILED, 100);
	assert_false(add(&schedule, &messages[0], "smtp", "u@dead.test", 0, 500));
	/* the time is over */
	assert_true(add(&schedule, &messages[0], "smtp", "u@dead.test", 0, 1101));
	assert_true(schedule_next(&schedule, 1101, &batches[0]));
	finish(&schedule, &batches[0], SITE_OK, 1101);
	schedule_done(&schedule);
}

static void test_flush_forgets_suspensions(void **state)
{
	(void)state;
	struct schedule schedule;
	struct schedule_message message;
	struct batch batch;
	begin(&schedule);
	limits.initial_concurrency = 1;
	schedule_message_init(&message, false);
	assert_true(add(&schedule, &message, "smtp", "u@dead.test", 0, 0));
	assert_true(schedule_next(&schedule, 0, &batch));
	finish(&schedule, &batch, SITE_FAILED, 0);
	assert_int_equal(schedule.suspended_count, 1);
	assert_false(add(&schedule, &message, "smtp", "u@dead.test", 0, 1));
	schedule_resume_all(&schedule);
	assert_int_equal(schedule.suspended_count, 0);
	assert_true(add(&schedule, &message, "smtp", "u@dead.test", 0, 1));
	schedule_withdraw(&schedule, &message, 1);
	schedule_done(&schedule);
}

static void test_an_agent_that_died_says_nothing_about_the_site(void **state)
{
	(void)state;
	struct schedule schedule;
	struct schedule_message message;
	struct batch batch;
	begin(&schedule);
	limits.initial_concurrency = 1;
	schedule_message_init(&message, false);
	for (int i = 0; i < 5; i++) {
		assert_true(add(&schedule, &message, "smtp", "u@x.test", 0, 0));
		assert_true(schedule_next(&schedule, 0, &batch));
		finish(&schedule, &batch, SITE_NEUTRAL, 0);
	}
	assert_int_equal(schedule.suspended_count, 0);
	schedule_done(&schedule);
}

static void test_rate_delay(void **state)
{
	(void)state;
	struct schedule schedule;
	struct schedule_message messages[3];
	struct batch batch;
	begin(&schedule);
	limits.rate_delay_ms = 1000;
	for (size_t i = 0; i < 3; i++) {
		schedule_message_init(&messages[i], false);
		assert_true(add(&schedule, &messages[i], "smtp", "u@slow.test", 0, 0));
	}
	assert_true(schedule_next(&schedule, 0, &batch));
	struct batch second;
	assert_false(schedule_next(&schedule, 0, &second));
	finish(&schedule, &batch, SITE_OK, 200);
	assert_false(schedule_next(&schedule, 1199, &batch));
	assert_int_equal(schedule_wake_time(&schedule), 1200);
	assert_true(schedule_next(&schedule, 1200, &batch));
	finish(&schedule, &batch, SITE_OK, 1300);
	schedule_withdraw(&schedule, &messages[2], 1300);
	/* what only waits for its delay goes in the end */
	assert_false(schedule_next(&schedule, 5000, &batch));
	schedule_done(&schedule);
}

static void test_a_transport_out_of_reach(void **state)
{
	(void)state;
	struct schedule schedule;
	struct schedule_message message;
	struct batch batch, drained;
	begin(&schedule);
	schedule_message_init(&message, false);
	for (uint32_t i = 0; i < 4; i++) {
		char address[100];
		snprintf(address, sizeof address, "u@d%u.test", i);
		assert_true(add(&schedule, &message, "smtp", address, i, 0));
	}
	assert_true(schedule_next(&schedule, 0, &batch));
	struct transport *transport = batch.transport;
	schedule_suspend_transport(transport, SPAN("4.4.1"), SPAN("no answer"), 60000);
	size_t count = 0;
	while (schedule_drain_transport(&schedule, transport, &drained)) {
		count += drained.recipient_count;
		schedule_recipients_free(&drained.recipients);
	}
	assert_int_equal(count, 3);
	finish(&schedule, &batch, SITE_NEUTRAL, 0);
	assert_false(add(&schedule, &message, "smtp", "u@new.test", 0, 59999));
	assert_true(add(&schedule, &message, "smtp", "u@new.test", 0, 60000));
	assert_true(schedule_next(&schedule, 60000, &batch));
	finish(&schedule, &batch, SITE_OK, 60000);
	schedule_done(&schedule);
}

static void test_one_slow_person_does_not_hold_up_another(void **state)
{
	(void)state;
	struct schedule schedule;
	struct schedule_message messages[10];
	struct batch batches[10];
	begin(&schedule);
	limits.recipient_limit = 1;
	limits.concurrency_limit = 2;
	for (size_t i = 0; i < 9; i++) {
		schedule_message_init(&messages[i], false);
		assert_true(add(&schedule, &messages[i], "local", i % 2 == 0 ? "slow@x.test"
			: "SLOW+ext@x.test", 0, 0));
	}
	schedule_message_init(&messages[9], false);
	assert_true(add(&schedule, &messages[9], "local", "fast@x.test", 0, 0));
	size_t open = 0, fast = 0;
	while (schedule_next(&schedule, 0, &batches[open]))
		fast += batches[open++].message == &messages[9];
	assert_int_equal(open, 3);
	assert_int_equal(fast, 1);
	for (size_t i = 0; i < open; i++)
		finish(&schedule, &batches[i], SITE_OK, 0);
	for (size_t i = 0; i < 10; i++)
		schedule_withdraw(&schedule, &messages[i], 0);
	schedule_done(&schedule);
}

static void test_feedback_values(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool ok;
		double value;
		enum feedback_kind kind;
	} rows[] = {
		{"1", true, 1, FEEDBACK_CONSTANT},
		{"0.5", true, 0.5, FEEDBACK_CONSTANT},
		{" 1 / concurrency", true, 1, FEEDBACK_CONCURRENCY},
		{"0.25/sqrt_concurrency", true, 0.25, FEEDBACK_SQRT_CONCURRENCY},
		{"", false, 0, FEEDBACK_CONSTANT},
		{"2", false, 0, FEEDBACK_CONSTANT},
		{"-1", false, 0, FEEDBACK_CONSTANT},
		{"1/x", false, 0, FEEDBACK_CONSTANT},
		{"1.2.3", false, 0, FEEDBACK_CONSTANT},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct feedback feedback;
		if (feedback_parse(span_from_cstr(rows[i].text), &feedback) != rows[i].ok)
			fail_msg("\"%s\"", rows[i].text);
		if (!rows[i].ok)
			continue;
		assert_true(feedback.value > rows[i].value - 0.001 &&
			feedback.value < rows[i].value + 0.001);
		assert_int_equal(feedback.kind, rows[i].kind);
	}
}

static void test_heap_gives_the_earliest(void **state)
{
	(void)state;
	enum { COUNT = 500 };
	struct due_heap heap = {NULL, 0, 0};
	struct queue_entry *entries[COUNT];
	uint32_t random = 7;
	for (int i = 0; i < COUNT; i++) {
		random = random * 1103515245u + 12345u;
		entries[i] = memory_zalloc(1, sizeof **entries + 1);
		entries[i]->next_try_ms = (random >> 8) % 1000;
		due_add(&heap, entries[i]);
	}
	for (int i = 0; i < COUNT; i += 3)
		due_remove(&heap, entries[i]);
	due_remove(&heap, entries[0]); /* twice is harmless */
	int64_t last = -1;
	int count = 0;
	struct queue_entry *first;
	while ((first = due_first(&heap)) != NULL) {
		assert_true(first->next_try_ms >= last);
		last = first->next_try_ms;
		due_remove(&heap, first);
		assert_int_equal(first->heap_index, 0);
		count++;
	}
	assert_int_equal(count, COUNT - (COUNT + 2) / 3);
	for (int i = 0; i < COUNT; i++)
		free(entries[i]);
	due_free(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batches_hold_at_most_the_limit),
		cmocka_unit_test(test_concurrency_grows_with_success_up_to_the_limit),
		cmocka_unit_test(test_process_limit_of_a_transport),
		cmocka_unit_test(test_destinations_take_turns),
		cmocka_unit_test(test_messages_take_turns_at_a_destination),
		cmocka_unit_test(test_bulk_to_many_domains_neither_starves_nor_is_starved),
		cmocka_unit_test(test_a_dead_site_is_suspended_and_drained),
		cmocka_unit_test(test_flush_forgets_suspensions),
		cmocka_unit_test(test_an_agent_that_died_says_nothing_about_the_site),
		cmocka_unit_test(test_rate_delay),
		cmocka_unit_test(test_a_transport_out_of_reach),
		cmocka_unit_test(test_one_slow_person_does_not_hold_up_another),
		cmocka_unit_test(test_feedback_values),
		cmocka_unit_test(test_heap_gives_the_earliest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
