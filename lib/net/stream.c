/* See stream.h.
 * SPDX-License-Identifier: ISC */
#include "net/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "net/socket.h"

#define FIRST_READ 4096
#define KEEP_WAITING 16384
/* Of lines nobody sends so many at once that larger reads would pay. */
#define LINES_READ 16384
#define WRITE_TIMEOUT (300 * 1000)
/* What a peer that we hang up on may still say. */
#define FAREWELL_MS 2000
#define FAREWELL_MAX (256 * 1024)

struct stream {
	int fd;
	struct buf in, out;
	size_t in_start; /* consumed bytes at the front of in */
	size_t next_read;
	struct stream_transport transport;
	void *context;
	bool plain, broken;
	bool no_socket; /* a pipe or a terminal: a short read says nothing */
	bool last_words; /* the end of the connection follows what is sent: one segment for both */
	bool drained; /* the last read of a plain stream took all there was: wait before the next */
	int64_t write_timeout;
};

static ssize_t plain_read(void *context, int fd, void *bytes, size_t len, enum task_io *ret_wait)
{
	struct stream *stream = context;
	*ret_wait = TASK_READ;
	ssize_t count = stream->no_socket ? read(fd, bytes, len) : recv(fd, bytes, len, 0);
	if (count < 0 && errno == ENOTSOCK) {
		stream->no_socket = true;
		count = read(fd, bytes, len);
	}
	return count < 0 ? -errno : count;
}

static ssize_t plain_write(void *context, int fd, const void *bytes, size_t len,
	enum task_io *ret_wait)
{
	const struct stream *stream = context;
	*ret_wait = TASK_WRITE;
	ssize_t count = send(fd, bytes, len, MSG_NOSIGNAL | (stream->last_words ? MSG_MORE : 0));
	if (count < 0 && errno == ENOTSOCK)
		count = write(fd, bytes, len);
	return count < 0 ? -errno : count;
}

struct stream *stream_new(int fd_take, size_t in_cap, size_t out_cap)
{
	struct stream *stream = NEW(struct stream);
	stream->fd = fd_take;
	socket_set_nonblocking(fd_take);
	buf_init(&stream->in, in_cap);
	buf_init(&stream->out, out_cap);
	stream->transport = (struct stream_transport){.read = plain_read, .write = plain_write};
	stream->context = stream;
	stream->plain = true;
	stream->write_timeout = WRITE_TIMEOUT;
	return stream;
}

void stream_free(struct stream *stream)
{
	if (stream == NULL)
		return;
	if (stream->transport.free != NULL)
		stream->transport.free(stream->context);
	buf_wipe(&stream->in);
	buf_done(&stream->out);
	task_forget_fd(stream->fd);
	close(stream->fd);
	free(stream);
}

static bool say_the_end(struct stream *stream, task_time deadline)
{
	stream->last_words = true;
	if (stream_flush(stream, deadline) != 0)
		return false;
	if (stream->transport.shutdown != NULL)
		stream->transport.shutdown(stream->context, stream->fd);
	return true;
}

void stream_close(struct stream *stream, task_time deadline)
{
	if (stream == NULL)
		return;
	(void)say_the_end(stream, deadline);
	stream_free(stream);
}

/* Past the transport: nobody wants to know what it was. */
static void read_to_the_end(int fd, task_time deadline)
{
	char bytes[4096];
	size_t total = 0;
	int status = 0;
	while (status == 0 && total < FAREWELL_MAX) {
		ssize_t count = recv(fd, bytes, sizeof bytes, 0);
		if (count > 0) {
			total += (size_t)count;
			status = task_share();
		} else if (count < 0 && errno == EAGAIN) {
			status = task_wait_fd(fd, TASK_READ, deadline);
		} else if (count == 0 || errno != EINTR) {
			return;
		}
	}
}

void stream_hang_up(struct stream *stream, task_time deadline)
{
	if (stream == NULL)
		return;
	if (say_the_end(stream, deadline) && shutdown(stream->fd, SHUT_WR) == 0) {
		task_time end = task_deadline(FAREWELL_MS);
		buf_wipe(&stream->in);
		buf_done(&stream->out);
		read_to_the_end(stream->fd, end < deadline ? end : deadline);
	}
	stream_free(stream);
}

int stream_fd(const struct stream *stream)
{
	return stream->fd;
}

size_t stream_set_transport(struct stream *stream, const struct stream_transport *transport,
	void *context_take)
{
	size_t dropped = stream_drop_input(stream);
	stream->transport = *transport;
	stream->context = context_take;
	stream->plain = stream->drained = false;
	return dropped;
}

