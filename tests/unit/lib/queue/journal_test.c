/* The journal as a whole: group commit, rotation, recycling, faults at every step, recipients of
 * any number, copies.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "queue/faults.h"
#include "queue/index.h"
#include "queue/large.h"
#include "queue/reader.h"
#include "queue/segment.h"
#include "queue/writer.h"
#include "queue_fixture.h"
#include "task/task.h"

static struct queue_writer *open_writer(void)
{
	struct queue_writer_options options = {.queue_directory = directory, .segment_size = 65536};
	struct queue_writer *writer;
	assert_int_equal(queue_writer_open(&options, &writer), 0);
	return writer;
}

static int append(struct queue_writer *writer, const char *content, char id[QUEUE_ID_MAX],
	struct queue_position *position)
{
	struct buf recipients = BUF_INIT(1000);
	struct queue_recipient recipient = {
		SPAN("r@example.com"), SPAN("r@example.com"), SPAN_EMPTY, 0};
	int error = queue_writer_new_id(writer, id);
	if (error != 0)
		return error;
	queue_recipient_append(&recipients, &recipient);
	struct queue_envelope envelope = {.queue_id = span_from_cstr(id),
		.sender = SPAN("s@x"),
		.size = strlen(content),
		.recipient_count = 1,
		.recipients = buf_span(&recipients)};
	error = queue_writer_append(writer, &envelope, span_from_cstr(content), position);
	buf_done(&recipients);
	return error;
}

struct found {
	size_t count, bytes;
	char last_id[QUEUE_ID_MAX];
	struct queue_position last;
};

static bool count_record(
	void *arg, const struct queue_position *position, const struct queue_envelope *envelope)
{
	struct found *found = arg;
	found->count++;
	found->bytes += position->length;
	found->last = *position;
	snprintf(found->last_id, sizeof found->last_id, "%.*s", SPAN_ARGS(envelope->queue_id));
	return true;
}

static struct found scan_all(void)
{
	struct found found = {0};
	struct queue_reader *reader;
	uint64_t *numbers, end;
	size_t count;
	assert_int_equal(queue_reader_open(directory, &reader), 0);
	assert_int_equal(queue_reader_segments(reader, &numbers, &count), 0);
	for (size_t i = 0; i < count; i++) {
		const struct queue_scan wanted = {
			.segment = numbers[i], .visit = count_record, .arg = &found};
		queue_reader_scan(reader, &wanted, &end);
	}
	free(numbers);
	queue_reader_close(reader);
	return found;
}

static void test_append_and_read_back(void **state)
{
	(void)state;
	struct queue_writer *writer = open_writer();
	struct queue_reader *reader;
	struct queue_position position;
	struct queue_message message = {0};
	struct buf content = BUF_INIT(1000);
	char id[QUEUE_ID_MAX];
	assert_int_equal(append(writer, "Subject: x\n\nhello\n", id, &position), 0);
	assert_int_equal(queue_reader_open(directory, &reader), 0);
	assert_int_equal(queue_message_load(reader, &position, &message), 0);
	assert_true(span_equal(message.envelope.queue_id, span_from_cstr(id)));
	assert_int_equal(queue_message_content(reader, &message, &content), 0);
	assert_string_equal(buf_cstr(&content), "Subject: x\n\nhello\n");
	buf_reset(&content);
	assert_int_equal(queue_message_content_part(reader, &message, 9, 4, &content), 0);
	assert_string_equal(buf_cstr(&content), "x\n\nh");
	queue_message_done(&message);
	position.offset += 8;
	assert_int_equal(queue_message_load(reader, &position, &message), -EBADMSG);
	struct found found = scan_all();
	assert_int_equal(found.count, 1);
	assert_string_equal(found.last_id, id);
	buf_done(&content);
	queue_reader_close(reader);
	queue_writer_close(writer);
}

/* Many tasks, one writer: all positions differ, all are found, and few flushes were needed. */
static struct queue_writer *shared;
static int task_failures, flushes;
static void append_task(void *arg)
{
	struct queue_position position;
	char id[QUEUE_ID_MAX];
	(void)arg;
	for (int i = 0; i < 10; i++)
		task_failures += append(shared, "12345\n", id, &position) != 0;
}

