/* See send_content.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/send_content.h"

#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "mail/header.h"
#include "smtp/content.h"
#include "smtp/settings.h"
#include "task/file.h"

#define PIECE_SIZE 65536
#define FOREVER_MS 3600000

/* The piece at offset; *ret_piece is not empty unless at the end. buf keeps file bytes. */
static int get_piece(const struct delivery_request *request, uint64_t offset, struct buf *buf,
	struct span *ret_piece)
{
	uint64_t left = request->size - offset;
	size_t want = left < PIECE_SIZE ? (size_t)left : PIECE_SIZE;
	if (request->content_fd < 0) {
		*ret_piece = span_part(request->content, (size_t)offset, want);
		return ret_piece->len == want ? 0 : -EIO;
	}
	buf_reset(buf);
	char *bytes = buf_reserve(buf, PIECE_SIZE);
	if (bytes == NULL)
		return -ENOMEM;
	ssize_t got = task_read_at(request->content_fd, bytes, want, request->content_offset + offset);
	if (got <= 0)
		return got < 0 ? (int)got : -EIO;
	*ret_piece = span_new(bytes, (size_t)got);
	return 0;
}

uint64_t send_content_size(const struct delivery_request *request)
{
	uint64_t size = request->size;
	if (request->content_fd >= 0)
		return size;
	for (size_t i = 0; i < request->content.len; i++)
		if (request->content.ptr[i] == '\n' && (i == 0 || request->content.ptr[i - 1] != '\r'))
			size++;
	return size;
}

bool send_content_header_is_ascii(const struct delivery_request *request)
{
	struct buf buf = BUF_INIT(PIECE_SIZE);
	struct span piece = SPAN_EMPTY;
	bool ascii = request->size == 0 || get_piece(request, 0, &buf, &piece) != 0 ||
		span_is_ascii(span_head(piece, header_length(piece)));
	buf_done(&buf);
	return ascii;
}

static bool write_out(struct connection *connection, struct buf *out, struct problem *problem)
{
	stream_set_write_timeout(connection->stream,
		settings.data_xfer_timeout > 0 ? settings.data_xfer_timeout : FOREVER_MS);
	int error = out->overflow ? -ENOMEM : (int)stream_write(connection->stream, buf_span(out));
	buf_reset(out);
	if (error >= 0)
		return true;
	connection_lost(connection, error, "sending message body", problem);
	return false;
}

bool send_content(const struct delivery_request *request, struct connection *connection,
	struct problem *problem)
{
	struct smtp_content content;
	struct buf in = BUF_INIT(PIECE_SIZE), out = BUF_INIT(3 * PIECE_SIZE + 16);
	uint64_t offset = 0;
	bool good = true;
	smtp_content_init(&content, (size_t)settings.line_length_limit);
	while (good && offset < request->size) {
		struct span piece = SPAN_EMPTY;
		int error = get_piece(request, offset, &in, &piece);
		if (error != 0) {
			/* The message must not end here: cutting the line is the only honest way. */
			connection->broken = true;
			problem_set(problem, "4.3.0", "local data error while talking to %s",
				connection->label);
			good = false;
			break;
		}
		offset += piece.len;
		smtp_content_encode(&content, piece, &out);
		good = write_out(connection, &out, problem);
	}
	if (good) {
		smtp_content_end(&content, &out);
		good = write_out(connection, &out, problem);
	}
	buf_done(&in);
	buf_done(&out);
	return good;
}
