/* See reader.h.
 * SPDX-License-Identifier: ISC */
#include "queue/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "queue/io_private.h"
#include "queue/reader_private.h"
#include "task/file.h"

#define FIRST_READ 4096
#define SCAN_WINDOW (1024u * 1024)
#define SCAN_FIRST (16u * 1024) /* a scan is mostly for the one message that was just queued */

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

/* A writer holds its segment locked; then a torn record is one that is being written. */
static bool is_being_written(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return true;
	flock(fd, LOCK_UN);
	return false;
}

/* Offset of the next place in the window that looks like a record of this epoch; its length if none
 * does. Nobody outside knows the epoch, so content cannot pretend. */
static size_t find_record(struct span window, uint64_t epoch)
{
	struct record_header header;
	size_t at = 0;
	for (; at + RECORD_HEADER_SIZE <= window.len; at += 8)
		if (record_header_decode(span_skip(window, at), epoch, &header) == RECORD_OK)
			return at;
	return at;
}

struct scan {
	struct open_segment *open;
	struct buf window;
	uint64_t start;	 /* offset of the window in the segment */
	uint64_t offset; /* where the scan stands */
	uint64_t end;	 /* behind the last record visited */
	size_t take;	 /* bytes to read next: more each time */
	int idle;	 /* nobody writes here: 1; somebody does: 0; not asked: -1 */
	bool (*visit)(void *arg, const struct queue_position *position,
		const struct queue_envelope *envelope);
	void *arg;
};

/* Makes the window begin at the scan's offset and hold want bytes, if the segment has them. */
static int fill_window(struct scan *scan, size_t want)
{
	struct segment *segment = &scan->open->segment;
	if (scan->offset >= scan->start + scan->window.len) {
		buf_reset(&scan->window);
		scan->start = scan->offset;
	}
	size_t skip = (size_t)(scan->offset - scan->start);
	if (scan->window.len - skip >= want)
		return 0;
	buf_consume(&scan->window, skip);
	scan->start = scan->offset;
	size_t take = want < scan->take ? scan->take : want;
	if (scan->take < SCAN_WINDOW)
		scan->take *= 2;
	uint64_t left = segment->size > scan->start ? segment->size - scan->start : 0;
	if (take > left)
		take = (size_t)left;
	if (take <= scan->window.len)
		return 0;
	size_t more = take - scan->window.len;
	char *to = buf_reserve(&scan->window, more);
	if (to == NULL)
		return -ENOMEM;
	ssize_t n = task_read_at(segment->fd, to, more, scan->start + scan->window.len);
	if (n < 0)
		return (int)n;
	scan->window.len += (size_t)n;
	return 0;
}

static struct span scan_bytes(const struct scan *scan)
{
	return span_skip(buf_span(&scan->window), (size_t)(scan->offset - scan->start));
}

/* One record at the scan's offset: 1 to go on, 0 to stop, or -errno. */
static int scan_record(struct scan *scan)
{
	uint64_t epoch = scan->open->segment.epoch;
	struct record_header header;
	struct span head, rest;
	int error = fill_window(scan, RECORD_HEADER_SIZE);
	if (error != 0)
		return error;
	enum record_result result = record_header_decode(scan_bytes(scan), epoch, &header);
	if (result == RECORD_OK) {
		error = fill_window(scan, record_size(header.length));
		if (error != 0)
			return error;
		result = record_decode(scan_bytes(scan), epoch, &header, &head, &rest);
	}
	if (result == RECORD_OK) {
		struct queue_position position = {
			scan->open->segment.number, scan->offset, record_size(header.length)};
		struct queue_envelope envelope;
		bool go_on = true;
		if (header.type == RECORD_MESSAGE && queue_envelope_decode(head, &envelope) &&
			scan->visit != NULL)
			go_on = scan->visit(scan->arg, &position, &envelope);
		scan->offset += position.length;
		scan->end = scan->offset;
		return go_on;
	}
	/* The end, or damage: whatever follows is still found, unless it is just being written. */
	if (scan->idle < 0)
		scan->idle = !is_being_written(scan->open->segment.fd);
	if (scan->idle == 0 || scan_bytes(scan).len < RECORD_HEADER_SIZE)
		return 0;
	scan->offset += 8;
	scan->offset += find_record(scan_bytes(scan), epoch);
	return 1;
}

int queue_reader_scan(struct queue_reader *reader, uint64_t segment, uint64_t from,
	bool (*visit)(void *arg, const struct queue_position *position,
		const struct queue_envelope *envelope),
	void *arg, uint64_t *ret_end)
{
	struct scan scan = {.window = BUF_INIT(RECORD_BODY_MAX + SCAN_WINDOW),
		.idle = -1,
		.take = SCAN_FIRST,
		.visit = visit,
		.arg = arg};
	int result = queue_reader_hold(reader, segment, &scan.open);
	if (result != 0)
		return result;
	scan.offset = from < SEGMENT_HEADER_SIZE ? SEGMENT_HEADER_SIZE : (from + 7) & ~(uint64_t)7;
	scan.start = scan.end = scan.offset;
	while ((result = scan_record(&scan)) == 1)
		;
	buf_done(&scan.window);
	queue_reader_release(scan.open);
	if (result == 0)
		*ret_end = scan.end;
	return result;
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
	int error = read_more(open, message, FIRST_READ);
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
