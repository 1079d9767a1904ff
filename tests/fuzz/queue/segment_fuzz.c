/* Any bytes as a segment behind its header: the scan ends, and what it finds can be read.
 * SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "queue/layout.h"
#include "queue/reader.h"
#include "queue/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char directory[64];
static struct segment segment;
static struct queue_reader *reader;

static void clean_up(void)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", directory);
	if (system(command) != 0)
		abort();
}

static void set_up(void)
{
	char path[96];
	snprintf(directory, sizeof directory, "/tmp/tambo-segment-fuzz-XXXXXX");
	CHECK(mkdtemp(directory) != NULL && queue_layout_create(directory, NULL) == 0);
	atexit(clean_up);
	snprintf(path, sizeof path, "%s/journal", directory);
	int dir = open(path, O_RDONLY | O_DIRECTORY);
	CHECK(dir >= 0 && segment_create(dir, SEGMENT_SIZE_MIN, &segment) == 0);
	CHECK(queue_reader_open(directory, &reader) == 0);
	close(dir);
}

/* Gives what looks like a record our epoch and right checksums, so that the bytes behind them
 * count. */
static void sign(char *at, size_t room)
{
	uint32_t length, head;
	memcpy(&length, at + 8, 4);
	memcpy(&head, at + 12, 4);
	memcpy(at + 16, &segment.epoch, 8);
	if (length > room - RECORD_HEADER_SIZE || head > length)
		return;
	uint32_t rest_crc = crc32c(0, at + RECORD_HEADER_SIZE + head, length - head);
	memcpy(at + 24, &rest_crc, 4);
	uint32_t crc = crc32c(crc32c(0, at, 28), at + RECORD_HEADER_SIZE, head);
	memcpy(at + 28, &crc, 4);
}

static bool visit_recipient(void *arg, uint32_t index, const struct queue_recipient *recipient)
{
	*(size_t *)arg += index + recipient->address.len + recipient->original.len;
	return true;
}

static bool visit(
	void *arg, const struct queue_position *position, const struct queue_envelope *envelope)
{
	struct queue_message message = {0};
	struct queue_cursor cursor = {0};
	size_t count;
	(void)envelope;
	if (queue_message_load(reader, position, &message) != 0)
		return true;
	(void)queue_message_recipients(
		reader, &message, &cursor, 1000, visit_recipient, arg, &count);
	queue_message_done(&message);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char zeros[SEGMENT_SIZE_MIN - SEGMENT_HEADER_SIZE];
	size_t sum = 0;
	uint64_t end;
	if (reader == NULL)
		set_up();
	if (size > sizeof zeros)
		size = sizeof zeros;
	memset(zeros, 0, sizeof zeros);
	memcpy(zeros, data, size);
	for (size_t at = 0; at + RECORD_HEADER_SIZE <= sizeof zeros; at += 8)
		if (memcmp(zeros + at, "Tmbo", 4) == 0)
			sign(zeros + at, sizeof zeros - at);
	CHECK(pwrite(segment.fd, zeros, sizeof zeros, SEGMENT_HEADER_SIZE) == sizeof zeros);
	const struct queue_scan wanted = {.segment = segment.number, .visit = visit, .arg = &sum};
	CHECK(queue_reader_scan(reader, &wanted, &end) == 0);
	CHECK(end >= SEGMENT_HEADER_SIZE && end <= SEGMENT_SIZE_MIN);
	return 0;
}
