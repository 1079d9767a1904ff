/* Text of any charset to UTF-8, by way of ICU. Broken input never fails: what cannot be converted
 * becomes U+FFFD. A charset that is not known is told, so that the caller can fall back.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAIL_CHARSET_H
#define TAMBO_MAIL_CHARSET_H

#include "base/buf.h"

#define CHARSET_NAME_MAX 64

struct charset_decoder;

/* NULL when the name is not known to us. Names as in MIME ("iso-8859-1", "windows-1252", "utf-8").
 * */
struct charset_decoder *charset_decoder_new(struct span name);
void charset_decoder_free(struct charset_decoder *decoder);
/* Appends UTF-8; a sequence cut at the end of bytes is kept for the next call unless last is set.
 * */
void charset_decode(struct charset_decoder *decoder, struct span bytes, bool last, struct buf *out);

/* All at once; false (nothing appended) when the charset is not known. "" counts as US-ASCII, whose
 * bytes above 127 become U+FFFD unless the whole text is UTF-8. */
bool charset_to_utf8(struct span name, struct span bytes, struct buf *out);
/* Appends bytes, each sequence that is not UTF-8 replaced by U+FFFD. */
void utf8_clean(struct span bytes, struct buf *out);

#endif
