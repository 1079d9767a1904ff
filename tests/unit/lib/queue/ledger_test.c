/* The ledger: order, commits, torn tails, faults at every step, snapshots.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "queue/faults.h"
#include "queue/ledger.h"
#include "queue_fixture.h"
#include "task/task.h"

/* What a reader sees: the values, in order. */
#define SEEN_MAX 100000
static uint64_t seen[SEEN_MAX];
static size_t seen_count;
static void see(void *arg, const struct ledger_entry *entry)
{
	(void)arg;
	if (seen_count < SEEN_MAX)
		seen[seen_count++] = entry->value;
}

static struct ledger *open_ledger(void)
{
	struct ledger *ledger;
	uint64_t count;
	seen_count = 0;
	assert_int_equal(ledger_open(directory, &ledger), 0);
	assert_int_equal(ledger_load(ledger, see, NULL, &count), 0);
	assert_int_equal(count, seen_count);
	return ledger;
}

static void append(struct ledger *ledger, uint64_t value)
{
	struct ledger_entry entry = {.kind = LEDGER_DEFERRED,
		.queue_id = SPAN("0123ABC"),
		.value = value,
		.text = SPAN("connection refused"),
		.dsn = SPAN("4.4.1"),
		.remote_mta = SPAN_EMPTY,
		.diagnostic = SPAN_EMPTY};
	ledger_append(ledger, &entry);
}

static void read_all(void)
{
	uint64_t count;
	seen_count = 0;
	assert_int_equal(ledger_read(directory, see, NULL, &count), 0);
}

static void assert_sequence(size_t count)
{
	assert_int_equal(seen_count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(seen[i], i);
}

static void test_order_and_reopening(void **state)
{
	(void)state;
	uint64_t value = 0;
	for (int life = 0; life < 5; life++) {
		struct ledger *ledger = open_ledger(), *other;
		assert_sequence((size_t)value);
		assert_int_equal(ledger_open(directory, &other), -EBUSY);
		for (int i = 0; i < 1000; i++) {
			append(ledger, value++);
			if (i % 100 == 99)
				assert_int_equal(ledger_commit(ledger), 0);
		}
		append(ledger, 4711); /* never committed: never seen */
		ledger_close(ledger);
	}
	read_all();
	assert_sequence((size_t)value);
}

/* What is written ahead is there without a commit, in order, once, and once only after it. */
static void test_written_ahead(void **state)
{
	(void)state;
	uint64_t value = 0;
	struct ledger *ledger = open_ledger();
	append(ledger, value++);
	ledger_write_ahead(ledger); /* no log yet */
	assert_int_equal(ledger_commit(ledger), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 2; i++) {
			append(ledger, value++);
			ledger_write_ahead(ledger);
			read_all();
			assert_sequence((size_t)value);
		}
		append(ledger, value++); /* this one is not */
		read_all();
		assert_sequence((size_t)value - 1);
		assert_int_equal(ledger_commit(ledger), 0);
		read_all();
		assert_sequence((size_t)value);
	}
	append(ledger, value++);
	ledger_write_ahead(ledger);
	assert_int_equal(ledger_snapshot_begin(ledger), 0); /* a new log begins */
	ledger_snapshot_abort(ledger);
	ledger_write_ahead(ledger);
	assert_int_equal(ledger_commit(ledger), 0);
	read_all();
	assert_sequence((size_t)value);
	ledger_close(ledger);
}

