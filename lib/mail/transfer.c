/* Content-Transfer-Encodings. See transfer.h.
 * SPDX-License-Identifier: ISC */
#include "mail/transfer.h"

#include "base/ascii.h"
#include "base/base64.h"
#include "base/check.h"

enum transfer_encoding transfer_encoding_parse(struct span value)
{
	static const struct {
		const char *name;
		enum transfer_encoding encoding;
	} names[] = {
		{"7bit", TRANSFER_7BIT}, {"8bit", TRANSFER_8BIT}, {"binary", TRANSFER_BINARY},
		{"quoted-printable", TRANSFER_QUOTED_PRINTABLE}, {"base64", TRANSFER_BASE64},
	};
	value = span_trim(value);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (span_equal_nocase(value, span_from_cstr(names[i].name)))
			return names[i].encoding;
	return value.len == 0 ? TRANSFER_7BIT : TRANSFER_UNKNOWN;
}

void transfer_decoder_init(struct transfer_decoder *decoder, enum transfer_encoding encoding)
{
	*decoder = (struct transfer_decoder){.encoding = encoding};
}

/* Padding ends a run; another one may follow (joined base64 texts exist). */
static void base64_step(struct transfer_decoder *d, char c, struct buf *out)
{
	int value = base64_digit(c);
	if (c == '=')
		d->bit_count = 0;
	if (value < 0)
		return;
	d->bits = d->bits << 6 | (uint32_t)value;
	d->bit_count += 6;
	if (d->bit_count >= 8) {
		d->bit_count -= 8;
		buf_append_char(out, (char)(d->bits >> d->bit_count & 0xff));
	}
}

static void qp_flush(struct transfer_decoder *d, struct buf *out)
{
	buf_append_bytes(out, d->held, d->held_len);
	d->held_len = 0;
}

static void qp_hold(struct transfer_decoder *d, char c, struct buf *out)
{
	if (d->held_len == sizeof d->held)
		qp_flush(d, out);
	d->held[d->held_len++] = c;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void qp_plain(struct transfer_decoder *d, char c, struct buf *out)
{
	if (c == '=' || is_blank(c))
		qp_hold(d, c, out);
	else
		buf_append_char(out, c);
}

/* Something is held that begins with '='. */
static void qp_escape(struct transfer_decoder *d, char c, struct buf *out)
{
	int first = d->held_len > 1 ? ascii_hex_value(d->held[1]) : -1;
	if (first >= 0 && ascii_hex_value(c) >= 0) {
		buf_append_char(out, (char)(first * 16 + ascii_hex_value(c)));
		d->held_len = 0;
	} else if (first < 0 && c == '\n') {
		d->held_len = 0;
	} else if (first < 0 && (is_blank(c) || c == '\r')) {
		qp_hold(d, c, out);
	} else if (d->held_len == 1 && ascii_hex_value(c) >= 0) {
		qp_hold(d, c, out);
	} else {
		qp_flush(d, out);
		qp_plain(d, c, out);
	}
}

static void qp_step(struct transfer_decoder *d, char c, struct buf *out)
{
	if (d->held_len > 0 && d->held[0] == '=') {
		qp_escape(d, c, out);
		return;
	}
	if (d->held_len > 0 && !is_blank(c)) {
		if (c == '\r' || c == '\n')
			d->held_len = 0;
		qp_flush(d, out);
	}
	qp_plain(d, c, out);
}

void transfer_decode(struct transfer_decoder *decoder, struct span bytes, struct buf *out)
{
	switch (decoder->encoding) {
	case TRANSFER_BASE64:
		for (size_t i = 0; i < bytes.len; i++)
			base64_step(decoder, bytes.ptr[i], out);
		return;
	case TRANSFER_QUOTED_PRINTABLE:
		for (size_t i = 0; i < bytes.len; i++)
			qp_step(decoder, bytes.ptr[i], out);
		return;
	case TRANSFER_7BIT:
	case TRANSFER_8BIT:
	case TRANSFER_BINARY:
	case TRANSFER_UNKNOWN:
		buf_append(out, bytes);
		return;
	}
}

void transfer_decode_end(struct transfer_decoder *decoder, struct buf *out)
{
	/* A soft line break or white space at the very end stands for nothing. */
	if (decoder->held_len > 1 && decoder->held[0] == '=' && ascii_hex_value(decoder->held[1]) >= 0)
		qp_flush(decoder, out);
	decoder->held_len = 0;
	decoder->bit_count = 0;
}

void transfer_decode_all(enum transfer_encoding encoding, struct span bytes, struct buf *out)
{
	struct transfer_decoder decoder;
	transfer_decoder_init(&decoder, encoding);
	transfer_decode(&decoder, bytes, out);
	transfer_decode_end(&decoder, out);
}
