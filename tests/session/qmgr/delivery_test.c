/* Messages through qmgr with fake delivery agents: outcomes, deferral, reports, holds, agents that
 * die, checkpoints, restarts.
 * SPDX-License-Identifier: ISC */
#include "fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

static char id[QUEUE_ID_MAX], second[QUEUE_ID_MAX];

static void sent_story(void)
{
	submit_one("s@x.test", "sent@y.test", id);
	assert_true(wait_gone(id));
	assert_int_equal(fake.requests, 1);
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
	fake.recipients = 0;
	assert_int_equal(command_run(&flush, false, &count), 0);
	assert_int_equal(count, 1);
	task_sleep(20);
	assert_true(wait_deferred(id));
	assert_int_equal(fake.recipients, 2);
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

static int run_command(enum queue_action action, const char *argument, bool privileged,
	uint64_t *ret_count)
{
	struct queue_command command = {action, span_from_cstr(argument), SPAN_EMPTY};
	*ret_count = 0;
	return command_run(&command, privileged, ret_count);
}

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

static void checkpoint_story(void)
{
	fake.hold_checkpoints = true;
	submit_one("s@x.test", "written@y.test", id);
	while (fake.requests == 0)
		task_sleep(1);
	task_sleep(50);
	assert_non_null(entry_of(id)); /* not dead before its checkpoint */
	assert_int_equal(queue_entry_count(entry_of(id), RECIPIENT_WRITTEN), 1);
	fake.hold_checkpoints = false;
	assert_true(wait_gone(id));
	assert_int_equal(fake.requests, 1);
}

static void lost_checkpoint_story(void)
{
	fake.hold_checkpoints = true;
	submit_one("s@x.test", "written@y.test", id);
	while (fake.requests == 0)
		task_sleep(1);
	task_sleep(30);
	fake.drop_checkpoint_channel = true;
	while (fake.requests == 1)
		task_sleep(1);
	fake.hold_checkpoints = false;
	assert_true(wait_gone(id));
	assert_int_equal(fake.requests, 2);
}

/* The agent could not make it durable, and qmgr ends before it has been delivered again: "written
 * in this boot" must not count as delivered then. */
static void lost_checkpoint_and_restart_story(void)
{
	fake.hold_checkpoints = true;
	submit_one("s@x.test", "written@y.test", id);
	while (fake.requests == 0)
		task_sleep(1);
	task_sleep(30);
	assert_int_equal(queue_entry_count(entry_of(id), RECIPIENT_WRITTEN), 1);
	fake.no_agent = true;
	fake.drop_checkpoint_channel = true;
	while (queue_entry_count(entry_of(id), RECIPIENT_WRITTEN) > 0)
		task_sleep(1);
	queue_end();
	fake.no_agent = false;
	fake.requests = 0;
	queue_begin();
	task_sleep(50);
	assert_non_null(entry_of(id));
	assert_int_equal(queue_entry_count(entry_of(id), RECIPIENT_DONE), 0);
	fake.hold_checkpoints = false;
	waiting_retry(entry_of(id));
	assert_true(wait_gone(id));
	assert_int_equal(fake.requests, 1);
}

static void test_a_record_lives_until_its_checkpoint(void **state)
{
	(void)state;
	play("", checkpoint_story);
	play("", lost_checkpoint_story);
	play("", lost_checkpoint_and_restart_story);
}

static void restart_story(void)
{
	static const struct fixture_recipient recipients[] = {{"sent@y.test", 0},
		{"defer@y.test", 0}, {"bounce@y.test", 0}, {"written@y.test", 0}};
	fake.hold_checkpoints = true;
	fake.refuse_reports = true;
	submit("s@x.test", recipients, 4, 0, id);
	assert_true(wait_deferred(id));
	int64_t next_try = entry_of(id)->next_try_ms;
	queue_end();
	fake.requests = fake.recipients = 0;
	fake.refuse_reports = false;
	queue_begin();
	const struct queue_entry *entry = entry_of(id);
	assert_non_null(entry);
	assert_int_equal(entry->next_try_ms, next_try);
	/* written in this boot: synced at the start, done */
	for (int i = 0; i < 2000 && queue_entry_count(entry, RECIPIENT_WRITTEN) > 0; i++)
		task_sleep(5);
	assert_int_equal(queue_entry_count(entry, RECIPIENT_DONE), 2);
	assert_int_equal(queue_entry_count(entry, RECIPIENT_BOUNCED), 1);
	assert_int_equal(queue_entry_count(entry, RECIPIENT_DEFERRED), 1);
	waiting_retry(entry_of(id));
	task_sleep(20);
	assert_true(wait_deferred(id));
	assert_int_equal(fake.recipients, 1);
	assert_int_equal(fake.reports, 1);
}

static void test_a_restart_knows_everything(void **state)
{
	(void)state;
	play("", restart_story);
}

static void lost_notice_story(void)
{
	/* Mail that arrived while qmgr was away, and nobody told of. */
	submit_one("s@x.test", "sent@y.test", id);
	assert_true(wait_gone(id));
	queue_end();
	qmgr.index = (struct queue_index){0};
	queue_index_init(&qmgr.index);
	queue_begin();
	assert_null(entry_of(id)); /* the ledger says it is done */
}

static void test_what_is_done_does_not_come_back(void **state)
{
	(void)state;
	play("", lost_notice_story);
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

static void put_file(const char *name, const char *text)
{
	static const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	char path[300];
	snprintf(path, sizeof path, "%s/%s", fake.folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

static bool is_there(const char *name)
{
	char path[300];
	snprintf(path, sizeof path, "%s/%s", fake.folder, name);
	return access(path, F_OK) == 0;
}

static void sweep_story(void)
{
	queue_end();
	put_file("large/AAAAAA1", "left by a crash");
	queue_begin();
	for (int i = 0; i < 400 && is_there("large/AAAAAA1"); i++)
		task_sleep(5);
	assert_false(is_there("large/AAAAAA1"));
	queue_end();
	/* Whose it is, a segment that cannot be read may say. */
	put_file("large/AAAAAA1", "perhaps acknowledged");
	put_file("journal/0000000000000007.seg", "damaged");
	queue_begin();
	task_sleep(50);
	assert_int_equal(qmgr.index.unreadable, 7);
	submit_one("s@x.test", "sent@y.test", id);
	assert_true(wait_gone(id));
	assert_true(is_there("large/AAAAAA1"));
	assert_true(is_there("journal/0000000000000007.seg"));
}

static void test_a_damaged_segment_keeps_what_it_may_name(void **state)
{
	(void)state;
	play("", sweep_story);
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

/* Mail that stays, in a segment whose rest is dead. */
static void compaction_story(void)
{
	uint64_t first_segment;
	submit_one("s@x.test", "defer@y.test", id);
	assert_true(wait_deferred(id));
	first_segment = entry_of(id)->position.segment;
	for (int i = 0; i < 20; i++) {
		submit_one("s@x.test", "sent@y.test", second);
		assert_true(wait_gone(second));
	}
	queue_writer_rotate(fake.writer);
	submit_one("s@x.test", "defer@z.test", second);
	assert_true(wait_deferred(second));
	for (int i = 0; i < 600 && fake.retired == 0; i++) {
		task_event_signal(&qmgr.housekeeping);
		task_sleep(5);
	}
	assert_int_equal(fake.copied, 1);
	assert_int_equal(fake.retired, 1);
	assert_true(entry_of(id)->position.segment > first_segment);
	/* it is still the same message, here and after a restart */
	assert_string_equal(queue_entry_run_at(entry_of(id), 0).reason->text, "box is busy");
	queue_end();
	queue_begin();
	assert_int_equal(qmgr.index.entries.count, 2);
	assert_string_equal(queue_entry_run_at(entry_of(id), 0).reason->text, "box is busy");
	fake.recipients = 0;
	waiting_retry(entry_of(id));
	while (fake.recipients == 0)
		task_sleep(1);
}

static void test_a_mostly_dead_segment_is_compacted(void **state)
{
	(void)state;
	housekeeping_compact_every_ms = 0;
	housekeeping_compact_min = 1000;
	play("", compaction_story);
	housekeeping_compact_every_ms = 60 * 1000;
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

static void snapshot_story(void)
{
	static const struct fixture_recipient recipients[] = {{"sent@y.test", 0},
		{"defer@y.test", 0}, {"defer2@y.test", 0}};
	uint64_t count;
	submit("s@x.test", recipients, 3, 0, id);
	assert_true(wait_deferred(id));
	submit_one("s@x.test", "sent@y.test", second);
	assert_true(wait_gone(second));
	assert_int_equal(run_command(QUEUE_HOLD, id, true, &count), 0);
	assert_int_equal(ledger_snapshot_begin(qmgr.ledger), 0);
	assert_int_equal(queue_index_snapshot(&qmgr.index, qmgr.ledger, qmgr.boot), 0);
	assert_int_equal(ledger_snapshot_commit(qmgr.ledger), 0);
	queue_end();
	queue_begin();
	assert_null(entry_of(second));
	const struct queue_entry *entry = entry_of(id);
	assert_non_null(entry);
	assert_true(entry->flags & ENTRY_HELD);
	assert_int_equal(queue_entry_run_at(entry, 0).state, RECIPIENT_DONE);
	assert_int_equal(queue_entry_run_at(entry, 1).count, 2);
	assert_string_equal(queue_entry_run_at(entry, 1).reason->text, "box is busy");
}

static void test_a_snapshot_is_the_whole_state(void **state)
{
	(void)state;
	play("", snapshot_story);
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
		cmocka_unit_test(test_hold_release_delete),
		cmocka_unit_test(test_mail_that_is_born_held),
		cmocka_unit_test(test_deleted_while_it_is_delivered),
		cmocka_unit_test(test_forced_expiration),
		cmocka_unit_test(test_flush_of_a_site_and_of_an_id),
		cmocka_unit_test(test_a_record_lives_until_its_checkpoint),
		cmocka_unit_test(test_a_restart_knows_everything),
		cmocka_unit_test(test_what_is_done_does_not_come_back),
		cmocka_unit_test(test_a_damaged_segment_keeps_what_it_may_name),
		cmocka_unit_test(test_a_large_message_stays_in_its_window),
		cmocka_unit_test(test_held_while_it_is_delivered),
		cmocka_unit_test(test_a_mostly_dead_segment_is_compacted),
		cmocka_unit_test(test_a_crowd_of_recipients),
		cmocka_unit_test(test_a_snapshot_is_the_whole_state),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
