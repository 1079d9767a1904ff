/* See content.h.
 * SPDX-License-Identifier: ISC */
#include "cleanup/content.h"

#include <errno.h>

#include "base/buf_pool.h"
#include "cleanup/settings.h"
#include "service/cleanup.h"

/* A large message is written in pieces of about that size: each is a job of the thread pool. Only
 * so many messages at once may have that much in memory; the others write what exceeds the limit
 * of the journal. */
#define FILE_PIECE (512u * 1024)
static struct buf_pool buffers = {.size = FILE_PIECE + CLEANUP_CHUNK_MAX, .max = 64, .kept = 2};
/* Above that size there will be more: room for all of a piece, so that it is not moved while it
 * grows. */
#define SMALL (32u * 1024)

static size_t inline_limit(void)
{
	return (size_t)process.settings.inline_limit;
}

static size_t piece_size(const struct content *content)
{
	return content->is_roomy ? FILE_PIECE : inline_limit();
}

void content_init(struct content *content, const char *queue_id, uint64_t limit)
{
	*content = (struct content){.file = LARGE_FILE_NONE, .queue_id = queue_id, .limit = limit};
	content->bytes = BUF_LARGE(inline_limit() + CLEANUP_CHUNK_MAX);
}

void content_done(struct content *content)
{
	if (content->is_roomy)
		buf_pool_give(&buffers, &content->bytes);
	content->is_roomy = false;
	large_abort(&content->file);
	buf_done(&content->bytes);
}

static void open_file(struct content *content)
{
	if (content->file.fd < 0 && content->error == 0)
		content->error = large_create(queue_writer_large_directory(process.writer),
			content->queue_id, false, &content->file);
}

static void flush(struct content *content)
{
	open_file(content);
	if (content->error == 0)
		content->error = large_write(&content->file, buf_span(&content->bytes));
	buf_reset(&content->bytes);
}

static void make_room(struct content *content, size_t more)
{
	struct buf room;
	if (content->is_roomy || content->bytes.len + more <= SMALL || inline_limit() > FILE_PIECE ||
		!buf_pool_take(&buffers, &room))
		return;
	buf_append(&room, buf_span(&content->bytes));
	buf_done(&content->bytes);
	content->bytes = room;
	content->is_roomy = true;
}

static void count(struct content *content, size_t more)
{
	content->size += more;
	if (content->error == 0 && content->limit > 0 && content->size > content->limit)
		content->error = -EFBIG;
}

void content_write(struct content *content, struct span bytes)
{
	count(content, bytes.len);
	make_room(content, bytes.len);
	while (content->error == 0 && bytes.len > 0) {
		size_t room = piece_size(content);
		if (content->bytes.len >= room) {
			flush(content);
			continue;
		}
		struct span piece = span_head(bytes, room - content->bytes.len);
		buf_append(&content->bytes, piece);
		if (content->bytes.overflow)
			content->error = -ENOMEM;
		bytes = span_skip(bytes, piece.len);
	}
}

void content_write_cstr(struct content *content, const char *text)
{
	content_write(content, span_from_cstr(text));
}

struct buf *content_room(struct content *content)
{
	return &content->bytes;
}

void content_took(struct content *content, size_t taken)
{
	count(content, taken);
	if (content->error == 0 && content->bytes.len >= piece_size(content))
		flush(content);
}

int content_finish(
	struct content *content, struct queue_envelope *envelope, struct span *ret_inline)
{
	envelope->size = content->size;
	if (content->error == 0 && content->file.fd < 0 && content->bytes.len > inline_limit())
		open_file(content);
	if (content->error != 0)
		return content->error;
	*ret_inline = buf_span(&content->bytes);
	if (content->file.fd < 0)
		return 0;
	/* DURABLE: the file is on disk before the record that refers to it. */
	content->error = large_finish(&content->file, buf_span(&content->bytes));
	buf_reset(&content->bytes);
	envelope->flags |= QUEUE_LARGE_CONTENT;
	*ret_inline = SPAN_EMPTY;
	return content->error;
}
