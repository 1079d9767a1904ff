/* The outcomes of deliveries that outlive their queue manager: written and read back, torn tails,
 * faults at every step, and whose end is noticed.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/faults.h"
#include "queue/late.h"
#include "queue_fixture.h"
#include "task/task.h"

static uint64_t seen[1000];
static size_t seen_count;

static void see(void *arg, const struct ledger_entry *entry)
{
	(void)arg;
	seen[seen_count++] = entry->value;
}

static void append(struct late_log *log, uint64_t value)
{
	struct ledger_entry entry = {.kind = LEDGER_SENT, .queue_id = SPAN("0123ABC"), .value = value,
		.text = SPAN("taken"), .dsn = SPAN("2.0.0"), .remote_mta = SPAN_EMPTY,
		.diagnostic = SPAN_EMPTY};
	late_log_append(log, &entry);
}

static struct late_reader *only_reader(void)
{
	struct late_reader **readers;
	size_t count;
	assert_int_equal(late_readers_open(directory, &readers, &count), 0);
	assert_int_equal(count, 1);
	struct late_reader *reader = readers[0];
	free(readers);
	seen_count = 0;
	return reader;
}

static void test_what_was_written_is_read_once(void **state)
{
	(void)state;
	struct late_log *log;
	assert_int_equal(late_log_create(directory, &log), 0);
	append(log, 1);
	append(log, 2);
	assert_int_equal(late_log_commit(log), 0);
	struct late_reader *reader = only_reader();
	assert_int_equal(late_reader_read(reader, see, NULL), 0); /* its writer lives */
	assert_int_equal(seen_count, 2);
	append(log, 3);
	assert_int_equal(late_log_commit(log), 0);
	late_log_close(log);
	assert_int_equal(late_reader_read(reader, see, NULL), 1);
	assert_int_equal(seen_count, 3);
	assert_int_equal(seen[2], 3);
	late_reader_remove(reader);
	late_reader_close(reader);
	struct late_reader **readers;
	size_t count = 1;
	assert_int_equal(late_readers_open(directory, &readers, &count), 0);
	assert_int_equal(count, 0);
	free(readers);
}

static char *only_file(void)
{
	char pattern[200];
	glob_t found;
	snprintf(pattern, sizeof pattern, "%s/ledger/*.late", directory);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	char *path = strdup(found.gl_pathv[0]);
	globfree(&found);
	return path;
}

static void test_a_torn_tail_is_not_read(void **state)
{
	(void)state;
	struct late_log *log;
	assert_int_equal(late_log_create(directory, &log), 0);
	append(log, 1);
	append(log, 2);
	assert_int_equal(late_log_commit(log), 0);
	late_log_close(log);
	char *path = only_file();
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	assert_int_equal(truncate(path, ftell(file) - 9), 0);
	fclose(file);
	struct late_reader *reader = only_reader();
	assert_int_equal(late_reader_read(reader, see, NULL), 1);
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen[0], 1);
	late_reader_remove(reader);
	late_reader_close(reader);
	free(path);
}

static int fault_at, fault_count;

static int fail_once(const char *operation)
{
	(void)operation;
	return ++fault_count == fault_at ? EIO : 0;
}

/* A step that fails is told, and the next commit writes what the failed one did not. */
static void test_a_fault_at_every_step(void **state)
{
	(void)state;
	int failures = 0;
	for (fault_at = 1; fault_at < 20; fault_at++) {
		struct late_log *log = NULL;
		fault_count = 0;
		queue_faults = fail_once;
		if (late_log_create(directory, &log) != 0) {
			failures++;
			assert_int_equal(late_log_create(directory, &log), 0);
		}
		for (uint64_t value = 1; value <= 3; value++) {
			append(log, value);
			failures += late_log_commit(log) != 0;
		}
		queue_faults = NULL;
		assert_int_equal(late_log_commit(log), 0);
		late_log_close(log);
		struct late_reader **readers;
		size_t count;
		seen_count = 0;
		assert_int_equal(late_readers_open(directory, &readers, &count), 0);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(late_reader_read(readers[i], see, NULL), 1);
			late_reader_remove(readers[i]);
			late_reader_close(readers[i]);
		}
		free(readers);
		assert_int_equal(seen_count, 3);
		for (uint64_t i = 0; i < 3; i++)
			assert_int_equal(seen[i], i + 1);
	}
	assert_true(failures >= 8); /* open, name; write and flush, three times */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_was_written_is_read_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_torn_tail_is_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_fault_at_every_step, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
