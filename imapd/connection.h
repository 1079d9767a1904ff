/* One client's byte stream as commands and responses: used by the front before login and by the
 * worker after it. Refuses what the framing refuses, asks for literals, and remembers a failed
 * write, so that callers write freely and look once.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAPD_CONNECTION_H
#define TAMBO_IMAPD_CONNECTION_H

#include "imap/frame.h"
#include "net/stream.h"

#define CONNECTION_IN_CAP 16384
#define CONNECTION_OUT_CAP 16384

struct connection {
	struct stream *stream; /* owned */
	struct imap_frame frame;
	unsigned bad_in_row; /* BAD answers since the last good command, which resets it */
	bool failed;	     /* a write failed: the session is over */
	/* Asked when a literal was announced (frame->bytes holds the command so far): true when the
	 * caller reads it from the stream itself. NULL: never. */
	bool (*wants_literal)(struct connection *connection);
};

enum connection_result {
	CONNECTION_COMMAND, /* frame.bytes is one command; connection_next before the next read */
	CONNECTION_LITERAL, /* wants_literal was true: frame.literal_size bytes come, when a
			     * continuation was sent for a synchronising one */
	CONNECTION_CLOSED,
	CONNECTION_TIMEOUT,
};

void connection_init(struct connection *connection, struct stream *stream_take,
	const struct imap_frame_limits *limits);
void connection_done(struct connection *connection, bool flush);

/* Flushes what was written, then reads until a command is complete. Framing errors are answered
 * here; too many of them close. idle: deadline of the first byte; each later read has at most
 * busy_ms. */
enum connection_result connection_read(
	struct connection *connection, task_time idle, int64_t busy_ms);
void connection_next(struct connection *connection);

void connection_write(struct connection *connection, struct span bytes);
void connection_write_cstr(struct connection *connection, const char *text);
void connection_format(struct connection *connection, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void connection_flush(struct connection *connection);

/* Reads size bytes and forgets them. False when the connection is gone. */
bool connection_drop(struct connection *connection, uint64_t size, int64_t busy_ms);

#endif
