/* Owned, growing bytes with a cap given at birth. Overflow is sticky: append freely, then test
 * buf->overflow once. What was appended before stays readable. Memory that is not to be had ends
 * the process; where a peer decides how much it is (BUF_LARGE), above 64 KiB it is an overflow.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_BASE_BUF_H
#define TAMBO_BASE_BUF_H

#include <stdarg.h>

#include "base/span.h"

struct buf {
	char *ptr; /* NULL until the first byte */
	size_t len;
	size_t alloc;
	size_t cap; /* len never exceeds it */
	bool overflow, is_large;
};

#define BUF_INIT(limit) ((struct buf){NULL, 0, 0, (limit), false, false})
#define BUF_LARGE(limit) ((struct buf){NULL, 0, 0, (limit), false, true})

void buf_init(struct buf *buf, size_t cap);
/* Frees; the buf is as after buf_init. */
void buf_done(struct buf *buf);
/* As buf_done, and wipes the bytes: for secrets. */
void buf_wipe(struct buf *buf);
/* Empties and clears overflow, keeps the memory. */
void buf_reset(struct buf *buf);
/* Empties, and gives memory above keep bytes back. */
void buf_shrink(struct buf *buf, size_t keep);

void buf_append(struct buf *buf, struct span bytes);
void buf_append_bytes(struct buf *buf, const void *bytes, size_t len);
void buf_append_cstr(struct buf *buf, const char *s);
static inline void buf_append_char(struct buf *buf, char c)
{
	/* Texts are built byte by byte in many places. */
	if (!buf->overflow && buf->len + 1 < buf->alloc)
		buf->ptr[buf->len++] = c;
	else
		buf_append_bytes(buf, &c, 1);
}
void buf_append_u64(struct buf *buf, uint64_t value);
void buf_append_format(struct buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void buf_append_vformat(struct buf *buf, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
/* The same, but what the cap leaves no room for is cut off and is no overflow: for texts that
 * people read. */
void buf_append_format_cut(struct buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void buf_append_vformat_cut(struct buf *buf, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* Room for at least n more bytes at buf->ptr + buf->len, or NULL (overflow is set). The caller
 * writes there and adds to len. */
char *buf_reserve(struct buf *buf, size_t n);
/* Drops the first n bytes. */
void buf_consume(struct buf *buf, size_t n);
void buf_truncate(struct buf *buf, size_t len);

/* The content as a C string: a NUL stands behind it, not counted. Valid until the next change. */
const char *buf_cstr(struct buf *buf);
/* The content as a heap string (free() it); the buf is empty afterwards. */
char *buf_steal(struct buf *buf);

static inline struct span buf_span(const struct buf *buf)
{
	return buf->ptr == NULL ? SPAN_EMPTY : (struct span){buf->ptr, buf->len};
}

#endif
