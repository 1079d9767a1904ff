/* The bytes of a message on their way into its file: line ends, sizes, times, and the parse for the
 * index while the bytes are in memory still. Order and durability: append.c.
 * SPDX-License-Identifier: ISC */
#include "store/append_private.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf_pool.h"
#include "store/cache_private.h"
#include "store/file_private.h"
#include "task/task.h"

#define PARSE_MAX (256UL << 20) /* larger messages are parsed when first asked for */
/* A message of up to that size is read, parsed and written as a whole; larger ones in pieces. */
#define WHOLE_MAX ((1UL << 20) + (128UL << 10))
#define FILL_PIECE (256UL << 10)

/* With none of these a message goes in pieces. */
static struct buf_pool buffers = {.size = WHOLE_MAX, .max = 4, .kept = 2};

static void take_buffer(struct append *append)
{
	struct buf text;
	if (!buf_pool_take(&buffers, &text))
		return;
	buf_append(&text, buf_span(&append->text));
	buf_done(&append->text);
	append->text = text;
	append->has_buffer = true;
}

void append_drop_text(struct append *append)
{
	if (append->has_buffer)
		buf_pool_give(&buffers, &append->text);
	append->has_buffer = false;
	buf_done(&append->text);
}

static void write_file(struct append *append, struct span bytes)
{
	while (bytes.len > 0 && append->error == 0) {
		ssize_t n = write(append->fd, bytes.ptr, bytes.len);
		if (n >= 0)
			bytes = span_skip(bytes, (size_t)n);
		else if (errno != EINTR)
			append->error = -errno;
	}
}

/* Into the file now: the message will be more than fits into memory. */
static void spill(struct append *append, struct span bytes)
{
	append->crlf_size += content_crlf_length(&append->to_crlf, bytes);
	append->is_spilled = true;
	write_file(append, bytes);
}

/* Gathered, so that most messages are one write, and are parsed where they stand. */
static void write_out(struct append *append, struct span bytes)
{
	append->size += bytes.len;
	if (append->text.len + bytes.len > append->text.cap) {
		spill(append, buf_span(&append->text));
		buf_reset(&append->text);
	}
	if (bytes.len > append->text.cap)
		spill(append, bytes);
	else
		buf_append(&append->text, bytes);
	if (append->text.overflow && append->error == 0)
		append->error = -ENOMEM;
}

int append_write(struct append *append, struct span bytes)
{
	if (append->error == 0 && memchr(bytes.ptr, '\r', bytes.len) == NULL &&
		!append->to_lf.after_cr) {
		write_out(append, bytes);
		return append->error;
	}
	struct buf lines = BUF_INIT(APPEND_PIECE + 2);
	while (bytes.len > 0 && append->error == 0) {
		struct span piece = span_head(bytes, APPEND_PIECE);
		bytes = span_skip(bytes, piece.len);
		buf_reset(&lines);
		content_to_lf(&append->to_lf, piece, &lines);
		write_out(append, buf_span(&lines));
	}
	buf_done(&lines);
	return append->error;
}

static void parse_file(struct append *append)
{
	(void)cache_build_file(append->fd, append->size, &append->cache);
}

static void parse_in_pool(void *arg)
{
	parse_file(arg);
}

/* Fills the cache from the message, which is in memory still. What has been parsed has been
 * measured. */
static void parse(struct append *append)
{
	struct span text = buf_span(&append->text);
	bool wanted = append->size > 0 && append->size <= PARSE_MAX;
	if (!append->is_spilled) {
		if (!wanted || !cache_build(text, &append->cache, &append->crlf_size))
			append->crlf_size = content_crlf_length(&append->to_crlf, text);
		return;
	}
	append->crlf_size += content_crlf_length(&append->to_crlf, text);
	if (wanted && append->is_in_pool)
		parse_file(append);
	else if (wanted)
		task_offload(parse_in_pool, append);
}

static int64_t seconds_of(clockid_t clock)
{
	struct timespec now;
	return clock_gettime(clock, &now) == 0 ? now.tv_sec : INT64_MIN;
}

