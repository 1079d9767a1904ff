/* See encode.h. A bare CR is sent as it is; the blank line that ends the header is always there, so
 * that a client never waits for it.
 * SPDX-License-Identifier: ISC */
#include "pop3/encode.h"

void pop3_encode_begin(struct pop3_encoder *encoder, uint64_t body_lines)
{
	*encoder = (struct pop3_encoder){.limited = body_lines != POP3_ALL_LINES,
		.lines = body_lines};
}

static void end_line(struct pop3_encoder *encoder, struct buf *out)
{
	buf_append(out, encoder->after_cr ? SPAN("\n") : SPAN("\r\n"));
	if (encoder->in_body && encoder->limited && --encoder->lines == 0)
		encoder->finished = true;
	if (!encoder->in_body && encoder->line_len == 0) {
		encoder->in_body = true;
		encoder->finished = encoder->limited && encoder->lines == 0;
	}
	encoder->in_line = encoder->after_cr = false;
	encoder->line_len = 0;
}

/* Bytes of one line, without its LF. */
static void line_bytes(struct pop3_encoder *encoder, struct span bytes, struct buf *out)
{
	if (bytes.len == 0)
		return;
	if (encoder->line_len == 0 && !encoder->after_cr && bytes.ptr[0] == '.')
		buf_append_char(out, '.');
	/* A CR that was held as a possible line end was content after all. */
	encoder->line_len += bytes.len + encoder->after_cr;
	encoder->after_cr = bytes.ptr[bytes.len - 1] == '\r';
	if (encoder->after_cr)
		encoder->line_len--;
	encoder->in_line = true;
	buf_append(out, bytes);
}

bool pop3_encode(struct pop3_encoder *encoder, struct span piece, struct buf *out)
{
	while (piece.len > 0 && !encoder->finished) {
		size_t at = span_find_char(piece, '\n');
		line_bytes(encoder, span_head(piece, at), out);
		if (at == SIZE_MAX)
			break;
		end_line(encoder, out);
		piece = span_skip(piece, at + 1);
	}
	return !encoder->finished;
}

void pop3_encode_end(struct pop3_encoder *encoder, struct buf *out)
{
	if (encoder->in_line)
		end_line(encoder, out);
	if (!encoder->in_body)
		buf_append_cstr(out, "\r\n");
	buf_append_cstr(out, ".\r\n");
}
