/* See base64.h.
 * SPDX-License-Identifier: ISC */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct span bytes, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)bytes.ptr;
	for (size_t left = bytes.len; left > 0;) {
		size_t n = left < 3 ? left : 3;
		unsigned group = (unsigned)p[0] << 16 | (n > 1 ? (unsigned)p[1] << 8 : 0) |
			(n > 2 ? p[2] : 0u);
		char text[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63],
			n > 1 ? alphabet[group >> 6 & 63] : '=', n > 2 ? alphabet[group & 63] : '='};
		buf_append_bytes(out, text, 4);
		p += n;
		left -= n;
	}
}

int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct span text, struct buf *out)
{
	size_t start = out->len;
	if (text.len % 4 != 0)
		return false;
	for (size_t i = 0; i < text.len; i += 4) {
		const char *c = text.ptr + i;
		bool last = i + 4 == text.len;
		int pad = last && c[3] == '=' ? (c[2] == '=' ? 2 : 1) : 0;
		unsigned group = 0;
		for (int k = 0; k < 4; k++) {
			int value = k >= 4 - pad ? 0 : base64_digit(c[k]);
			if (value < 0) {
				buf_truncate(out, start);
				return false;
			}
			group = group << 6 | (unsigned)value;
		}
		char bytes[3] = {(char)(group >> 16), (char)(group >> 8), (char)group};
		if ((pad == 1 && bytes[2] != 0) || (pad == 2 && bytes[1] != 0)) {
			buf_truncate(out, start);
			return false;
		}
		buf_append_bytes(out, bytes, 3 - (size_t)pad);
	}
	return true;
}
