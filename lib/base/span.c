/* Comparing, searching and cutting borrowed bytes. ASCII only: no locale is ever asked.
 * SPDX-License-Identifier: ISC */
#include "base/span.h"

#include "base/ascii.h"
#include "base/memory.h"

bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool span_equal_nocase(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
			return false;
	return true;
}

int span_compare(struct span a, struct span b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);
	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

bool span_starts_with(struct span s, struct span prefix)
{
	return s.len >= prefix.len && span_equal(span_head(s, prefix.len), prefix);
}

bool span_starts_with_nocase(struct span s, struct span prefix)
{
	return s.len >= prefix.len && span_equal_nocase(span_head(s, prefix.len), prefix);
}

bool span_ends_with(struct span s, struct span suffix)
{
	return s.len >= suffix.len && span_equal(span_skip(s, s.len - suffix.len), suffix);
}

bool span_ends_with_nocase(struct span s, struct span suffix)
{
	return s.len >= suffix.len && span_equal_nocase(span_skip(s, s.len - suffix.len), suffix);
}

size_t span_find_char(struct span s, char c)
{
	const char *at = s.len == 0 ? NULL : memchr(s.ptr, c, s.len);
	return at == NULL ? SIZE_MAX : (size_t)(at - s.ptr);
}

size_t span_find_last_char(struct span s, char c)
{
	const char *at = s.len == 0 ? NULL : memrchr(s.ptr, c, s.len);
	return at == NULL ? SIZE_MAX : (size_t)(at - s.ptr);
}

size_t span_find(struct span s, struct span needle)
{
	if (needle.len == 0)
		return 0;
	const char *at = s.len == 0 ? NULL : memmem(s.ptr, s.len, needle.ptr, needle.len);
	return at == NULL ? SIZE_MAX : (size_t)(at - s.ptr);
}

struct span span_trim(struct span s)
{
	while (s.len > 0 && ascii_is_space(s.ptr[0]))
		s = span_skip(s, 1);
	while (s.len > 0 && ascii_is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

struct span span_split(struct span *rest, char c)
{
	struct span whole = *rest;
	size_t at = span_find_char(whole, c);
	if (at == SIZE_MAX) {
		*rest = (struct span){NULL, 0};
		return whole;
	}
	*rest = span_skip(whole, at + 1);
	return span_head(whole, at);
}

static bool char_in(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

bool span_token(struct span *rest, const char *separators, struct span *ret_token)
{
	size_t start = 0;
	while (start < rest->len && char_in(rest->ptr[start], separators))
		start++;
	size_t end = start;
	while (end < rest->len && !char_in(rest->ptr[end], separators))
		end++;
	if (start == end)
		return false;
	*ret_token = span_part(*rest, start, end - start);
	*rest = span_skip(*rest, end);
	return true;
}

bool span_has_word(struct span list, struct span word)
{
	struct span token;
	while (span_token(&list, " ,\t\r\n", &token))
		if (span_equal_nocase(token, word))
			return true;
	return false;
}

bool span_to_u64(struct span s, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_digit(s.ptr[i]))
			return false;
		uint64_t digit = (uint64_t)(s.ptr[i] - '0');
		if (value > max / 10 || (value == max / 10 && digit > max % 10))
			return false;
		value = value * 10 + digit;
	}
	*ret_value = value;
	return true;
}

bool span_to_i64(struct span s, int64_t *ret_value)
{
	uint64_t value;
	bool negative = s.len > 0 && s.ptr[0] == '-';
	if (!span_to_u64(negative ? span_skip(s, 1) : s, INT64_MAX, &value))
		return false;
	*ret_value = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

bool span_to_hex_u64(struct span s, uint64_t *ret_value)
{
	uint64_t value = 0;
	if (s.len == 0 || s.len > 16)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		int digit = ascii_hex_value(s.ptr[i]);
		if (digit < 0)
			return false;
		value = value << 4 | (uint64_t)digit;
	}
	*ret_value = value;
	return true;
}

char *span_dup_cstr(struct span s)
{
	char *copy = memory_alloc(s.len + 1);
	if (s.len > 0)
		memcpy(copy, s.ptr, s.len);
	copy[s.len] = '\0';
	return copy;
}

bool span_is_printable(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 32 || s.ptr[i] == 127)
			return false;
	return true;
}

bool span_is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] >= 128)
			return false;
	return true;
}

/* Length of the well-formed sequence at s, or 0 (RFC 3629 section 4). */
static size_t utf8_sequence(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	if (p[0] < 0x80)
		return 1;
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || s.len < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

bool span_is_utf8(struct span s)
{
	const uint64_t high_bits = 0x8080808080808080;
	while (s.len > 0) {
		uint64_t eight;
		/* Most text is ASCII: eight at a time. */
		while (s.len >= sizeof(eight)
			&& (memcpy(&eight, s.ptr, sizeof(eight)), (eight & high_bits) == 0))
			s = span_skip(s, sizeof(eight));
		if (s.len == 0)
			return true;
		size_t len = utf8_sequence(s);
		if (len == 0)
			return false;
		s = span_skip(s, len);
	}
	return true;
}
