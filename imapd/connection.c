/* Commands and responses over a stream; framing errors are answered here (RFC 3501 2.2, RFC 7888
 * 4).
 * SPDX-License-Identifier: ISC */
#include "imapd/connection.h"

#include <errno.h>
#include <stdlib.h>

#include "imap/parser.h"

#define BAD_IN_ROW_MAX 10
#define WRITE_TIMEOUT (5 * 60 * 1000)
/* A refused literal that is not synchronising has to be read; above this we hang up (RFC 7888 4).
 */
#define DROP_MAX (1024 * 1024)

void connection_init(struct connection *connection, struct stream *stream_take,
	const struct imap_frame_limits *limits)
{
	*connection = (struct connection){.stream = stream_take};
	imap_frame_init(&connection->frame, limits);
	stream_set_write_timeout(stream_take, WRITE_TIMEOUT);
}

void connection_done(struct connection *connection, bool flush)
{
	imap_frame_done(&connection->frame);
	if (flush && !connection->failed)
		stream_hang_up(connection->stream, task_deadline(10 * 1000));
	else
		stream_free(connection->stream);
	connection->stream = NULL;
}

void connection_write(struct connection *connection, struct span bytes)
{
	if (!connection->failed && stream_write(connection->stream, bytes) != 0)
		connection->failed = true;
}

void connection_write_cstr(struct connection *connection, const char *text)
{
	connection_write(connection, span_from_cstr(text));
}

void connection_format(struct connection *connection, const char *format, ...)
{
	struct buf text = BUF_INIT(256 * 1024);
	va_list args;
	va_start(args, format);
	buf_append_vformat(&text, format, args);
	va_end(args);
	connection_write(connection, buf_span(&text));
	buf_done(&text);
}

void connection_flush(struct connection *connection)
{
	if (!connection->failed &&
		stream_flush(connection->stream, task_deadline(WRITE_TIMEOUT)) != 0)
		connection->failed = true;
}

void connection_next(struct connection *connection)
{
	imap_frame_reset(&connection->frame);
}

/* Answers a command that did not even frame; its tag when it can be seen. */
static void refuse(struct connection *connection, const char *text)
{
	struct imap_parser parser;
	struct span tag;
	imap_parser_init(&parser, buf_span(&connection->frame.bytes), NULL);
	bool tagged = imap_parse_tag(&parser, &tag) && imap_parser_peek(&parser, ' ');
	if (tagged)
		connection_format(connection, "%.*s BAD %s\r\n", SPAN_ARGS(tag), text);
	else
		connection_format(connection, "* BAD %s\r\n", text);
	connection->bad_in_row++;
}

bool connection_drop(struct connection *connection, uint64_t size, int64_t busy_ms)
{
	while (size > 0) {
		struct span bytes;
		if (stream_peek(connection->stream, task_deadline(busy_ms), &bytes) != 0)
			return false;
		size_t count = bytes.len < size ? bytes.len : (size_t)size;
		stream_consume(connection->stream, count);
		size -= count;
	}
	return true;
}

/* A literal that is too big: refused before it comes, or dropped when it comes anyway. False: the
 * connection cannot go on. */
static bool refuse_literal(struct connection *connection, int64_t busy_ms)
{
	struct imap_frame *frame = &connection->frame;
	if (frame->literal_sync) {
		refuse(connection, "[TOOBIG] Literal is too large");
		imap_frame_reset(frame);
		return true;
	}
	if (frame->literal_size > DROP_MAX) {
		connection_write_cstr(connection, "* BYE [TOOBIG] Literal is too large\r\n");
		return false;
	}
	if (!connection_drop(connection, frame->literal_size, busy_ms))
		return false;
	/* One answer for each command: it has been given when nothing of it is left. Each literal is
	 * one more that was too much. */
	if (frame->bytes.len > 0)
		refuse(connection, "[TOOBIG] Literal is too large");
	else
		connection->bad_in_row++;
	imap_frame_skip_line(frame);
	buf_reset(&frame->bytes);
	return true;
}

/* Waits for the first bytes with the buffers released, then hands out what is there. */
static int peek(struct connection *connection, task_time deadline, struct span *ret_bytes)
{
	struct stream *stream = connection->stream;
	if (stream_buffered(stream).len == 0) {
		int status = stream_wait_input(stream, deadline);
		if (status != 0)
			return status;
	}
	return stream_peek(stream, deadline, ret_bytes);
}

static enum connection_result read_failed(struct connection *connection, int status)
{
	if (status == -ETIMEDOUT)
		return CONNECTION_TIMEOUT;
	/* The process is stopping: there may still be a goodbye. */
	connection->failed = status != -ECANCELED;
	return CONNECTION_CLOSED;
}

/* A literal was announced. False: go on reading; true: *ret_result is the answer. */
static bool handle_literal(
	struct connection *connection, int64_t busy_ms, enum connection_result *ret_result)
{
	struct imap_frame *frame = &connection->frame;
	if (connection->wants_literal != NULL && connection->wants_literal(connection)) {
		*ret_result = CONNECTION_LITERAL;
		return true;
	}
	if (frame->literal_too_big) {
		*ret_result = CONNECTION_CLOSED;
		return !refuse_literal(connection, busy_ms);
	}
	if (frame->literal_sync)
		connection_write_cstr(connection, "+ OK\r\n");
	imap_frame_accept_literal(frame);
	return false;
}

/* One step of the frame. False: go on reading. */
static bool handle(struct connection *connection, enum imap_frame_result framed, int64_t busy_ms,
	enum connection_result *ret_result)
{
	struct imap_frame *frame = &connection->frame;
	switch (framed) {
	case IMAP_FRAME_MORE:
		return false;
	case IMAP_FRAME_OK:
		*ret_result = CONNECTION_COMMAND;
		return true;
	case IMAP_FRAME_LITERAL:
		return handle_literal(connection, busy_ms, ret_result);
	case IMAP_FRAME_BAD:
		/* After TOO_LONG or a refused literal the answer has been given. */
		if (frame->bytes.len > 0)
			refuse(connection, "Invalid characters in command");
		imap_frame_reset(frame);
		return false;
	case IMAP_FRAME_TOO_LONG:
		refuse(connection, "[TOOBIG] Command is too long");
		imap_frame_skip_line(frame);
		buf_reset(&frame->bytes);
		return false;
	}
	return false;
}

enum connection_result connection_read(
	struct connection *connection, task_time idle, int64_t busy_ms)
{
	enum connection_result result;
	for (;;) {
		struct span bytes;
		size_t used;
		if (connection->failed)
			return CONNECTION_CLOSED;
		if (connection->bad_in_row > BAD_IN_ROW_MAX) {
			connection_write_cstr(connection, "* BYE Too many invalid commands\r\n");
			return CONNECTION_CLOSED;
		}
		/* Also a command that never pauses and never ends. */
		if (task_now() > idle)
			return CONNECTION_TIMEOUT;
		task_time deadline = idle;
		if (!imap_frame_is_empty(&connection->frame) && task_deadline(busy_ms) < idle)
			deadline = task_deadline(busy_ms);
		int status = peek(connection, deadline, &bytes);
		if (status != 0)
			return read_failed(connection, status);
		enum imap_frame_result framed = imap_frame_feed(&connection->frame, bytes, &used);
		stream_consume(connection->stream, used);
		if (handle(connection, framed, busy_ms, &result))
			return result;
	}
}