/* Files get their time from the coarse clock, or later: mostly one second is all it can be. */
static void find_mtime(struct append *append, int64_t began)
{
	struct stat st;
	append->internaldate = seconds_of(CLOCK_REALTIME);
	if (append->internaldate == began && append->error == 0)
		return;
	if (append->error == 0 && fstat(append->fd, &st) != 0)
		append->error = -errno;
	else if (append->error == 0)
		append->internaldate = st.st_mtim.tv_sec;
}

static void set_mtime(struct append *append)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
		{.tv_sec = (time_t)append->options->internaldate}};
	if (append->error == 0 && futimens(append->fd, times) != 0)
		append->error = -errno;
	append->internaldate = append->options->internaldate;
}

/* The last bytes, the time, the parse. */
static void end_content(struct append *append)
{
	struct buf last = BUF_INIT(1);
	content_to_lf_end(&append->to_lf, &last);
	write_out(append, buf_span(&last));
	buf_done(&last);
	int64_t began = append->text.len > 0 ? seconds_of(CLOCK_REALTIME_COARSE) : INT64_MIN;
	write_file(append, buf_span(&append->text));
	if (append->options->internaldate != INT64_MIN)
		set_mtime(append);
	else
		find_mtime(append, began);
	if (append->error == 0)
		parse(append);
	append->is_ended = true;
}

int append_finish_file(struct append *append)
{
	if (!append->is_ended)
		end_content(append);
	append_drop_text(append);
	/* DURABLE: the content before its own name; with one, so that a flush of the folder is known
	 * to keep it on every file system. */
	bool durable = append->options->durability == APPEND_DURABLE;
	if (append->error == 0 && durable)
		append->error = append_name_file(append);
	if (append->error == 0 && durable)
		append->error = file_sync(append->fd);
	return append->error;
}

struct fill {
	struct append *append;
	int fd;
	uint64_t offset, left;
};

/* Up to room bytes, fewer only at the end. */
static ssize_t read_some(struct fill *fill, char *to, size_t room)
{
	size_t done = 0, want = fill->left < room ? (size_t)fill->left : room;
	while (done < want) {
		ssize_t n = pread(fill->fd, to + done, want - done, (off_t)(fill->offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO; /* a message is never kept cut short */
		done += (size_t)n;
	}
	fill->offset += done;
	fill->left -= done;
	return (ssize_t)done;
}

/* Straight to where the message is gathered. */
static void fill_whole(struct fill *fill)
{
	struct append *append = fill->append;
	struct buf *text = &append->text;
	size_t before = text->len;
	ssize_t n = read_some(fill, text->ptr + before, text->cap - before);
	if (n < 0) {
		append->error = (int)n;
		return;
	}
	struct span read = span_new(text->ptr + before, (size_t)n);
	if (memchr(read.ptr, '\r', read.len) == NULL && !append->to_lf.after_cr) {
		text->len += read.len;
		append->size += read.len;
		return;
	}
	struct buf lines = BUF_INIT(read.len + 2);
	content_to_lf(&append->to_lf, read, &lines);
	write_out(append, buf_span(&lines));
	buf_done(&lines);
}

static void fill_in_pieces(struct fill *fill)
{
	struct append *append = fill->append;
	struct buf piece = BUF_INIT(FILL_PIECE);
	char *to = buf_reserve(&piece, FILL_PIECE);
	while (append->error == 0 && fill->left > 0) {
		ssize_t n = read_some(fill, to, FILL_PIECE);
		if (n < 0)
			append->error = (int)n;
		else
			(void)append_write(append, span_new(to, (size_t)n));
	}
	buf_done(&piece);
}

static void fill_in_pool(void *arg)
{
	struct fill *fill = arg;
	struct append *append = fill->append;
	append->is_in_pool = true;
	if (append->has_buffer)
		fill_whole(fill);
	else
		fill_in_pieces(fill);
	if (append->error == 0)
		end_content(append);
	append->is_in_pool = false;
}

int append_fill(struct append *append, int fd, uint64_t offset, uint64_t size)
{
	struct fill fill = {append, fd, offset, size};
	if (append->error == 0 && !append->is_spilled && append->text.len + size <= WHOLE_MAX)
		take_buffer(append);
	if (append->error == 0)
		task_offload(fill_in_pool, &fill);
	return append->error;
}
