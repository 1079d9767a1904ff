/* Messages through qmgr with fake delivery agents: outcomes, deferral, reports, agents that die,
 * many recipients.
 * SPDX-License-Identifier: ISC */
#include "fixture.h"

static char id[QUEUE_ID_MAX], second[QUEUE_ID_MAX];

static void sent_story(void)
{
	submit_one("s@x.test", "sent@y.test", id);
	assert_true(wait_gone(id));
	assert_int_equal(fake.requests, 1);
	assert_int_equal(fake.firsts, 1);
	assert_int_equal(fake.reports, 0);
}

static void test_a_message_is_delivered_and_removed(void **state)
{
	(void)state;
	play("", sent_story);
}

static void mixed_story(void)
{
	static const struct fixture_recipient recipients[] = {{"sent@y.test", 0},
		{"defer@y.test", 0}, {"bounce@y.test", 0}, {"silent@y.test", 0}};
	submit("s@x.test", recipients, 4, 0, id);
	assert_true(wait_deferred(id));
	assert_int_equal(fake.reports, 1);
	assert_int_equal(fake.report_recipients, 1);
	assert_string_equal(fake.last_report_to, "s@x.test");
	assert_string_equal(fake.last_text, "no such box");
	const struct queue_entry *entry = entry_of(id);
	assert_int_equal(queue_entry_count(entry, RECIPIENT_DONE), 2);
	assert_int_equal(queue_entry_count(entry, RECIPIENT_DEFERRED), 2);
	assert_string_equal(queue_entry_run_at(entry, 1).reason->text, "box is busy");
	assert_true(entry->next_try_ms - wall_now() > 290 * 1000);
	/* only what is left is tried again */
	struct queue_command flush = {QUEUE_FLUSH_ALL, SPAN_EMPTY, SPAN_EMPTY};
	uint64_t count = 0;
	fake.recipients = fake.firsts = 0;
	assert_int_equal(command_run(&flush, false, &count), 0);
	assert_int_equal(count, 1);
	task_sleep(20);
	assert_true(wait_deferred(id));
	assert_int_equal(fake.recipients, 2);
	assert_int_equal(fake.firsts, 0);
	assert_int_equal(fake.reports, 1);
}

static void test_each_recipient_has_its_outcome(void **state)
{
	(void)state;
	play("", mixed_story);
}

static void report_later_story(void)
{
	fake.refuse_reports = true;
	submit_one("s@x.test", "bounce@y.test", id);
	assert_true(wait_deferred(id));
	assert_int_equal(queue_entry_count(entry_of(id), RECIPIENT_BOUNCED), 1);
	fake.refuse_reports = false;
	waiting_retry(entry_of(id));
	assert_true(wait_gone(id));
	assert_int_equal(fake.reports, 1);
	assert_int_equal(fake.requests, 1); /* not delivered again */
}

static void test_a_failed_recipient_stays_until_its_report_is_queued(void **state)
{
	(void)state;
	play("", report_later_story);
}

static void null_sender_story(void)
{
	submit_one("", "bounce@y.test", id);
	assert_true(wait_gone(id));
	assert_int_equal(fake.reports, 0);
}

static void double_bounce_story(void)
{
	submit_one("", "bounce@y.test", id);
	assert_true(wait_gone(id));
	assert_int_equal(fake.reports, 1);
	assert_string_equal(fake.last_report_to, "postmaster");
	submit_one("double-bounce@example.com", "bounce@y.test", id);
	assert_true(wait_gone(id));
	assert_int_equal(fake.reports, 1);
}

static void test_the_null_sender_gets_no_report(void **state)
{
	(void)state;
	play("", null_sender_story);
	play("notify_classes = 2bounce\n", double_bounce_story);
}

static void notify_story(void)
{
	static const struct fixture_recipient recipients[] = {{"bounce1@y.test", DSN_NEVER},
		{"bounce2@y.test", DSN_SUCCESS}, {"bounce3@y.test", DSN_FAILURE},
		{"sent@y.test", DSN_SUCCESS}, {"sent2@y.test", 0}};
	submit("s@x.test", recipients, 5, 0, id);
	assert_true(wait_gone(id));
	assert_int_equal(fake.success_reports, 1);
	assert_int_equal(fake.reports, 2);
	assert_int_equal(fake.report_recipients, 2);
}

