/* xtext of RFC 3461 section 4: printable ASCII stands for itself, the rest (and '+', '=') is "+HH".
 * Bytes above 127 are passed in both directions, as utf-8-addr-unitext of RFC 6533 section 3 needs.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_XTEXT_H
#define TAMBO_SMTP_XTEXT_H

#include "base/buf.h"

void smtp_xtext_encode(struct span bytes, struct buf *out);
/* Appends the decoded bytes; false (and nothing appended) when text is not xtext. */
bool smtp_xtext_decode(struct span text, struct buf *out);

#endif
