/* Modified UTF-7. RFC 3501 5.1.3: "&" shifts to base64 of UTF-16BE with "," for "/", "-" ends it.
 * Strict, so that one mailbox has one name: printable ASCII must stand for itself.
 * SPDX-License-Identifier: ISC */
#include "imap/utf7.h"

#include "base/base64.h"

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int value_of(char c)
{
	return c == ',' ? 63 : c == '/' ? -1 : base64_digit(c);
}

static bool is_direct(uint32_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

static void append_utf8(uint32_t c, struct buf *out)
{
	if (c < 0x80) {
		buf_append_char(out, (char)c);
	} else if (c < 0x800) {
		buf_append_char(out, (char)(0xc0 | c >> 6));
		buf_append_char(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_append_char(out, (char)(0xe0 | c >> 12));
		buf_append_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_append_char(out, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_append_char(out, (char)(0xf0 | c >> 18));
		buf_append_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_append_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_append_char(out, (char)(0x80 | (c & 0x3f)));
	}
}

/* One UTF-16 unit; *high holds a waiting high surrogate or 0. */
static bool take_unit(uint32_t unit, uint32_t *high, struct buf *out)
{
	if (unit >= 0xdc00 && unit <= 0xdfff) {
		if (*high == 0)
			return false;
		append_utf8(0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00), out);
		*high = 0;
		return true;
	}
	if (*high != 0)
		return false;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return true;
	}
	if (is_direct(unit) || unit == 0)
		return false;
	append_utf8(unit, out);
	return true;
}

/* shifted: what stands between "&" and "-", not empty. */
static bool decode_shifted(struct span shifted, struct buf *out)
{
	uint32_t bits = 0, high = 0;
	unsigned count = 0;
	for (size_t i = 0; i < shifted.len; i++) {
		int value = value_of(shifted.ptr[i]);
		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		count += 6;
		if (count < 16)
			continue;
		count -= 16;
		if (!take_unit(bits >> count & 0xffff, &high, out))
			return false;
	}
	return high == 0 && count < 6 && (bits & ((1U << count) - 1)) == 0;
}

bool imap_utf7_decode(struct span name, struct buf *out)
{
	bool after_shift = false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		if (!is_direct((unsigned char)c))
			return false;
		if (c != '&') {
			buf_append_char(out, c);
			after_shift = false;
			continue;
		}
		struct span rest = span_skip(name, i + 1);
		size_t end = span_find_char(rest, '-');
		if (end == SIZE_MAX)
			return false;
		if (end == 0) {
			buf_append_char(out, '&');
			after_shift = false;
		} else {
			/* "&AAA-&BBB-" has a shorter form */
			if (after_shift || !decode_shifted(span_head(rest, end), out))
				return false;
			after_shift = true;
		}
		i += end + 1;
	}
	return !out->overflow;
}

static uint32_t next_character(struct span utf8, size_t *at)
{
	unsigned char c = (unsigned char)utf8.ptr[(*at)++];
	unsigned more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	uint32_t value = more == 0 ? c : c & (0x3fU >> more);
	while (more-- > 0)
		value = value << 6 | ((unsigned char)utf8.ptr[(*at)++] & 0x3f);
	return value;
}

struct encoder {
	uint32_t bits;
	unsigned count;
	bool shifted;
	struct buf *out;
};

static void put_unit(struct encoder *encoder, uint32_t unit)
{
	if (!encoder->shifted)
		buf_append_char(encoder->out, '&');
	encoder->shifted = true;
	encoder->bits = encoder->bits << 16 | unit;
	encoder->count += 16;
	while (encoder->count >= 6) {
		encoder->count -= 6;
		buf_append_char(encoder->out, ALPHABET[encoder->bits >> encoder->count & 0x3f]);
	}
}

static void end_shift(struct encoder *encoder)
{
	if (!encoder->shifted)
		return;
	if (encoder->count > 0)
		buf_append_char(
			encoder->out, ALPHABET[encoder->bits << (6 - encoder->count) & 0x3f]);
	buf_append_char(encoder->out, '-');
	*encoder = (struct encoder){.out = encoder->out};
}

bool imap_utf7_encode(struct span utf8, struct buf *out)
{
	struct encoder encoder = {.out = out};
	if (!span_is_utf8(utf8))
		return false;
	for (size_t i = 0; i < utf8.len;) {
		uint32_t c = next_character(utf8, &i);
		if (is_direct(c)) {
			end_shift(&encoder);
			buf_append_char(out, (char)c);
			if (c == '&')
				buf_append_char(out, '-');
		} else if (c >= 0x10000) {
			put_unit(&encoder, 0xd800 + ((c - 0x10000) >> 10));
			put_unit(&encoder, 0xdc00 + ((c - 0x10000) & 0x3ff));
		} else {
			put_unit(&encoder, c);
		}
	}
	end_shift(&encoder);
	return !out->overflow;
}