static int count_flushes(const char *operation)
{
	if (strcmp(operation, "fdatasync") == 0)
		__atomic_add_fetch(&flushes, 1, __ATOMIC_RELAXED);
	return 0;
}

static uint64_t told_end;
static int told, told_disorder;
static void tell(void *arg, struct span queue_id, const struct queue_position *position)
{
	(void)arg;
	(void)queue_id;
	told++;
	if (position->offset < told_end && position->offset != SEGMENT_HEADER_SIZE)
		told_disorder++;
	told_end = position->offset + position->length;
}

static void test_group_commit(void **state)
{
	(void)state;
	struct queue_writer_options options = {
		.queue_directory = directory, .segment_size = 65536, .committed = tell};
	assert_int_equal(task_loop_open(), 0);
	assert_int_equal(queue_writer_open(&options, &shared), 0);
	queue_faults = count_flushes;
	for (int i = 0; i < 50; i++)
		assert_non_null(task_spawn("append", append_task, NULL, 0));
	assert_int_equal(task_loop_run(), 0);
	assert_int_equal(task_failures, 0);
	assert_int_equal(told, 500);
	assert_int_equal(told_disorder, 0);
	assert_in_range(flushes, 10, 100);
	queue_writer_close(shared);
	task_loop_close();
	assert_int_equal(scan_all().count, 500);
}

static pthread_t loop_thread;
static int flushed_in_loop;

static int where_flushed(const char *operation)
{
	if (strcmp(operation, "fdatasync") == 0 && pthread_equal(pthread_self(), loop_thread))
		flushed_in_loop++;
	return 0;
}

static bool nobody_else(void *arg)
{
	(void)arg;
	return true;
}

static void append_forty(void *arg)
{
	struct queue_position position;
	char id[QUEUE_ID_MAX];
	(void)arg;
	for (int i = 0; i < 40; i++)
		task_failures += append(shared, "12345\n", id, &position) != 0;
}

static void run_appenders(int count)
{
	flushed_in_loop = 0;
	for (int i = 0; i < count; i++)
		assert_non_null(task_spawn("append", append_forty, NULL, 0));
	assert_int_equal(task_loop_run(), 0);
	assert_int_equal(task_failures, 0);
}

/* Who is alone for some time is not sent through the pool; with two, hardly anything blocks the
 * loop. */
static void test_lone_commits(void **state)
{
	(void)state;
	struct queue_writer_options options = {.queue_directory = directory,
		.segment_size = 65536,
		.alone = nobody_else};
	assert_int_equal(task_loop_open(), 0);
	assert_int_equal(queue_writer_open(&options, &shared), 0);
	loop_thread = pthread_self();
	queue_faults = where_flushed;
	run_appenders(1);
	assert_int_equal(flushed_in_loop, 40 - 16);
	run_appenders(2);
	assert_in_range(flushed_in_loop, 0, 16);
	queue_writer_close(shared);
	task_loop_close();
	queue_faults = NULL;
	assert_int_equal(scan_all().count, 120);
}

static int fail_flush(const char *operation)
{
	return strcmp(operation, "fdatasync") == 0 ? EIO : 0;
}

