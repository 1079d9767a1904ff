/* For tests/crash/queue_kill9: a cleanup and a qmgr in one, that can be killed at any moment.
 *   queue_hammer write DIR FIRST [STEP]  many tasks queue numbered messages and declare some done;
 *       prints "queued N" and "done N" after each commit. With STEP it dies at that durable step.
 *   queue_hammer read DIR                prints "live N" for each whole message, "done N" for each
 * mark
 * SPDX-License-Identifier: ISC */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "queue/faults.h"
#include "queue/large.h"
#include "queue/layout.h"
#include "queue/ledger.h"
#include "queue/reader.h"
#include "queue/writer.h"
#include "task/task.h"

#define TASKS 16
#define SEGMENT_SIZE (512 * 1024)
#define LARGE_SIZE 40000
#define RECIPIENTS_LARGE 5000

static struct queue_writer *writer;
static struct ledger *ledger;
static uint64_t next_number;
static int steps_left;

static int die_at_step(const char *operation)
{
	(void)operation;
	if (__atomic_sub_fetch(&steps_left, 1, __ATOMIC_RELAXED) == 0)
		raise(SIGKILL);
	return 0;
}

static void say(const char *what, uint64_t number)
{
	char line[64];
	int n = snprintf(line, sizeof line, "%s %llu\n", what, (unsigned long long)number);
	CHECK(write(STDOUT_FILENO, line, (size_t)n) == n);
}

/* Bytes of dead records by segment, as qmgr keeps them. */
static struct dead {
	uint64_t segment, bytes;
} dead[100000];
static size_t dead_count;

static void bury(const struct queue_position *position)
{
	for (size_t i = 0; i < dead_count; i++)
		if (dead[i].segment == position->segment) {
			dead[i].bytes += position->length;
			CHECK(queue_writer_released(writer, dead[i].segment, dead[i].bytes) >= 0);
			return;
		}
	CHECK(dead_count < ARRAY_LEN(dead));
	dead[dead_count++] = (struct dead){position->segment, position->length};
}

static void fill(uint64_t number, struct buf *out)
{
	size_t size = number % 13 == 0 ? LARGE_SIZE : (size_t)(number * 37 % 6000);
	buf_append_format(out, "Subject: %llu\n\n", (unsigned long long)number);
	while (out->len < size)
		buf_append_format(out, "%llu ", (unsigned long long)(number * out->len));
	buf_append_char(out, '\n');
}

static void queue_one(uint64_t number)
{
	char id[QUEUE_ID_MAX], sender[32];
	struct buf content = BUF_INIT(100000);
	struct recipient_list list;
	struct queue_position position;
	CHECK(queue_writer_new_id(writer, id) == 0);
	snprintf(sender, sizeof sender, "%llu", (unsigned long long)number);
	fill(number, &content);
	struct queue_envelope envelope = {.queue_id = span_from_cstr(id),
		.sender = span_from_cstr(sender),
		.size = content.len};
	recipient_list_init(&list, queue_writer_large_directory(writer), id);
	size_t recipients = number % 17 == 0 ? RECIPIENTS_LARGE : 1 + number % 5;
	for (size_t i = 0; i < recipients; i++)
		CHECK(recipient_list_add(
			      &list, &(struct queue_recipient){SPAN("someone@example.com"),
					     SPAN("someone@example.com"), SPAN_EMPTY, 0}) == 0);
	CHECK(recipient_list_finish(&list, &envelope) == 0);
	struct span body = buf_span(&content);
	if (content.len > LARGE_SIZE) {
		struct large_file file;
		CHECK(large_create(queue_writer_large_directory(writer), id, false, &file) == 0);
		CHECK(large_write(&file, body) == 0 && large_finish(&file, SPAN_EMPTY) == 0);
		envelope.flags |= QUEUE_LARGE_CONTENT;
		body = SPAN_EMPTY;
	}
	CHECK(queue_writer_append(writer, &envelope, body, &position) == 0);
	say("queued", number);
	recipient_list_done(&list);
	buf_done(&content);
	if (number % 4 == 0)
		return;
	if (number % 8 == 1) { /* compaction of one record: the copy counts, the old one is dead */
		struct queue_position copy;
		CHECK(queue_writer_copy(writer, &position, &copy) == 0);
		bury(&position);
		position = copy;
	}
	struct ledger_entry entry = {.kind = LEDGER_DONE,
		.queue_id = span_from_cstr(id),
		.value = number,
		.dsn = SPAN_EMPTY,
		.text = SPAN_EMPTY,
		.remote_mta = SPAN_EMPTY,
		.diagnostic = SPAN_EMPTY};
	ledger_append(ledger, &entry);
	CHECK(ledger_commit(ledger) == 0);
	say("done", number);
	large_remove(queue_writer_large_directory(writer), envelope.queue_id);
	bury(&position);
}

