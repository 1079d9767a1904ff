/* What qmgr knows after a restart, and what becomes of records and segments: checkpoints, notices,
 * compaction, snapshots, damage.
 * SPDX-License-Identifier: ISC */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>

#include "queue/faults.h"
#include "queue/late.h"

static char id[QUEUE_ID_MAX], second[QUEUE_ID_MAX];

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
	fake.requests = fake.recipients = fake.firsts = 0;
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
	assert_int_equal(fake.firsts, 0);
	assert_int_equal(fake.reports, 1);
}

/* A predecessor may have begun on it and died. */
static void found_story(void)
{
	fake.no_agent = true;
	submit_one("s@x.test", "sent@y.test", id);
	assert_true(wait_deferred(id));
	queue_end();
	fake.no_agent = false;
	queue_begin();
	waiting_retry(entry_of(id));
	assert_true(wait_gone(id));
	assert_int_equal(fake.requests, 1);
	assert_int_equal(fake.firsts, 0);
}

static void test_what_is_found_at_the_start_may_have_been_tried(void **state)
{
	(void)state;
	play("", found_story);
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
	queue_writer_close(fake.writer);
	fake.writer = NULL; /* the next begins a segment */
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

static int reads;

/* qmgr_open has read the whole file (two reads); then it cannot be read, twice. */
static int fail_two_looks(const char *operation)
{
	return strcmp(operation, "read") == 0 && ++reads > 2 && reads <= 4 ? EIO : 0;
}

/* A message that is under way in a predecessor, which ended without a word. */
static void leave_late_file(void)
{
	struct late_log *late;
	fake.no_agent = true;
	submit_one("s@x.test", "away@y.test", id);
	assert_true(wait_deferred(id));
	queue_end();
	fake.no_agent = false;
	assert_int_equal(late_log_create(fake.folder, &late), 0);
	struct ledger_entry mark = {.kind = LEDGER_MARK, .queue_id = span_from_cstr(id),
		.count = 1, .dsn = SPAN_EMPTY, .text = SPAN_EMPTY, .remote_mta = SPAN_EMPTY,
		.diagnostic = SPAN_EMPTY};
	late_log_append(late, &mark);
	assert_int_equal(late_log_commit(late), 0);
	late_log_close(late);
}

/* It cannot be read for a moment. */
static void unreadable_late_story(void)
{
	leave_late_file();
	reads = 0;
	queue_faults = fail_two_looks;
	queue_begin();
	assert_non_null(entry_of(id));
	assert_int_equal(queue_entry_count(entry_of(id), RECIPIENT_AWAY), 1);
	assert_true(wait_gone(id) || wait_gone(id) || wait_gone(id) || wait_gone(id));
	queue_faults = NULL;
	assert_true(reads > 4);
}

static size_t count_files(const char *pattern)
{
	char path[300];
	glob_t found;
	snprintf(path, sizeof path, "%s/%s", fake.folder, pattern);
	size_t count = glob(path, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
	globfree(&found);
	return count;
}

static int fail_all_looks(const char *operation)
{
	return strcmp(operation, "read") == 0 ? EIO : 0;
}

static int fail_all_looks_but_two(const char *operation)
{
	return strcmp(operation, "read") == 0 && ++reads > 2 ? EIO : 0;
}

static void expect_set_aside(void)
{
	if (entry_of(id) != NULL)
		waiting_retry(entry_of(id));
	assert_true(wait_gone(id) || wait_gone(id));
	queue_faults = NULL;
	assert_int_equal(count_files("ledger/*.late"), 0);
	assert_int_equal(count_files("corrupt/*.late"), 1);
	assert_int_equal(fake.requests, 1);
}

/* Never again, from the start. */
static void lost_late_story(void)
{
	leave_late_file();
	fake.requests = 0;
	queue_faults = fail_all_looks;
	queue_begin();
	assert_int_equal(queue_entry_count(entry_of(id), RECIPIENT_AWAY), 0);
	expect_set_aside();
}

/* From a moment on when its recipients are left alone already. */
static void late_file_lost_in_use_story(void)
{
	leave_late_file();
	fake.requests = 0;
	reads = 0;
	late_again_ms = 1;
	queue_faults = fail_all_looks_but_two;
	queue_begin();
	for (int i = 0; i < 2000 && count_files("corrupt/*.late") == 0; i++)
		task_sleep(5);
	late_again_ms = 1000;
	expect_set_aside();
}

/* What is no file at all. */
static void late_folder_story(void)
{
	char path[300];
	submit_one("s@x.test", "sent@y.test", id);
	assert_true(wait_gone(id));
	queue_end();
	snprintf(path, sizeof path, "%s/ledger/0123456789abcdef.late", fake.folder);
	assert_int_equal(mkdir(path, 0700), 0);
	queue_begin();
	assert_int_equal(count_files("corrupt/0123456789abcdef.late"), 1);
	submit_one("s@x.test", "sent@y.test", second);
	assert_true(wait_gone(second));
}

static void test_what_a_predecessor_did_and_cannot_be_read_is_set_aside(void **state)
{
	(void)state;
	play("", lost_late_story);
	play("", late_file_lost_in_use_story);
	play("", late_folder_story);
}

static void test_what_a_predecessor_did_is_read_again(void **state)
{
	(void)state;
	play("", unreadable_late_story);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_record_lives_until_its_checkpoint),
		cmocka_unit_test(test_a_restart_knows_everything),
		cmocka_unit_test(test_what_a_predecessor_did_is_read_again),
		cmocka_unit_test(test_what_a_predecessor_did_and_cannot_be_read_is_set_aside),
		cmocka_unit_test(test_what_is_found_at_the_start_may_have_been_tried),
		cmocka_unit_test(test_what_is_done_does_not_come_back),
		cmocka_unit_test(test_a_damaged_segment_keeps_what_it_may_name),
		cmocka_unit_test(test_a_mostly_dead_segment_is_compacted),
		cmocka_unit_test(test_a_snapshot_is_the_whole_state),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