/* All dead: recycled under a new number; the old bytes in the file do not come back. */
static void test_recycling(void **state)
{
	(void)state;
	struct queue_writer *writer = open_writer();
	struct queue_position first, position;
	char id[QUEUE_ID_MAX];
	assert_int_equal(append(writer, "old\n", id, &first), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(append(writer, "old\n", id, &position), 0);
	uint64_t bytes = position.offset + position.length - SEGMENT_HEADER_SIZE;
	assert_int_equal(
		queue_writer_released(writer, first.segment, bytes), 0); /* still written to */
	queue_faults = fail_flush; /* which ends the segment */
	assert_int_equal(append(writer, "refused\n", id, &position), -EIO);
	queue_faults = NULL;
	assert_int_equal(
		queue_writer_released(writer, first.segment, bytes - 8), 0); /* one is alive */
	assert_int_equal(queue_writer_released(writer, first.segment, bytes), 1);
	assert_int_equal(scan_all().count, 0);
	assert_int_equal(append(writer, "new\n", id, &position), 0);
	assert_true(position.segment > first.segment);
	struct found found = scan_all();
	assert_int_equal(found.count, 1);
	assert_string_equal(found.last_id, id);
	struct stat status;
	char path[128];
	snprintf(path, sizeof path, "%s/journal/%016llx.spare", directory,
		(unsigned long long)first.segment);
	assert_int_equal(stat(path, &status), -1); /* the same file serves again */
	queue_writer_close(writer);
	/* A later process learns by itself what the segment holds. */
	writer = open_writer();
	assert_int_equal(queue_writer_released(writer, position.segment, 0), 0);
	assert_int_equal(queue_writer_released(writer, position.segment, position.length), 1);
	assert_int_equal(queue_writer_released(writer, 4711, 1), 1);
	queue_writer_close(writer);
}

/* Fails (or crashes) at the n-th durable step. */
static int fault_at, fault_count, fault_errno;
static int fail_once(const char *operation)
{
	(void)operation;
	return ++fault_count == fault_at ? fault_errno : 0;
}

static int fail_always(const char *operation)
{
	return strcmp(operation, "write") == 0 ? ENOSPC : 0;
}

static void test_fault_at_every_step(void **state)
{
	(void)state;
	static const int errors[] = {EIO, ENOSPC};
	for (size_t e = 0; e < ARRAY_LEN(errors); e++) {
		for (fault_at = 1; fault_at < 60; fault_at++) {
			struct queue_writer *writer = open_writer();
			struct queue_position position;
			char id[QUEUE_ID_MAX], good[20][QUEUE_ID_MAX];
			size_t acknowledged = 0;
			size_t before = scan_all().count;
			fault_count = 0;
			fault_errno = errors[e];
			queue_faults = fail_once;
			for (int i = 0; i < 10; i++)
				if (append(writer, "text\n", id, &position) == 0)
					memcpy(good[acknowledged++], id, sizeof id);
			queue_faults = NULL;
			/* At most one append fails, and it heals by itself. */
			assert_true(acknowledged >= 9);
			/* What failed is not found, and hides nothing that stands behind it. */
			assert_int_equal(scan_all().count - before, acknowledged);
			queue_writer_close(writer);
		}
	}
}

static void test_full_disk_heals(void **state)
{
	(void)state;
	struct queue_writer *writer = open_writer();
	struct queue_position position;
	char id[QUEUE_ID_MAX];
	queue_faults = fail_always;
	for (int i = 0; i < 5; i++)
		assert_int_equal(append(writer, "text\n", id, &position), -ENOSPC);
	queue_faults = NULL;
	assert_int_equal(append(writer, "text\n", id, &position), 0);
	assert_int_equal(scan_all().count, 1);
	queue_writer_close(writer);
}

/* Damage in the middle of a segment loses that record only. */
static void test_damage_hides_nothing(void **state)
{
	(void)state;
	struct queue_writer *writer = open_writer();
	struct queue_position positions[5];
	char id[QUEUE_ID_MAX], path[128];
	for (int i = 0; i < 5; i++)
		assert_int_equal(append(writer, "some text\n", id, &positions[i]), 0);
	queue_writer_close(writer);
	snprintf(path, sizeof path, "%s/journal/%016llx.seg", directory,
		(unsigned long long)positions[0].segment);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "\xff\xff\xff\xff", 4, (off_t)positions[2].offset + 8), 4);
	close(fd);
	assert_int_equal(scan_all().count, 4);
}

static uint32_t next_index;
static bool check_recipient(void *arg, uint32_t index, const struct queue_recipient *recipient)
{
	char want[64];
	(void)arg;
	snprintf(want, sizeof want, "user%u@example.com", index);
	assert_int_equal(index, next_index);
	assert_true(span_equal(recipient->address, span_from_cstr(want)));
	next_index++;
	return true;
}

