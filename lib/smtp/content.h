/* Message content on its way out (RFC 5321 section 4.5.2): every line ends in CRLF, a leading dot
 * is doubled, lines longer than the limit are folded, and no bare CR or LF ever leaves, so that no
 * receiver sees an end of message that is none. Streaming: any cut of the input gives the same
 * output.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_CONTENT_H
#define TAMBO_SMTP_CONTENT_H

#include "base/buf.h"

struct smtp_content {
	size_t line_limit; /* bytes of a line without CRLF; 0: none */
	/* private */
	size_t column;     /* bytes of this line so far */
	bool after_cr;     /* a CR is held back: is it half of a line end? */
};

void smtp_content_init(struct smtp_content *content, size_t line_limit);
/* Appends at most 3 bytes for each input byte. */
void smtp_content_encode(struct smtp_content *content, struct span piece, struct buf *out);
/* Completes the last line and appends the final dot. */
void smtp_content_end(struct smtp_content *content, struct buf *out);

#endif
