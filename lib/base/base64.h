/* Base64 of RFC 4648 section 4. Decoding is strict: padded, no white space, no stray bits.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_BASE_BASE64_H
#define TAMBO_BASE_BASE64_H

#include "base/buf.h"

void base64_encode(struct span bytes, struct buf *out);
/* 0 to 63; -1 when c is no digit. */
int base64_digit(char c);
/* Appends the decoded bytes; false (and nothing appended) when text is not base64. */
bool base64_decode(struct span text, struct buf *out);

#endif
