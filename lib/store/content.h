/* Message bytes between file (LF or CRLF) and wire (CRLF). Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_CONTENT_H
#define TAMBO_STORE_CONTENT_H

#include "base/buf.h"

/* Keeps what must be known between two pieces: whether the last byte was CR. */
struct content_state {
	bool after_cr;
};

/* Appends piece with each LF that has no CR before it as CRLF. Start with a zeroed state. */
void content_to_crlf(struct content_state *state, struct span piece, struct buf *out);
/* Appends piece with each CRLF as LF; a CR that ends the piece is held back until the next call. A
 * bare CR stays. content_to_lf_end writes what is held back. */
void content_to_lf(struct content_state *state, struct span piece, struct buf *out);
void content_to_lf_end(struct content_state *state, struct buf *out);
/* Length that content_to_crlf would give. */
uint64_t content_crlf_length(struct content_state *state, struct span piece);

#endif