/* The first log is made although no descriptor is left. */
static void test_no_descriptors(void **state)
{
	(void)state;
	struct rlimit before, few;
	int taken[64];
	size_t count = 0;
	struct ledger *ledger = open_ledger();
	append(ledger, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){.rlim_cur = ARRAY_LEN(taken), .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (count < ARRAY_LEN(taken) && (taken[count] = open("/dev/null", O_RDONLY)) >= 0)
		count++;
	int error = ledger_commit(ledger);
	while (count > 0)
		close(taken[--count]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(error, 0);
	ledger_close(ledger);
	read_all();
	assert_sequence(1);
}

static char *find_file(const char *pattern)
{
	static char path[256];
	char full[128];
	glob_t found;
	snprintf(full, sizeof full, "%s/ledger/%s", directory, pattern);
	assert_int_equal(glob(full, 0, NULL, &found), 0);
	snprintf(path, sizeof path, "%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return path;
}

/* The last log cut at any byte: a prefix of what was written, and the ledger goes on from there. */
static void test_torn_at_every_byte(void **state)
{
	(void)state;
	struct ledger *ledger = open_ledger();
	for (uint64_t i = 0; i < 5; i++)
		append(ledger, i);
	assert_int_equal(ledger_commit(ledger), 0);
	ledger_close(ledger);
	char path[256];
	snprintf(path, sizeof path, "%s", find_file("*.log"));
	int fd = open(path, O_RDWR);
	off_t end = lseek(fd, 0, SEEK_END);
	size_t last = 5;
	while (--end > 4096) {
		assert_int_equal(ftruncate(fd, end), 0);
		read_all();
		assert_true(seen_count == last || seen_count + 1 == last);
		last = seen_count;
		assert_sequence(seen_count);
	}
	assert_int_equal(last, 0);
	close(fd);
}

static int fault_at, fault_count, fault_errno;
static int fail_once(const char *operation)
{
	(void)operation;
	return ++fault_count == fault_at ? fault_errno : 0;
}

/* Whatever step fails: what a commit confirmed is there, in order, exactly once. */
static void test_fault_at_every_step(void **state)
{
	(void)state;
	static const int errors[] = {EIO, ENOSPC};
	uint64_t value = 0;
	for (size_t e = 0; e < 2; e++)
		for (fault_at = 1; fault_at < 40; fault_at++) {
			struct ledger *ledger = open_ledger();
			assert_sequence((size_t)value);
			fault_count = 0;
			fault_errno = errors[e];
			queue_faults = fail_once;
			int failures = 0;
			for (int i = 0; i < 10; i++) {
				append(ledger, value++);
				failures += ledger_commit(ledger) != 0;
			}
			queue_faults = NULL;
			assert_true(failures <= 1);
			assert_int_equal(ledger_commit(ledger), 0);
			assert_int_equal(ledger_pending(ledger), 0);
			ledger_close(ledger);
		}
	read_all();
	assert_sequence((size_t)value);
}

static int fail_writes(const char *operation)
{
	return strcmp(operation, "write") == 0 ? ENOSPC : 0;
}

static void test_full_disk_keeps_entries(void **state)
{
	(void)state;
	struct ledger *ledger = open_ledger();
	append(ledger, 0);
	assert_int_equal(ledger_commit(ledger), 0);
	queue_faults = fail_writes;
	for (uint64_t i = 1; i < 20; i++) {
		append(ledger, i);
		(void)ledger_commit(ledger);
	}
	static char text[LEDGER_TEXT_MAX];
	memset(text, 'x', sizeof text);
	for (uint64_t i = 20; i < 2000; i++) {
		struct ledger_entry entry = {.kind = LEDGER_SENT,
			.queue_id = SPAN("0123ABC"),
			.value = i,
			.text = span_new(text, sizeof text),
			.dsn = SPAN_EMPTY,
			.remote_mta = SPAN_EMPTY,
			.diagnostic = SPAN_EMPTY};
		ledger_append(ledger, &entry);
	}
	assert_int_equal(ledger_commit(ledger), -ENOSPC);
	queue_faults = NULL;
	assert_int_equal(ledger_commit(ledger), 0);
	ledger_close(ledger);
	read_all();
	assert_sequence(2000);
}

/* A snapshot takes the place of what came before; what is appended meanwhile stays. A failure or a
 * crash at any step leaves the old state or the new one. */
static void test_snapshot(void **state)
{
	(void)state;
	struct ledger *ledger = open_ledger();
	for (uint64_t i = 0; i < 100; i++)
		append(ledger, 1000 + i);
	assert_int_equal(ledger_commit(ledger), 0);
	uint64_t before = ledger_log_bytes(ledger);
	assert_true(before > 5000);
	assert_int_equal(ledger_snapshot_begin(ledger), 0);
	append(ledger, 3);
	assert_int_equal(ledger_commit(ledger), 0);
	for (uint64_t i = 0; i < 3; i++) {
		struct ledger_entry entry = {.kind = LEDGER_RETRY,
			.queue_id = SPAN("0123ABC"),
			.value = i,
			.text = SPAN_EMPTY,
			.dsn = SPAN_EMPTY,
			.remote_mta = SPAN_EMPTY,
			.diagnostic = SPAN_EMPTY};
		assert_int_equal(ledger_snapshot_put(ledger, &entry), 0);
	}
	read_all(); /* not complete: does not count */
	assert_int_equal(seen_count, 101);
	assert_int_equal(ledger_snapshot_commit(ledger), 0);
	assert_true(ledger_log_bytes(ledger) < before);
	append(ledger, 4);
	assert_int_equal(ledger_commit(ledger), 0);
	read_all();
	assert_sequence(5);
	ledger_close(ledger);
	ledger = open_ledger();
	assert_sequence(5);
	append(ledger, 5);
	assert_int_equal(ledger_commit(ledger), 0);
	for (fault_at = 1; fault_at < 20; fault_at++) {
		fault_count = 0;
		fault_errno = EIO;
		queue_faults = fail_once;
		int error = ledger_snapshot_begin(ledger);
		for (uint64_t i = 0; error == 0 && i < 6; i++) {
			struct ledger_entry entry = {.kind = LEDGER_RETRY,
				.queue_id = SPAN("0123ABC"),
				.value = i,
				.text = SPAN_EMPTY,
				.dsn = SPAN_EMPTY,
				.remote_mta = SPAN_EMPTY,
				.diagnostic = SPAN_EMPTY};
			error = ledger_snapshot_put(ledger, &entry);
		}
		if (error == 0)
			error = ledger_snapshot_commit(ledger);
		ledger_snapshot_abort(ledger);
		queue_faults = NULL;
		append(ledger, (uint64_t)(100 + fault_at));
		assert_int_equal(ledger_commit(ledger), 0);
		read_all();
		assert_true(seen_count >= 7);
		assert_int_equal(seen[seen_count - 1], 100 + fault_at);
		seen_count = 6;
		assert_sequence(6);
	}
	ledger_close(ledger);
}

static int fail_first_flush_of_names(const char *operation)
{
	return strcmp(operation, "fsync-directory") == 0 && fault_count++ == 0 ? EIO : 0;
}

/* A log that got its name, but not its durability, leaves a gap in the numbers. */
static void test_snapshot_after_a_failed_one(void **state)
{
	(void)state;
	struct ledger *ledger = open_ledger();
	for (uint64_t i = 0; i < 5; i++)
		append(ledger, i);
	assert_int_equal(ledger_commit(ledger), 0);
	fault_count = 0;
	queue_faults = fail_first_flush_of_names;
	assert_int_equal(ledger_snapshot_begin(ledger), -EIO);
	assert_int_equal(ledger_snapshot_begin(ledger), 0);
	queue_faults = NULL;
	for (uint64_t i = 0; i < 5; i++) {
		struct ledger_entry entry = {.kind = LEDGER_RETRY,
			.queue_id = SPAN("0123ABC"),
			.value = i,
			.text = SPAN_EMPTY,
			.dsn = SPAN_EMPTY,
			.remote_mta = SPAN_EMPTY,
			.diagnostic = SPAN_EMPTY};
		assert_int_equal(ledger_snapshot_put(ledger, &entry), 0);
	}
	assert_int_equal(ledger_snapshot_commit(ledger), 0);
	append(ledger, 5);
	assert_int_equal(ledger_commit(ledger), 0);
	ledger_close(ledger);
	read_all();
	assert_sequence(6);
}

static struct ledger *shared;
static int failures, flushes;
static void commit_task(void *arg)
{
	for (int i = 0; i < 20; i++) {
		append(shared, (uint64_t)(uintptr_t)arg);
		failures += ledger_commit(shared) != 0;
	}
}

static int count_flushes(const char *operation)
{
	if (strcmp(operation, "fdatasync") == 0)
		__atomic_add_fetch(&flushes, 1, __ATOMIC_RELAXED);
	return 0;
}

static void test_many_tasks_share_a_flush(void **state)
{
	(void)state;
	assert_int_equal(task_loop_open(), 0);
	shared = open_ledger();
	queue_faults = count_flushes;
	for (uintptr_t i = 0; i < 50; i++)
		assert_non_null(task_spawn("commit", commit_task, (void *)i, 0));
	assert_int_equal(task_loop_run(), 0);
	assert_int_equal(failures, 0);
	assert_in_range(flushes, 20, 100);
	ledger_close(shared);
	task_loop_close();
	read_all();
	assert_int_equal(seen_count, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order_and_reopening, setup, teardown),
		cmocka_unit_test_setup_teardown(test_written_ahead, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_torn_at_every_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fault_at_every_step, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk_keeps_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_snapshot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_snapshot_after_a_failed_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_tasks_share_a_flush, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