static void test_notify_decides_who_is_told(void **state)
{
	(void)state;
	play("", notify_story);
}

static void expire_story(void)
{
	submit_one("s@x.test", "defer@y.test", id);
	assert_true(wait_deferred(id));
	wall_offset = 6LL * 24 * 3600 * 1000;
	waiting_retry(entry_of(id));
	assert_true(wait_gone(id));
	assert_int_equal(fake.reports, 1);
	assert_string_equal(fake.last_text, "box is busy");
}

static void test_old_mail_is_returned(void **state)
{
	(void)state;
	play("", expire_story);
}

/* The clock was years ahead when the message was deferred. */
static void clock_story(void)
{
	wall_offset = 4LL * 365 * 24 * 3600 * 1000;
	submit_one("s@x.test", "defer@y.test", id);
	assert_true(wait_deferred(id));
	int requests = fake.requests;
	task_event_signal(&qmgr.feed);
	task_sleep(50);
	assert_int_equal(fake.requests, requests);
	wall_offset = 0;
	task_event_signal(&qmgr.feed); /* qmgr looks by itself once a minute */
	for (int i = 0; i < 400 && fake.requests == requests; i++)
		task_sleep(5);
	assert_int_equal(fake.requests, requests + 1);
	assert_true(wait_deferred(id));
	assert_true(entry_of(id)->next_try_ms - wall_now() < 400 * 1000);
}

static void test_a_clock_that_goes_back(void **state)
{
	(void)state;
	play("", clock_story);
}

static void delay_story(void)
{
	submit_one("s@x.test", "defer@y.test", id);
	assert_true(wait_deferred(id));
	assert_int_equal(fake.delay_reports, 0);
	wall_offset = 5LL * 3600 * 1000;
	for (int i = 0; i < 2; i++) {
		waiting_retry(entry_of(id));
		task_sleep(20);
		assert_true(wait_deferred(id));
		assert_int_equal(fake.delay_reports, 1); /* once */
	}
}

static void test_one_warning_of_delay(void **state)
{
	(void)state;
	play("delay_warning_time = 4h\n", delay_story);
}

static void death_story(void)
{
	/* a channel of an agent that has just ended: tried again at once */
	fake.die_next = 1;
	submit_one("s@x.test", "sent@y.test", id);
	assert_true(wait_gone(id));
	assert_int_equal(fake.deaths, 1);
	assert_int_equal(fake.firsts, 1); /* the second agent hears that it may not be the first */
	/* an agent that dies of the message: soon, not at once */
	fake.die_next = 2;
	submit_one("s@x.test", "sent@y.test", id);
	assert_true(wait_deferred(id));
	assert_int_equal(fake.deaths, 3);
	assert_true(entry_of(id)->next_try_ms - wall_now() <= 5000);
	waiting_retry(entry_of(id));
	assert_true(wait_gone(id));
}

static void test_an_agent_that_dies_loses_nothing(void **state)
{
	(void)state;
	play("", death_story);
}

static void no_agent_story(void)
{
	fake.no_agent = true;
	submit_one("s@x.test", "sent@y.test", id);
	submit_one("s@x.test", "sent@z.test", second);
	assert_true(wait_deferred(id));
	assert_true(wait_deferred(second));
	assert_string_equal(queue_entry_run_at(entry_of(id), 0).reason->text,
		"mail transport unavailable");
}

static void test_a_transport_that_is_not_there(void **state)
{
	(void)state;
	play("", no_agent_story);
}

static void dead_site_story(void)
{
	char ids[12][QUEUE_ID_MAX];
	fake.slow = true;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		submit_one("s@x.test", "site@dead.test", ids[i]);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		assert_true(wait_deferred(ids[i]));
	assert_true(fake.requests <= 5);
	submit_one("s@x.test", "site@dead.test", id);
	assert_true(wait_deferred(id));
	assert_true(fake.requests <= 5);
	assert_string_equal(queue_entry_run_at(entry_of(id), 0).reason->text,
		"delivery temporarily suspended: connect: timed out");
	assert_string_equal(queue_entry_run_at(entry_of(id), 0).reason->dsn, "4.4.1");
	submit_one("s@x.test", "sent@alive.test", second);
	assert_true(wait_gone(second));
}