void *stream_transport_context(struct stream *stream)
{
	return stream->plain ? NULL : stream->context;
}

void stream_set_write_timeout(struct stream *stream, int64_t ms)
{
	stream->write_timeout = ms;
}

/* --- input --- */

struct span stream_buffered(const struct stream *stream)
{
	return span_skip(buf_span(&stream->in), stream->in_start);
}

static void compact(struct stream *stream)
{
	if (stream->in_start == 0)
		return;
	buf_consume(&stream->in, stream->in_start);
	stream->in_start = 0;
}

size_t stream_drop_input(struct stream *stream)
{
	size_t dropped = stream_buffered(stream).len;
	buf_wipe(&stream->in);
	buf_reset(&stream->in);
	stream->in_start = 0;
	return dropped;
}

int stream_unread(struct stream *stream, struct span bytes)
{
	struct buf joined = BUF_INIT(stream->in.cap);
	buf_append(&joined, bytes);
	buf_append(&joined, stream_buffered(stream));
	if (joined.overflow) {
		buf_wipe(&joined);
		return -ENOMEM;
	}
	buf_wipe(&stream->in);
	stream->in = joined;
	stream->in_start = 0;
	return 0;
}

bool stream_will_wait(const struct stream *stream)
{
	return stream->drained && stream->in.len == stream->in_start;
}

void stream_consume(struct stream *stream, size_t n)
{
	CHECK(n <= stream->in.len - stream->in_start);
	stream->in_start += n;
	if (stream->in_start == stream->in.len)
		stream->in.len = stream->in_start = 0;
}

static int wait_or_fail(struct stream *stream, ssize_t result, enum task_io io, task_time deadline)
{
	int status = (int)result;
	if (status == -EAGAIN)
		status = task_wait_fd(stream->fd, io, deadline);
	else if (status == -EINTR)
		status = 0;
	if (status != 0 && status != -ETIMEDOUT)
		stream->broken = true;
	return status;
}

/* One read, or -EAGAIN without asking when the last one took all there was. */
static ssize_t read_or_know(struct stream *stream, void *out, size_t want, enum task_io *ret_wait)
{
	if (stream->drained) {
		stream->drained = false;
		*ret_wait = TASK_READ;
		return -EAGAIN;
	}
	ssize_t count = stream->transport.read(stream->context, stream->fd, out, want, ret_wait);
	stream->drained = stream->plain && !stream->no_socket && count > 0 &&
		(size_t)count < want;
	if (stream->drained)
		task_fd_drained(stream->fd);
	return count;
}

/* Reads once into the buffer: at least one byte more is there afterwards. -EMSGSIZE: it is full. */
static int read_more(struct stream *stream, task_time deadline)
{
	compact(stream);
	size_t room = stream->in.cap - stream->in.len;
	if (room == 0)
		return -EMSGSIZE;
	if (stream->next_read < FIRST_READ)
		stream->next_read = FIRST_READ;
	size_t want = stream->next_read < room ? stream->next_read : room;
	/* A peer that never pauses does not reach the wait below. */
	if (task_now() > deadline)
		return -ETIMEDOUT;
	for (;;) {
		enum task_io io = TASK_READ;
		char *at = buf_reserve(&stream->in, want);
		if (at == NULL)
			return -ENOMEM;
		ssize_t count = read_or_know(stream, at, want, &io);
		/* Nobody keeps much memory by sending a lot and then no more. */
		if (count == -EAGAIN && stream->in.len == 0)
			buf_shrink(&stream->in, KEEP_WAITING);
		if (count > 0) {
			stream->in.len += (size_t)count;
			/* A full read asks for a larger one, a small one for a smaller. */
			if ((size_t)count == want)
				stream->next_read = want * 2;
			else if ((size_t)count < want / 4)
				stream->next_read = want / 2;
			return 0;
		}
		if (count == 0) {
			stream->broken = true;
			return -EPIPE;
		}
		int status = wait_or_fail(stream, count, io, deadline);
		if (status != 0)
			return status;
	}
}

int stream_read_line(struct stream *stream, size_t max, task_time deadline, struct span *ret_line)
{
	size_t seen = 0;
	int status = task_share();
	while (status == 0) {
		struct span bytes = stream_buffered(stream);
		size_t at = span_find_char(span_skip(bytes, seen), '\n');
		size_t len = at == SIZE_MAX ? bytes.len : seen + at + 1;
		if (at != SIZE_MAX && len <= max) {
			*ret_line = span_head(bytes, len);
			stream->in_start += len;
			return 0;
		}
		if (len >= max || bytes.len == stream->in.cap) {
			*ret_line = span_head(bytes, max);
			stream->in_start += ret_line->len;
			return -EMSGSIZE;
		}
		seen = bytes.len;
		if (stream->next_read > LINES_READ)
			stream->next_read = LINES_READ;
		status = read_more(stream, deadline);
	}
	return status;
}

