/* xtext and ORCPT. See xtext.h.
 * SPDX-License-Identifier: ISC */
#include "mail/xtext.h"

#include "base/ascii.h"

static void append_hex_byte(unsigned char c, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	buf_append_char(out, '+');
	buf_append_char(out, digits[c >> 4]);
	buf_append_char(out, digits[c & 15]);
}

void xtext_encode(struct span bytes, struct buf *out)
{
	for (size_t i = 0; i < bytes.len; i++) {
		char c = bytes.ptr[i];
		if (ascii_is_graph(c) && c != '+' && c != '=')
			buf_append_char(out, c);
		else
			append_hex_byte((unsigned char)c, out);
	}
}

static bool decode(struct span text, bool utf8, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '+') {
			if (text.len - i < 3)
				return false;
			int high = ascii_hex_value(text.ptr[i + 1]);
			int low = ascii_hex_value(text.ptr[i + 2]);
			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			if (ascii_is_control(c))
				return false;
			i += 2;
		} else if (c == '=' || (!ascii_is_graph(c) && !(utf8 && (unsigned char)c >= 128))) {
			return false;
		}
		buf_append_char(out, c);
	}
	return !out->overflow;
}

bool xtext_decode(struct span text, struct buf *out)
{
	size_t start = out->len;
	if (decode(text, false, out))
		return true;
	buf_truncate(out, start);
	return false;
}

static void append_utf8(uint64_t point, struct buf *out)
{
	if (point < 0x80) {
		buf_append_char(out, (char)point);
	} else if (point < 0x800) {
		buf_append_char(out, (char)(0xc0 | point >> 6));
		buf_append_char(out, (char)(0x80 | (point & 0x3f)));
	} else if (point < 0x10000) {
		buf_append_char(out, (char)(0xe0 | point >> 12));
		buf_append_char(out, (char)(0x80 | (point >> 6 & 0x3f)));
		buf_append_char(out, (char)(0x80 | (point & 0x3f)));
	} else {
		buf_append_char(out, (char)(0xf0 | point >> 18));
		buf_append_char(out, (char)(0x80 | (point >> 12 & 0x3f)));
		buf_append_char(out, (char)(0x80 | (point >> 6 & 0x3f)));
		buf_append_char(out, (char)(0x80 | (point & 0x3f)));
	}
}

/* "\x{20AC}" is one code point (RFC 6533 EmbeddedUnicodeChar); other bytes stand for themselves. */
static bool decode_embedded(struct span text, struct buf *out)
{
	size_t start = out->len;
	while (text.len > 0) {
		if (!span_starts_with(text, SPAN("\\x{"))) {
			buf_append_char(out, text.ptr[0]);
			text = span_skip(text, 1);
			continue;
		}
		size_t end = span_find_char(text, '}');
		uint64_t point;
		if (end == SIZE_MAX || end > 3 + 6 ||
			!span_to_hex_u64(span_part(text, 3, end - 3), &point) || point < 32 ||
			point == 127 || point > 0x10ffff)
			return false;
		append_utf8(point, out);
		text = span_skip(text, end + 1);
	}
	return span_is_utf8(span_skip(buf_span(out), start)) && !out->overflow;
}

bool orcpt_decode(struct span value, struct buf *out)
{
	size_t start = out->len, semicolon = span_find_char(value, ';');
	if (semicolon == SIZE_MAX || semicolon == 0 || semicolon + 1 == value.len)
		return false;
	struct span type = span_head(value, semicolon), address = span_skip(value, semicolon + 1);
	bool utf8 = span_equal_nocase(type, SPAN("utf-8"));
	for (size_t i = 0; i < type.len; i++)
		if (!ascii_is_alnum(type.ptr[i]) && type.ptr[i] != '-')
			return false;
	buf_append(out, type);
	buf_append_char(out, ';');
	struct buf plain = BUF_INIT(value.len);
	bool good = decode(address, utf8, &plain);
	if (good && utf8)
		good = decode_embedded(buf_span(&plain), out);
	else if (good)
		buf_append(out, buf_span(&plain));
	buf_done(&plain);
	if (!good || out->overflow)
		buf_truncate(out, start);
	return good && !out->overflow;
}

/* The code point at s (well-formed UTF-8) and its length. */
static uint32_t utf8_point(struct span s, size_t *ret_len)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t point = len == 1 ? p[0] : p[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++)
		point = point << 6 | (p[i] & 0x3f);
	*ret_len = len;
	return point;
}

void orcpt_encode(struct span orcpt, bool utf8, struct buf *out)
{
	size_t semicolon = span_find_char(orcpt, ';');
	if (semicolon == SIZE_MAX)
		return;
	struct span address = span_skip(orcpt, semicolon + 1);
	bool international = !span_is_ascii(address) && span_is_utf8(address);
	buf_append(out, international ? SPAN("utf-8") : span_head(orcpt, semicolon));
	buf_append_char(out, ';');
	if (!international) {
		xtext_encode(address, out);
		return;
	}
	while (address.len > 0) {
		size_t len;
		uint32_t point = utf8_point(address, &len);
		bool plain = point < 128 && ascii_is_graph((char)point) && point != '+' &&
			     point != '=' && point != '\\';
		if (plain || (point >= 128 && utf8))
			buf_append(out, span_head(address, len));
		else
			buf_append_format(out, "\\x{%X}", (unsigned)point);
		address = span_skip(address, len);
	}
}
