/* See xtext.h. SPDX-License-Identifier: ISC */
#include "smtp/xtext.h"

#include "base/ascii.h"

void smtp_xtext_encode(struct span bytes, struct buf *out)
{
	for (size_t i = 0; i < bytes.len; i++) {
		char c = bytes.ptr[i];
		if ((unsigned char)c > 127 || (ascii_is_graph(c) && c != '+' && c != '='))
			buf_append_char(out, c);
		else
			buf_append_format(out, "+%02X", (unsigned char)c);
	}
}

/* The byte that "+HH" at text[i] stands for, or -1. */
static int decode_hex(struct span text, size_t i)
{
	if (text.len - i < 3)
		return -1;
	int high = ascii_hex_value(text.ptr[i + 1]), low = ascii_hex_value(text.ptr[i + 2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool smtp_xtext_decode(struct span text, struct buf *out)
{
	size_t before = out->len;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		int byte = (unsigned char)c;
		if (c == '+') {
			byte = decode_hex(text, i);
			i += 2;
		} else if (c == '=' || (!ascii_is_graph(c) && byte < 128)) {
			byte = -1;
		}
		if (byte < 0) {
			buf_truncate(out, before);
			return false;
		}
		buf_append_char(out, (char)byte);
	}
	return true;
}