static void with_recipients(uint32_t total, bool want_file)
{
	struct queue_writer *writer = open_writer();
	struct queue_reader *reader;
	struct recipient_list list;
	struct queue_position position;
	struct queue_message message = {0};
	struct queue_cursor cursor = {0};
	char id[QUEUE_ID_MAX], address[64];
	size_t count;
	assert_int_equal(queue_writer_new_id(writer, id), 0);
	recipient_list_init(&list, queue_writer_large_directory(writer), id);
	for (uint32_t i = 0; i < total; i++) {
		snprintf(address, sizeof address, "user%u@example.com", i);
		struct span text = span_from_cstr(address);
		struct queue_recipient recipient = {text, text, SPAN_EMPTY, 0};
		assert_int_equal(recipient_list_add(&list, &recipient), 0);
	}
	struct queue_envelope envelope = {.queue_id = span_from_cstr(id)};
	assert_int_equal(recipient_list_finish(&list, &envelope), 0);
	assert_int_equal((envelope.flags & QUEUE_LARGE_RECIPIENTS) != 0, want_file);
	assert_true(list.run.alloc < 200000);
	assert_int_equal(queue_writer_append(writer, &envelope, SPAN_EMPTY, &position), 0);
	recipient_list_done(&list);
	assert_int_equal(queue_reader_open(directory, &reader), 0);
	assert_int_equal(queue_message_load(reader, &position, &message), 0);
	assert_int_equal(message.envelope.recipient_count, total);
	next_index = 0;
	do
		assert_int_equal(queue_message_recipients(reader, &message, &cursor, 777,
					 check_recipient, NULL, &count),
			0);
	while (count > 0);
	assert_int_equal(next_index, total);
	/* From an index, back and forth. */
	static const uint32_t percent[] = {50, 10, 99, 0};
	for (size_t i = 0; i < ARRAY_LEN(percent); i++) {
		next_index = cursor.index = total / 100 * percent[i];
		assert_int_equal(queue_message_recipients(reader, &message, &cursor, 3,
					 check_recipient, NULL, &count),
			0);
		assert_int_equal(count, 3);
	}
	queue_message_done(&message);
	queue_reader_close(reader);
	assert_int_equal(large_remove(queue_writer_large_directory(writer), span_from_cstr(id)), 0);
	queue_writer_close(writer);
}

static void test_recipients_in_the_record(void **state)
{
	(void)state;
	with_recipients(1000, false);
}

static void test_a_million_recipients(void **state)
{
	(void)state;
	with_recipients(1000000, true);
}

static void test_large_content(void **state)
{
	(void)state;
	struct queue_writer *writer = open_writer();
	struct queue_reader *reader;
	struct large_file file;
	struct queue_position position;
	struct queue_message message = {0};
	char id[QUEUE_ID_MAX], bytes[8];
	int directory_fd = queue_writer_large_directory(writer);
	assert_int_equal(queue_writer_new_id(writer, id), 0);
	assert_int_equal(large_create(directory_fd, id, false, &file), 0);
	assert_int_equal(large_create(directory_fd, id, false, &file), -EEXIST);
	assert_int_equal(large_write(&file, SPAN("large\n")), 0);
	assert_int_equal(large_finish(&file, SPAN_EMPTY), 0);
	struct queue_envelope envelope = {
		.queue_id = span_from_cstr(id), .size = 6, .flags = QUEUE_LARGE_CONTENT};
	assert_int_equal(queue_writer_append(writer, &envelope, SPAN_EMPTY, &position), 0);
	/* A copy refers to the same file. */
	struct queue_position copy;
	assert_int_equal(queue_writer_copy(writer, &position, &copy), 0);
	assert_true(copy.offset > position.offset);
	assert_int_equal(queue_reader_open(directory, &reader), 0);
	assert_int_equal(queue_message_load(reader, &copy, &message), 0);
	int fd = queue_message_open_large(reader, &message);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, bytes, sizeof bytes), 6);
	close(fd);
	queue_message_done(&message);
	assert_int_equal(large_remove(directory_fd, span_from_cstr(id)), 0);
	assert_int_equal(queue_message_load(reader, &copy, &message), 0);
	assert_int_equal(queue_message_open_large(reader, &message), -ENOENT);
	queue_message_done(&message);
	queue_reader_close(reader);
	queue_writer_close(writer);
}

