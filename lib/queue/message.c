/* Content and recipients of one message: see reader.h.
 * SPDX-License-Identifier: ISC */
#include "queue/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/codec_private.h"
#include "queue/io_private.h"
#include "queue/queue_id.h"
#include "queue/reader_private.h"
#include "task/file.h"

#define RUN_MAX (QUEUE_RECIPIENTS_INLINE_MAX + 4 * QUEUE_ADDRESS_MAX)

static int read_exactly(int fd, uint64_t offset, size_t len, struct buf *out)
{
	char *to = buf_reserve(out, len);
	ssize_t n = to == NULL ? -EMSGSIZE : task_read_at(fd, to, len, offset);
	if (n < 0)
		return (int)n;
	if ((size_t)n < len)
		return -EBADMSG;
	out->len += len;
	return 0;
}

static int read_segment(struct queue_reader *reader, uint64_t segment, uint64_t offset, size_t len,
	struct buf *out)
{
	struct open_segment *open;
	int error = queue_reader_hold(reader, segment, &open);
	if (error != 0)
		return error;
	error = read_exactly(open->segment.fd, offset, len, out);
	queue_reader_release(open);
	return error;
}

static int read_part(struct queue_reader *reader, const struct queue_message *message,
	uint64_t offset, size_t len, struct buf *out)
{
	uint64_t start = message->content_offset + offset;
	struct span loaded = span_skip(
		buf_span(&message->bytes), (size_t)(start - message->position.offset));
	if (loaded.len >= len) {
		buf_append_bytes(out, loaded.ptr, len);
		return out->overflow ? -EMSGSIZE : 0;
	}
	return read_segment(reader, message->position.segment, start, len, out);
}

int queue_reader_raw(struct queue_reader *reader, const struct queue_position *position,
	struct buf *out)
{
	return read_segment(reader, position->segment, position->offset, position->length, out);
}

int queue_message_content(
	struct queue_reader *reader, const struct queue_message *message, struct buf *out)
{
	if (message->envelope.flags & QUEUE_LARGE_CONTENT)
		return -EINVAL;
	size_t start = out->len, size = (size_t)message->envelope.size;
	int error = size == 0 ? 0 : read_part(reader, message, 0, size, out);
	if (error == 0 && !record_check_rest(&message->header, span_skip(buf_span(out), start))) {
		buf_truncate(out, start);
		error = -EBADMSG;
	}
	return error;
}

static int open_file(
	struct queue_reader *reader, const struct queue_message *message, const char *suffix)
{
	char name[QUEUE_ID_MAX + 8];
	struct span id = message->envelope.queue_id;
	if (!queue_id_is_valid(id))
		return -EBADMSG;
	memcpy(name, id.ptr, id.len);
	memcpy(name + id.len, suffix, strlen(suffix) + 1);
	return queue_io_open(reader->large, name, O_RDONLY, 0);
}

int queue_message_open_large(struct queue_reader *reader, const struct queue_message *message)
{
	if ((message->envelope.flags & QUEUE_LARGE_CONTENT) == 0)
		return -EINVAL;
	struct stat status;
	int fd = open_file(reader, message, "");
	if (fd < 0)
		return fd;
	if (fstat(fd, &status) == 0 && (uint64_t)status.st_size == message->envelope.size)
		return fd;
	close(fd);
	return -EBADMSG;
}

int queue_message_content_part(struct queue_reader *reader, const struct queue_message *message,
	uint64_t offset, size_t max, struct buf *out)
{
	uint64_t size = message->envelope.size;
	if (offset >= size)
		return 0;
	size_t len = size - offset < max ? (size_t)(size - offset) : max;
	if ((message->envelope.flags & QUEUE_LARGE_CONTENT) == 0)
		return read_part(reader, message, offset, len, out);
	int fd = queue_message_open_large(reader, message);
	if (fd < 0)
		return fd;
	int error = read_exactly(fd, offset, len, out);
	close(fd);
	return error;
}

struct walk {
	struct queue_cursor *cursor;
	size_t limit, count;
	bool stopped;
	bool (*visit)(void *arg, uint32_t index, const struct queue_recipient *recipient);
	void *arg;
};

/* Visits what the walk wants of encoded recipients, the first of which has the index *index. Leaves
 * in *rest what was not looked at. */
