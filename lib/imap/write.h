/* Strings in IMAP responses (RFC 3501 section 9): an atom, a quoted string or a literal, whichever
 * the bytes allow. An empty string is always "" and never {0}: some clients stall on an empty
 * literal.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAP_WRITE_H
#define TAMBO_IMAP_WRITE_H

#include "base/buf.h"

/* Quoted when short, ASCII and on one line; otherwise a literal. */
void imap_write_string(struct span text, struct buf *out);
/* As imap_write_string, an atom when the bytes allow it. */
void imap_write_astring(struct span text, struct buf *out);
/* NIL for a NULL ptr. */
void imap_write_nstring(struct span text, struct buf *out);
/* The announcement of len bytes that the caller sends behind it: "{len}\r\n"; `""` when len is 0.
 */
void imap_write_literal_start(uint64_t len, struct buf *out);

#endif