static void hammer(void *arg)
{
	(void)arg;
	for (;;) {
		queue_one(next_number++);
		task_yield();
	}
}

static void ignore_entry(void *arg, const struct ledger_entry *entry)
{
	(void)arg;
	(void)entry;
}

static int run_writer(const char *directory, uint64_t first, int step)
{
	uint64_t count;
	struct queue_writer_options options = {
		.queue_directory = directory, .segment_size = SEGMENT_SIZE};
	next_number = first;
	CHECK(task_loop_open() == 0);
	CHECK(queue_layout_create(directory, NULL) == 0);
	CHECK(queue_writer_open(&options, &writer) == 0);
	CHECK(ledger_open(directory, &ledger) == 0);
	CHECK(ledger_load(ledger, ignore_entry, NULL, &count) == 0);
	steps_left = step;
	if (step > 0)
		queue_faults = die_at_step;
	for (int i = 0; i < TASKS; i++)
		CHECK(task_spawn("hammer", hammer, NULL, 0) != NULL);
	return task_loop_run();
}

static bool count_recipient(void *arg, uint32_t index, const struct queue_recipient *recipient)
{
	(void)index;
	*(size_t *)arg += span_equal(recipient->address, SPAN("someone@example.com"));
	return true;
}

static struct queue_reader *reader;

/* Whole: content and recipients are those of its number. */
static bool visit_record(
	void *arg, const struct queue_position *position, const struct queue_envelope *found)
{
	struct queue_message message = {0};
	struct buf want = BUF_INIT(100000), have = BUF_INIT(100000);
	struct queue_cursor cursor = {0};
	uint64_t number;
	size_t count, recipients = 0;
	(void)arg;
	CHECK(span_to_u64(found->sender, UINT64_MAX, &number));
	CHECK(queue_message_load(reader, position, &message) == 0);
	fill(number, &want);
	bool whole = queue_message_content_part(reader, &message, 0, 100000, &have) == 0 &&
		     span_equal(buf_span(&want), buf_span(&have)) &&
		     queue_message_recipients(reader, &message, &cursor, SIZE_MAX, count_recipient,
			     &recipients, &count) == 0 &&
		     recipients == (number % 17 == 0 ? RECIPIENTS_LARGE : 1 + number % 5);
	if (whole)
		say("live", number);
	queue_message_done(&message);
	buf_done(&want);
	buf_done(&have);
	return true;
}

static void print_entry(void *arg, const struct ledger_entry *entry)
{
	(void)arg;
	say("done", entry->value);
}

static int run_reader(const char *directory)
{
	uint64_t *numbers, end, count;
	size_t segments;
	CHECK(queue_reader_open(directory, &reader) == 0);
	CHECK(queue_reader_segments(reader, &numbers, &segments) == 0);
	for (size_t i = 0; i < segments; i++) {
		const struct queue_scan wanted = {.segment = numbers[i], .visit = visit_record};
		(void)queue_reader_scan(reader, &wanted, &end);
	}
	CHECK(ledger_read(directory, print_entry, NULL, &count) == 0);
	free(numbers);
	queue_reader_close(reader);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t first = 1;
	if (argc == 3 && strcmp(argv[1], "read") == 0)
		return run_reader(argv[2]);
	if (argc < 4 || strcmp(argv[1], "write") != 0 ||
		!span_to_u64(span_from_cstr(argv[3]), UINT64_MAX, &first))
		return 2;
	uint64_t step = 0;
	if (argc > 4 && !span_to_u64(span_from_cstr(argv[4]), 1000000, &step))
		return 2;
	return run_writer(argv[2], first, (int)step);
}