static int walk_run(struct walk *walk, struct span *rest, uint32_t *index)
{
	while (rest->len > 0 && walk->count < walk->limit && !walk->stopped) {
		struct queue_recipient recipient;
		if (!queue_recipient_next(rest, &recipient))
			return -EBADMSG;
		uint32_t at = (*index)++;
		if (at < walk->cursor->index)
			continue;
		walk->cursor->index = at + 1;
		walk->count++;
		walk->stopped = !walk->visit(walk->arg, at, &recipient);
	}
	return 0;
}

static int walk_inline(struct walk *walk, const struct queue_message *message)
{
	struct queue_cursor *cursor = walk->cursor;
	struct span all = message->envelope.recipients;
	if (cursor->index < cursor->run_index || cursor->offset > all.len)
		cursor->offset = cursor->run_index = 0;
	struct span rest = span_skip(all, (size_t)cursor->offset);
	uint32_t index = cursor->run_index;
	int error = walk_run(walk, &rest, &index);
	if (error != 0)
		return error;
	cursor->offset = all.len - rest.len;
	cursor->run_index = index;
	return 0;
}

/* Reads the run at the cursor: its first index and count, and, when the cursor stands within, its
 * recipients. 0; 1 at the end of the file; or -errno. */
static int read_run(int fd, uint64_t epoch, struct queue_cursor *cursor, struct buf *run,
	struct span *ret_recipients, uint64_t *ret_next)
{
	struct record_header header;
	char first[RECORD_HEADER_SIZE + 8];
	ssize_t n = task_read_at(fd, first, sizeof first, cursor->offset);
	if (n <= 0)
		return n < 0 ? (int)n : 1;
	if ((size_t)n < sizeof first ||
		record_header_decode(span_new(first, sizeof first), epoch, &header) != RECORD_OK ||
		header.type != RECORD_RECIPIENTS || header.head_length != 8 ||
		header.length > RUN_MAX ||
		load_u32(first + RECORD_HEADER_SIZE) != cursor->run_index)
		return -EBADMSG;
	uint32_t count = load_u32(first + RECORD_HEADER_SIZE + 4);
	*ret_next = cursor->offset + record_size(header.length);
	*ret_recipients = SPAN_EMPTY;
	if (count == 0 || count > UINT32_MAX - cursor->run_index)
		return -EBADMSG;
	if (cursor->index >= cursor->run_index + count) {
		cursor->offset = *ret_next;
		cursor->run_index += count;
		return 0;
	}
	size_t size = record_size(header.length);
	struct span head;
	buf_reset(run);
	char *to = buf_reserve(run, size);
	if (to == NULL)
		return -ENOMEM;
	n = task_read_at(fd, to, size, cursor->offset);
	if (n < 0)
		return (int)n;
	run->len = (size_t)n;
	if (record_decode(buf_span(run), epoch, &header, &head, ret_recipients) != RECORD_OK)
		return -EBADMSG;
	return 0;
}

static int walk_file(
	struct walk *walk, struct queue_reader *reader, const struct queue_message *message)
{
	struct queue_cursor *cursor = walk->cursor;
	struct buf run = BUF_INIT(RUN_MAX + 64);
	int fd = open_file(reader, message, ".rcpt");
	if (fd < 0)
		return fd;
	if (cursor->index < cursor->run_index)
		cursor->offset = cursor->run_index = 0;
	int error = 0;
	while (error == 0 && walk->count < walk->limit && !walk->stopped &&
		cursor->index < message->envelope.recipient_count) {
		struct span rest;
		uint64_t next = 0;
		error = read_run(
			fd, message->envelope.recipients_epoch, cursor, &run, &rest, &next);
		uint32_t index = cursor->run_index;
		if (error == 0 && rest.len > 0)
			error = walk_run(walk, &rest, &index);
		if (error == 0 && rest.len == 0 && index > cursor->run_index) {
			cursor->offset = next;
			cursor->run_index = index;
		}
	}
	buf_done(&run);
	close(fd);
	return error == 1 ? -EBADMSG : error; /* fewer than the envelope says */
}

int queue_message_recipients(struct queue_reader *reader, const struct queue_message *message,
	struct queue_cursor *cursor, size_t limit,
	bool (*visit)(void *arg, uint32_t index, const struct queue_recipient *recipient),
	void *arg, size_t *ret_count)
{
	struct walk walk = {.cursor = cursor, .limit = limit, .visit = visit, .arg = arg};
	int error = message->envelope.flags & QUEUE_LARGE_RECIPIENTS
			    ? walk_file(&walk, reader, message)
			    : walk_inline(&walk, message);
	if (error == 0)
		*ret_count = walk.count;
	return error;
}