static void test_a_dead_site_is_left_alone(void **state)
{
	(void)state;
	play("", dead_site_story);
}

static void builtin_story(void)
{
	submit_one("s@x.test", "u@error.test", id);
	assert_true(wait_gone(id));
	assert_int_equal(fake.reports, 1);
	assert_string_equal(fake.last_text, "not here");
	submit_one("s@x.test", "u@retry.test", id);
	assert_true(wait_deferred(id));
	assert_string_equal(queue_entry_run_at(entry_of(id), 0).reason->dsn, "4.7.7");
	submit_one("s@x.test", "u@discard.test", id);
	assert_true(wait_gone(id));
	assert_int_equal(fake.requests, 0);
}

static void test_error_retry_discard(void **state)
{
	(void)state;
	play("transport_maps = inline:{ {error.test = error:5.7.1 not here},"
		" {retry.test = retry:4.7.7 not now}, {discard.test = discard:gone} }\n",
		builtin_story);
}

static void table_error_story(void)
{
	submit_one("s@x.test", "sent@y.test", id);
	assert_true(wait_deferred(id));
	assert_int_equal(fake.requests + fake.reports, 0);
}

static void test_a_table_that_fails_defers(void **state)
{
	(void)state;
	play("transport_maps = lmdb:/nonexistent/table\n", table_error_story);
}

static void many_story(void)
{
	enum { COUNT = 900 };
	static char names[COUNT][40];
	struct fixture_recipient recipients[COUNT];
	for (int i = 0; i < COUNT; i++) {
		snprintf(names[i], sizeof names[i], "sent%d@d%d.test", i, i % 300);
		recipients[i] = (struct fixture_recipient){names[i], 0};
	}
	fake.slow = true;
	submit("s@x.test", recipients, COUNT, 0, id);
	size_t most = 0;
	while (entry_of(id) != NULL) {
		if (qmgr.recipients_in_memory > most)
			most = qmgr.recipients_in_memory;
		task_sleep(1);
	}
	assert_int_equal(fake.recipients, COUNT);
	/* the limit, and one window */
	assert_true(most <= 150);
	assert_true(fake.widest <= 100);
}

static void test_a_large_message_stays_in_its_window(void **state)
{
	(void)state;
	play("qmgr_message_recipient_limit = 50\n", many_story);
}

static void crowd_story(void)
{
	enum { COUNT = 20000 };
	size_t most = 0, most_runs = 0;
	submit_many(COUNT, 7, id);
	for (const struct queue_entry *entry; (entry = entry_of(id)) != NULL; task_sleep(1)) {
		if (qmgr.recipients_in_memory > most)
			most = qmgr.recipients_in_memory;
		if (entry->run_count > most_runs)
			most_runs = entry->run_count;
	}
	assert_int_equal(fake.recipients, COUNT);
	assert_true(most <= 1100);
	/* what is done is known by few runs, not by each recipient */
	assert_true(most_runs <= 1100);
}

static void test_a_crowd_of_recipients(void **state)
{
	(void)state;
	play("qmgr_message_recipient_limit = 1000\n", crowd_story);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_message_is_delivered_and_removed),
		cmocka_unit_test(test_each_recipient_has_its_outcome),
		cmocka_unit_test(test_a_failed_recipient_stays_until_its_report_is_queued),
		cmocka_unit_test(test_the_null_sender_gets_no_report),
		cmocka_unit_test(test_notify_decides_who_is_told),
		cmocka_unit_test(test_old_mail_is_returned),
		cmocka_unit_test(test_one_warning_of_delay),
		cmocka_unit_test(test_a_clock_that_goes_back),
		cmocka_unit_test(test_an_agent_that_dies_loses_nothing),
		cmocka_unit_test(test_a_transport_that_is_not_there),
		cmocka_unit_test(test_a_dead_site_is_left_alone),
		cmocka_unit_test(test_error_retry_discard),
		cmocka_unit_test(test_a_table_that_fails_defers),
		cmocka_unit_test(test_a_large_message_stays_in_its_window),
		cmocka_unit_test(test_a_crowd_of_recipients),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