int stream_peek(struct stream *stream, task_time deadline, struct span *ret_bytes)
{
	int status = task_share();
	while (status == 0 && stream_buffered(stream).len == 0)
		status = read_more(stream, deadline);
	if (status == 0)
		*ret_bytes = stream_buffered(stream);
	return status;
}

ssize_t stream_try_read(struct stream *stream, void *out, size_t len)
{
	enum task_io io = TASK_READ;
	stream->drained = false;
	return stream->transport.read(stream->context, stream->fd, out, len, &io);
}

ssize_t stream_try_write(struct stream *stream, struct span bytes)
{
	enum task_io io = TASK_WRITE;
	return stream->transport.write(stream->context, stream->fd, bytes.ptr, bytes.len, &io);
}

/* More of a long input (a pipeline), so that its commands are answered together. An end or an error
 * shows at the next read too. */
static void read_what_is_there(struct stream *stream)
{
	enum task_io io = TASK_READ;
	size_t room = stream->in.cap - stream->in.len;
	size_t want = room < FIRST_READ ? room : FIRST_READ;
	char *at = want == 0 ? NULL : buf_reserve(&stream->in, want);
	ssize_t count = at == NULL ? 0 :
		stream->transport.read(stream->context, stream->fd, at, want, &io);
	if (count > 0)
		stream->in.len += (size_t)count;
}

int stream_wait_input(struct stream *stream, task_time deadline)
{
	char first[512];
	int status = stream_flush(stream, deadline);
	if (status != 0 || stream_buffered(stream).len > 0)
		return status;
	buf_done(&stream->in);
	buf_done(&stream->out);
	stream->in_start = stream->next_read = 0;
	for (;;) {
		enum task_io io = TASK_READ;
		ssize_t count = read_or_know(stream, first, sizeof first, &io);
		if (count > 0) {
			buf_append_bytes(&stream->in, first, (size_t)count);
			memory_wipe(first, (size_t)count);
			if (count == (ssize_t)sizeof first)
				read_what_is_there(stream);
			return stream->in.overflow ? -ENOMEM : 0;
		}
		if (count == 0)
			return 0; /* the next read tells */
		status = wait_or_fail(stream, count, io, deadline);
		if (status != 0)
			return status;
	}
}

/* --- output --- */

static int write_all(struct stream *stream, struct span bytes, task_time deadline)
{
	while (bytes.len > 0) {
		enum task_io io = TASK_WRITE;
		ssize_t count = stream->transport.write(stream->context, stream->fd, bytes.ptr,
			bytes.len, &io);
		if (count > 0) {
			bytes = span_skip(bytes, (size_t)count);
			continue;
		}
		int status = wait_or_fail(stream, count == 0 ? -EPIPE : count, io, deadline);
		if (status != 0) {
			/* What was sent in part cannot be continued. */
			stream->broken = true;
			return status;
		}
	}
	return 0;
}

int stream_flush(struct stream *stream, task_time deadline)
{
	if (stream->out.len == 0)
		return 0;
	int status = write_all(stream, buf_span(&stream->out), deadline);
	buf_reset(&stream->out);
	return status;
}

int stream_write(struct stream *stream, struct span bytes)
{
	if (bytes.len <= stream->out.cap - stream->out.len) {
		buf_append(&stream->out, bytes);
		return stream->out.overflow ? -ENOMEM : 0;
	}
	task_time deadline = task_deadline(stream->write_timeout);
	int status = stream_flush(stream, deadline);
	if (status != 0)
		return status;
	if (bytes.len >= stream->out.cap)
		return write_all(stream, bytes, deadline);
	return stream_write(stream, bytes);
}

int stream_write_cstr(struct stream *stream, const char *text)
{
	return stream_write(stream, span_from_cstr(text));
}

int stream_write_format(struct stream *stream, const char *format, ...)
{
	struct buf text = BUF_INIT(64 * 1024);
	va_list args;
	va_start(args, format);
	buf_append_vformat(&text, format, args);
	va_end(args);
	int status = text.overflow ? -EMSGSIZE : stream_write(stream, buf_span(&text));
	buf_done(&text);
	return status;
}
