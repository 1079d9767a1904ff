/* A span is borrowed bytes: the type of all parser input. It is not NUL-terminated and owns
 * nothing.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_BASE_SPAN_H
#define TAMBO_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *ptr;
	size_t len;
};

#define SPAN_EMPTY ((struct span){"", 0})
/* Of a string literal, at no cost. */
#define SPAN(literal) ((struct span){"" literal, sizeof(literal) - 1})
/* For printf: "%.*s", SPAN_ARGS(s) */
#define SPAN_ARGS(s) (int)((s).len > 4096 ? 4096 : (s).len), (s).ptr

static inline struct span span_new(const void *ptr, size_t len)
{
	return (struct span){(const char *)ptr, len};
}

/* A NULL string gives the empty span. */
static inline struct span span_from_cstr(const char *s)
{
	return s == NULL ? SPAN_EMPTY : (struct span){s, strlen(s)};
}

static inline bool span_is_empty(struct span s)
{
	return s.len == 0;
}

/* The span without its first n bytes; empty when n is too large. */
static inline struct span span_skip(struct span s, size_t n)
{
	return n >= s.len ? (struct span){s.ptr + s.len, 0} : (struct span){s.ptr + n, s.len - n};
}

/* At most the first n bytes. */
static inline struct span span_head(struct span s, size_t n)
{
	return (struct span){s.ptr, n < s.len ? n : s.len};
}

/* Bytes from start, at most len of them, clipped to the span. */
static inline struct span span_part(struct span s, size_t start, size_t len)
{
	return span_head(span_skip(s, start), len);
}

bool span_equal(struct span a, struct span b);
/* ASCII case folded. */
bool span_equal_nocase(struct span a, struct span b);
/* As memcmp: the shorter first when one is the other's beginning. */
int span_compare(struct span a, struct span b);
bool span_starts_with(struct span s, struct span prefix);
bool span_starts_with_nocase(struct span s, struct span prefix);
bool span_ends_with(struct span s, struct span suffix);
bool span_ends_with_nocase(struct span s, struct span suffix);

/* Offset of the first (last) c, or SIZE_MAX. */
size_t span_find_char(struct span s, char c);
size_t span_find_last_char(struct span s, char c);
/* Offset of the first needle, or SIZE_MAX. An empty needle is found at 0. */
size_t span_find(struct span s, struct span needle);

/* Without space, tab, CR and LF at the ends. */
struct span span_trim(struct span s);

/* Cuts *rest at the first c: returns what stood before it and leaves what stands after it.
 * Without a c everything is returned and *rest becomes empty with a NULL ptr, so that
 * `while (rest.ptr != NULL)` visits every field, also a last empty one. */
struct span span_split(struct span *rest, char c);

/* Next token of bytes not in separators; false when none is left. */
bool span_token(struct span *rest, const char *separators, struct span *ret_token);
/* Is word, in any case, among the words of a list as main.cf has them: separated by commas or white
 * space? */
bool span_has_word(struct span list, struct span word);

/* The whole span as an unsigned decimal number; false when empty, not all digits or above max. */
bool span_to_u64(struct span s, uint64_t max, uint64_t *ret_value);
/* As span_to_u64, also accepts a leading '-'. */
bool span_to_i64(struct span s, int64_t *ret_value);
bool span_to_hex_u64(struct span s, uint64_t *ret_value);

/* A heap copy with a NUL behind it; free() it. Never NULL. */
char *span_dup_cstr(struct span s);

/* True when s holds no NUL, CR, LF or other control byte (0-31, 127). */
bool span_is_printable(struct span s);
/* True when s is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool span_is_utf8(struct span s);
bool span_is_ascii(struct span s);

#endif
