/* See reader.h.
 * SPDX-License-Identifier: ISC */
#include "queue/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "queue/io_private.h"
#include "queue/reader_private.h"
#include "task/file.h"

#define FIRST_READ 4096 /* enough for most envelopes */
#define SMALL_RECORD (16u * 1024) /* read as a whole: its content will be wanted next */

int queue_reader_open(const char *queue_directory, struct queue_reader **ret_reader)
{
	int journal = queue_io_open_directory(queue_directory, "journal");
	if (journal < 0)
		return journal;
	int large = queue_io_open_directory(queue_directory, "large");
	if (large < 0) {
		close(journal);
		return large;
	}
	struct queue_reader *reader = NEW(struct queue_reader);
	reader->journal = journal;
	reader->large = large;
	for (size_t i = 0; i < READER_SEGMENTS; i++)
		reader->open[i].segment.fd = -1;
	*ret_reader = reader;
	return 0;
}

void queue_reader_close(struct queue_reader *reader)
{
	if (reader == NULL)
		return;
	for (size_t i = 0; i < READER_SEGMENTS; i++)
		segment_close(&reader->open[i].segment);
	close(reader->journal);
	close(reader->large);
	free(reader);
}

int queue_reader_segments(struct queue_reader *reader, uint64_t **ret_numbers, size_t *ret_count)
{
	return segment_list(reader->journal, ret_numbers, ret_count);
}

bool queue_reader_segment_exists(struct queue_reader *reader, uint64_t segment)
{
	return segment_exists(reader->journal, segment);
}

void queue_reader_forget(struct queue_reader *reader, uint64_t segment)
{
	for (size_t i = 0; i < READER_SEGMENTS; i++) {
		struct open_segment *open = &reader->open[i];
		if (open->segment.fd < 0 || open->segment.number != segment)
			continue;
		if (open->users > 0)
			open->forgotten = true;
		else
			segment_close(&open->segment);
	}
}

/* A segment stays open, and its number stays its own, while it is held. */
int queue_reader_hold(struct queue_reader *reader, uint64_t number, struct open_segment **ret_open)
{
	struct open_segment *oldest = NULL;
	for (size_t i = 0; i < READER_SEGMENTS; i++) {
		struct open_segment *open = &reader->open[i];
		if (open->segment.fd >= 0 && open->segment.number == number && !open->forgotten) {
			open->users++;
			open->used = ++reader->clock;
			*ret_open = open;
			return 0;
		}
		if (open->users == 0 && (oldest == NULL || open->used < oldest->used))
			oldest = open;
	}
	if (oldest == NULL)
		return -EMFILE;
	segment_close(&oldest->segment);
	int error = segment_open(reader->journal, number, &oldest->segment);
	if (error != 0)
		return error;
	oldest->users = 1;
	oldest->forgotten = false;
	oldest->used = ++reader->clock;
	*ret_open = oldest;
	return 0;
}

void queue_reader_release(struct open_segment *open)
{
	CHECK(open->users > 0);
	if (--open->users == 0 && open->forgotten) {
		segment_close(&open->segment);
		open->forgotten = false;
	}
}

uint64_t queue_reader_segment_size(struct queue_reader *reader, uint64_t segment)
{
	struct open_segment *open;
	if (queue_reader_hold(reader, segment, &open) != 0)
		return 0;
	uint64_t size = open->segment.size;
	queue_reader_release(open);
	return size;
}

/* Reads until message->bytes holds want bytes of the record. */
static int read_more(struct open_segment *open, struct queue_message *message, size_t want)
{
	if (message->bytes.len >= want)
		return 0;
	size_t more = want - message->bytes.len;
	char *to = buf_reserve(&message->bytes, more);
	if (to == NULL)
		return -ENOMEM;
	ssize_t n = task_read_at(
		open->segment.fd, to, more, message->position.offset + message->bytes.len);
	if (n < 0)
		return (int)n;
	message->bytes.len += (size_t)n;
	return 0;
}

static int load(struct open_segment *open, struct queue_message *message)
{
	uint64_t whole = message->position.length;
	int error = read_more(open, message,
		whole > FIRST_READ && whole <= SMALL_RECORD ? (size_t)whole : FIRST_READ);
	if (error != 0)
		return error;
	if (record_header_decode(buf_span(&message->bytes), open->segment.epoch,
		    &message->header) != RECORD_OK ||
		message->header.type != RECORD_MESSAGE)
		return -EBADMSG;
	size_t want = RECORD_HEADER_SIZE + message->header.head_length;
	error = read_more(open, message, want);
	if (error != 0)
		return error;
	struct span bytes = buf_span(&message->bytes);
	struct span head = span_part(bytes, RECORD_HEADER_SIZE, message->header.head_length);
	if (bytes.len < want || !record_check_head(&message->header, bytes, head) ||
		!queue_envelope_decode(head, &message->envelope))
		return -EBADMSG;
	bool large = (message->envelope.flags & QUEUE_LARGE_CONTENT) != 0;
	uint64_t rest = message->header.length - message->header.head_length;
	if (rest != (large ? 0 : message->envelope.size))
		return -EBADMSG;
	message->content_offset = message->position.offset + want;
	message->position.length = record_size(message->header.length);
	return 0;
}

int queue_message_load(struct queue_reader *reader, const struct queue_position *position,
	struct queue_message *ret_message)
{
	struct open_segment *open;
	struct queue_message message = {
		.position = *position, .bytes = BUF_INIT(RECORD_BODY_MAX + RECORD_HEADER_SIZE)};
	if (position->offset < SEGMENT_HEADER_SIZE || position->offset % 8 != 0)
		return -EBADMSG;
	int error = queue_reader_hold(reader, position->segment, &open);
	if (error != 0)
		return error;
	error = load(open, &message);
	queue_reader_release(open);
	if (error != 0) {
		buf_done(&message.bytes);
		return error;
	}
	*ret_message = message;
	return 0;
}

void queue_message_done(struct queue_message *message)
{
	buf_done(&message->bytes);
	*message = (struct queue_message){0};
}
