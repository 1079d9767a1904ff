/* Message bytes between file (LF or CRLF) and wire (CRLF); see content.h.
 * SPDX-License-Identifier: ISC */
#include "store/content.h"

void content_to_crlf(struct content_state *state, struct span piece, struct buf *out)
{
	while (piece.len > 0) {
		size_t at = span_find_char(piece, '\n');
		if (at == SIZE_MAX) {
			buf_append(out, piece);
			state->after_cr = piece.ptr[piece.len - 1] == '\r';
			return;
		}
		bool has_cr = at > 0 ? piece.ptr[at - 1] == '\r' : state->after_cr;
		buf_append(out, span_head(piece, at));
		if (has_cr)
			buf_append_char(out, '\n');
		else
			buf_append_bytes(out, "\r\n", 2);
		state->after_cr = false;
		piece = span_skip(piece, at + 1);
	}
}

uint64_t content_crlf_length(struct content_state *state, struct span piece)
{
	uint64_t length = piece.len;
	const char *at = piece.ptr;
	const char *end = piece.ptr + piece.len;
	while (at < end) {
		const char *found = memchr(at, '\n', (size_t)(end - at));
		if (found == NULL)
			break;
		bool has_cr = found > piece.ptr ? found[-1] == '\r' : state->after_cr;
		if (!has_cr)
			length++;
		at = found + 1;
	}
	if (piece.len > 0)
		state->after_cr = piece.ptr[piece.len - 1] == '\r';
	return length;
}

void content_to_lf(struct content_state *state, struct span piece, struct buf *out)
{
	while (piece.len > 0) {
		if (state->after_cr) {
			if (piece.ptr[0] != '\n')
				buf_append_char(out, '\r');
			state->after_cr = false;
		}
		size_t at = span_find_char(piece, '\r');
		if (at == SIZE_MAX) {
			buf_append(out, piece);
			return;
		}
		buf_append(out, span_head(piece, at));
		state->after_cr = true;
		piece = span_skip(piece, at + 1);
	}
}

void content_to_lf_end(struct content_state *state, struct buf *out)
{
	if (state->after_cr)
		buf_append_char(out, '\r');
	state->after_cr = false;
}
