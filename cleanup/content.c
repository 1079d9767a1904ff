/* See content.h.
 * SPDX-License-Identifier: ISC */
#include "cleanup/content.h"

#include <errno.h>

#include "cleanup/settings.h"

#define FILE_PIECE (256u * 1024)

void content_init(struct content *content, const char *queue_id, uint64_t limit)
{
	*content = (struct content){.file = LARGE_FILE_NONE, .queue_id = queue_id, .limit = limit};
	size_t inline_limit = (size_t)process.settings.inline_limit;
	content->bytes =
		BUF_LARGE((inline_limit > FILE_PIECE ? inline_limit : FILE_PIECE) + 4096);
}

void content_done(struct content *content)
{
	large_abort(&content->file);
	buf_done(&content->bytes);
}

static void flush(struct content *content)
{
	if (content->file.fd < 0)
		content->error = large_create(queue_writer_large_directory(process.writer),
			content->queue_id, false, &content->file);
	if (content->error == 0)
		content->error = large_write(&content->file, buf_span(&content->bytes));
	buf_reset(&content->bytes);
}

void content_write(struct content *content, struct span bytes)
{
	content->size += bytes.len;
	if (content->error == 0 && content->limit > 0 && content->size > content->limit)
		content->error = -EFBIG;
	while (content->error == 0 && bytes.len > 0) {
		bool in_file = content->file.fd >= 0;
		size_t room = in_file ? FILE_PIECE : (size_t)process.settings.inline_limit;
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

int content_finish(
	struct content *content, struct queue_envelope *envelope, struct span *ret_inline)
{
	envelope->size = content->size;
	if (content->error != 0)
		return content->error;
	*ret_inline = buf_span(&content->bytes);
	if (content->file.fd < 0)
		return 0;
	if (content->bytes.len > 0)
		flush(content);
	/* DURABLE: the file is on disk before the record that refers to it. */
	if (content->error == 0)
		content->error = large_commit(&content->file);
	envelope->flags |= QUEUE_LARGE_CONTENT;
	*ret_inline = SPAN_EMPTY;
	return content->error;
}
