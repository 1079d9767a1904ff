/* See buf.h.
 * SPDX-License-Identifier: ISC */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

#define FIRST_ALLOC 64

void buf_init(struct buf *buf, size_t cap)
{
	*buf = BUF_INIT(cap);
}

void buf_done(struct buf *buf)
{
	bool is_large = buf->is_large;
	free(buf->ptr);
	buf_init(buf, buf->cap);
	buf->is_large = is_large;
}

void buf_wipe(struct buf *buf)
{
	if (buf->ptr != NULL)
		memory_wipe(buf->ptr, buf->alloc);
	buf_done(buf);
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->overflow = false;
}

void buf_shrink(struct buf *buf, size_t keep)
{
	if (buf->alloc > keep)
		buf_done(buf);
	buf_reset(buf);
}

static bool take_more(struct buf *buf, size_t n)
{
	if (buf->overflow || n > buf->cap - buf->len) {
		buf->overflow = true;
		return false;
	}
	size_t want = buf->len + n + 1;
	if (want <= buf->alloc)
		return true;
	size_t alloc = buf->alloc < FIRST_ALLOC ? FIRST_ALLOC : buf->alloc * 2;
	if (alloc < want)
		alloc = want;
	if (alloc > buf->cap + 1)
		alloc = buf->cap + 1;
	char *moved = memory_try_resize(buf->ptr, alloc);
	if (moved == NULL && buf->is_large && alloc > MEMORY_SMALL) {
		buf->overflow = true;
		return false;
	}
	buf->ptr = moved == NULL ? memory_resize(buf->ptr, alloc, 1) : moved;
	buf->alloc = alloc;
	return true;
}

/* One byte more than asked is always there, for buf_cstr. */
static inline bool grow(struct buf *buf, size_t n)
{
	return (!buf->overflow && n < buf->alloc - buf->len) || take_more(buf, n);
}

void buf_append_bytes(struct buf *buf, const void *bytes, size_t len)
{
	if (len == 0 || !grow(buf, len))
		return;
	memcpy(buf->ptr + buf->len, bytes, len);
	buf->len += len;
}

void buf_append(struct buf *buf, struct span bytes)
{
	buf_append_bytes(buf, bytes.ptr, bytes.len);
}

void buf_append_cstr(struct buf *buf, const char *s)
{
	buf_append_bytes(buf, s, strlen(s));
}

void buf_append_u64(struct buf *buf, uint64_t value)
{
	char digits[20];
	size_t at = sizeof digits;
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	buf_append_bytes(buf, digits + at, sizeof digits - at);
}

/* Writes into the room that is there, without growing. How long the whole is. */
__attribute__((format(printf, 2, 0)))
static size_t format_in_place(struct buf *buf, const char *format, va_list args)
{
	size_t room = buf->alloc - buf->len;
	int len = vsnprintf(room == 0 ? NULL : buf->ptr + buf->len, room, format, args);
	return len < 0 ? 0 : (size_t)len;
}

void buf_append_vformat(struct buf *buf, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	size_t len = format_in_place(buf, format, args);
	bool is_written = len < buf->alloc - buf->len;
	if (len > 0 && grow(buf, len)) {
		if (!is_written)
			(void)format_in_place(buf, format, again);
		buf->len += len;
	}
	va_end(again);
}

void buf_append_format(struct buf *buf, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	buf_append_vformat(buf, format, args);
	va_end(args);
}

void buf_append_vformat_cut(struct buf *buf, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	size_t len = format_in_place(buf, format, args), room = buf->cap - buf->len;
	bool is_written = len < buf->alloc - buf->len;
	if (len > room)
		len = room;
	if (len > 0 && grow(buf, len)) {
		if (!is_written)
			(void)format_in_place(buf, format, again);
		buf->len += len;
	}
	va_end(again);
}

void buf_append_format_cut(struct buf *buf, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	buf_append_vformat_cut(buf, format, args);
	va_end(args);
}

char *buf_reserve(struct buf *buf, size_t n)
{
	return grow(buf, n) ? buf->ptr + buf->len : NULL;
}

void buf_consume(struct buf *buf, size_t n)
{
	if (n >= buf->len) {
		buf->len = 0;
		return;
	}
	if (n > 0)
		memmove(buf->ptr, buf->ptr + n, buf->len - n);
	buf->len -= n;
}

void buf_truncate(struct buf *buf, size_t len)
{
	if (len < buf->len)
		buf->len = len;
}

const char *buf_cstr(struct buf *buf)
{
	if (buf->ptr == NULL)
		return "";
	buf->ptr[buf->len] = '\0';
	return buf->ptr;
}

char *buf_steal(struct buf *buf)
{
	char *taken = buf->ptr == NULL ? memory_dup_cstr("") : buf->ptr;
	taken[buf->len] = '\0';
	buf_init(buf, buf->cap);
	return taken;
}
