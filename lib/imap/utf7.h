/* Modified UTF-7, in which IMAP4rev1 carries mailbox names (RFC 3501 5.1.3).
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAP_UTF7_H
#define TAMBO_IMAP_UTF7_H

#include "base/buf.h"

/* Appends the UTF-8 form. False (what was appended is of no use) when name is not modified UTF-7 in
 * its one shortest form: eight-bit bytes, broken shifts, lone surrogates, encoded printable ASCII.
 */
bool imap_utf7_decode(struct span name, struct buf *out);
/* Appends the modified UTF-7 form of well-formed UTF-8; false when it is not. */
bool imap_utf7_encode(struct span utf8, struct buf *out);

#endif
