/* A message as a POP3 multi-line response (RFC 1939 section 3): CRLF line ends, a leading dot
 * doubled,
 * "." CRLF at the end; for TOP only so many lines of the body. Pure, piece by piece.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_POP3_ENCODE_H
#define TAMBO_POP3_ENCODE_H

#include "base/buf.h"

struct pop3_encoder {
	bool in_line;      /* the last byte did not end a line */
	bool after_cr;
	bool in_body;
	bool limited;
	uint64_t lines;    /* of the body, still to come when limited */
	uint64_t line_len; /* of the current line, without its end */
	bool finished;     /* nothing more is wanted */
};

#define POP3_ALL_LINES UINT64_MAX

/* body_lines: POP3_ALL_LINES for RETR. */
void pop3_encode_begin(struct pop3_encoder *encoder, uint64_t body_lines);
/* piece: with LF or CRLF line ends. True while more is wanted. */
bool pop3_encode(struct pop3_encoder *encoder, struct span piece, struct buf *out);
void pop3_encode_end(struct pop3_encoder *encoder, struct buf *out);

#endif