static void test_too_large_for_a_segment(void **state)
{
	(void)state;
	struct queue_writer *writer = open_writer();
	struct queue_position position;
	static char content[70000];
	char id[QUEUE_ID_MAX];
	memset(content, 'x', sizeof content - 1);
	assert_int_equal(append(writer, content, id, &position), -EMSGSIZE);
	assert_int_equal(append(writer, "x\n", id, &position), 0);
	queue_writer_close(writer);
}

/* Two processes write side by side: each has its own segment, neither takes the other's. */
static void test_two_writers(void **state)
{
	(void)state;
	struct queue_writer *one = open_writer(), *two = open_writer();
	struct queue_position first, second;
	char id_one[QUEUE_ID_MAX], id_two[QUEUE_ID_MAX];
	assert_int_equal(append(one, "one\n", id_one, &first), 0);
	assert_int_equal(append(two, "two\n", id_two, &second), 0);
	assert_int_not_equal(first.segment, second.segment);
	assert_string_not_equal(id_one, id_two);
	assert_int_equal(queue_writer_released(two, first.segment, first.length), 0);
	queue_writer_close(one);
	assert_int_equal(queue_writer_released(two, first.segment, first.length), 1);
	queue_writer_close(two);
	assert_int_equal(scan_all().count, 1);
}

static int locks_seen, journal_fd;
static uint64_t taken, taken_epoch;

/* Another process takes the spare that was opened here, writes, and puts its segment down. */
static int other_takes_it_first(const char *operation)
{
	if (strcmp(operation, "lock") != 0 || locks_seen++ > 0)
		return 0;
	struct segment segment;
	assert_int_equal(segment_create(journal_fd, 65536, &segment), 0);
	taken = segment.number;
	taken_epoch = segment.epoch;
	segment_close(&segment);
	return 0;
}

static void test_a_spare_that_became_a_segment_is_left_alone(void **state)
{
	(void)state;
	char path[128];
	struct segment first, mine, again;
	snprintf(path, sizeof path, "%s/journal", directory);
	journal_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(segment_create(journal_fd, 65536, &first), 0);
	segment_close(&first);
	assert_int_equal(segment_prepare_spare(journal_fd, 65536), 0);
	locks_seen = 0;
	queue_faults = other_takes_it_first;
	assert_int_equal(segment_create(journal_fd, 65536, &mine), 0);
	queue_faults = NULL;
	assert_int_not_equal(mine.number, taken);
	assert_int_equal(segment_open(journal_fd, taken, &again), 0);
	assert_true(again.epoch == taken_epoch); /* or its records would not count any more */
	segment_close(&again);
	segment_close(&mine);
	close(journal_fd);
}

/* What another still finishes would be seen half: scanned alive, in the ledger no more. */
static void test_nothing_is_indexed_before_the_lock(void **state)
{
	(void)state;
	struct queue_writer *writer = open_writer();
	struct queue_index index;
	struct queue_reader *reader;
	struct queue_position position;
	struct ledger *holder, *ledger = NULL;
	char id[QUEUE_ID_MAX];
	assert_int_equal(append(writer, "content", id, &position), 0);
	assert_int_equal(ledger_open(directory, &holder), 0);
	assert_int_equal(queue_reader_open(directory, &reader), 0);
	queue_index_init(&index);
	assert_int_equal(queue_index_load(&index, directory, reader, &ledger), -EBUSY);
	assert_null(ledger);
	assert_int_equal(index.entries.count, 0);
	ledger_close(holder);
	assert_int_equal(queue_index_load(&index, directory, reader, &ledger), 0);
	assert_int_equal(index.entries.count, 1);
	ledger_close(ledger);
	queue_index_done(&index);
	queue_reader_close(reader);
	queue_writer_close(writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_append_and_read_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_group_commit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lone_commits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_recycling, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fault_at_every_step, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk_heals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage_hides_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_recipients_in_the_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_million_recipients, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_content, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_large_for_a_segment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_writers, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_nothing_is_indexed_before_the_lock, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_spare_that_became_a_segment_is_left_alone, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
