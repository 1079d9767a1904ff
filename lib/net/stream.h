/* A buffered byte stream over a socket (or, through its transport, over TLS), for use in a task.
 * All waiting functions have a deadline (task clock) and answer 0 or a count, or: -ETIMEDOUT,
 * -ECANCELED, -EPIPE at end of file, -ECONNRESET and other -errno from the socket. After an error
 * other than -EMSGSIZE the stream is of no more use.
 * Input is bounded by in_cap; output by out_cap: writing past it flushes with the write deadline.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_NET_STREAM_H
#define TAMBO_NET_STREAM_H

#include <sys/types.h>

#include "base/buf.h"
#include "task/task.h"

struct stream;

/* What moves bytes: a plain socket, or TLS (lib/tls). read/write answer a count, 0 at end of file,
 * -EAGAIN with *ret_wait telling which readiness of the fd to wait for, or -errno. */
struct stream_transport {
	ssize_t (*read)(void *context, int fd, void *bytes, size_t len, enum task_io *ret_wait);
	ssize_t (*write)(void *context, int fd, const void *bytes, size_t len, enum task_io *ret_wait);
	/* Sends a close notice where the protocol has one; must not wait. May be NULL. */
	void (*shutdown)(void *context, int fd);
	void (*free)(void *context);
};

/* Takes the fd (made non-blocking). in_cap: the longest line or look-ahead that can be asked for;
 * buffers are allocated only while they hold something, so an idle stream costs next to nothing. */
struct stream *stream_new(int fd_take, size_t in_cap, size_t out_cap);
/* Closes and frees, without flushing. NULL is allowed. */
void stream_free(struct stream *stream);
/* Flushes, sends the close notice, closes and frees. */
void stream_close(struct stream *stream, task_time deadline);
/* The same for a server, whose peer may still be sending: a socket that is closed with unread input
 * is reset, and the reset may take the last lines from the peer. Our side ends first; then what
 * still comes is read and forgotten until the peer ends too, for 2 seconds and 256 KiB at most. */
void stream_hang_up(struct stream *stream, task_time deadline);
int stream_fd(const struct stream *stream);

/* Replaces the plain transport. Input that was buffered before is dropped: nothing sent before
 * STARTTLS survives it. Returns how many bytes were dropped. */
size_t stream_set_transport(struct stream *stream, const struct stream_transport *transport,
	void *context_take);
void *stream_transport_context(struct stream *stream); /* NULL when plain */

/* The deadline of the writes that happen inside stream_write; default 5 minutes after each call. */
void stream_set_write_timeout(struct stream *stream, int64_t ms);

/* Reads until LF. *ret_line points into the buffer (valid until the next read) and includes the
 * line end. -EMSGSIZE: no LF within max bytes: the bytes so far are in *ret_line and are consumed;
 * the rest of that line is what the next reads see. */
int stream_read_line(struct stream *stream, size_t max, task_time deadline, struct span *ret_line);
/* At least one byte is buffered afterwards; *ret_bytes is all that is buffered, not consumed. */
int stream_peek(struct stream *stream, task_time deadline, struct span *ret_bytes);
void stream_consume(struct stream *stream, size_t n);
/* Nothing is buffered, and the last read took all there was. */
bool stream_will_wait(const struct stream *stream);
/* Puts bytes in front of what comes next, as if they had just been read. -ENOMEM when in_cap is too
 * small. */
int stream_unread(struct stream *stream, struct span bytes);
/* What is buffered, without waiting. */
struct span stream_buffered(const struct stream *stream);
size_t stream_drop_input(struct stream *stream);

/* Appends to the output buffer; waits only when that is full. */
int stream_write(struct stream *stream, struct span bytes);
int stream_write_cstr(struct stream *stream, const char *text);
int stream_write_format(struct stream *stream, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int stream_flush(struct stream *stream, task_time deadline);

/* One attempt each, past the buffers and without waiting: a count, 0 at end of file (read),
 * -EAGAIN, or -errno. For relays, together with task_wait_any. */
ssize_t stream_try_read(struct stream *stream, void *out, size_t len);
ssize_t stream_try_write(struct stream *stream, struct span bytes);

/* Waits until input is there or the deadline passes, with output flushed first and both buffers
 * released meanwhile: for idle sessions. 0 when readable (also at end of file). */
int stream_wait_input(struct stream *stream, task_time deadline);

#endif
