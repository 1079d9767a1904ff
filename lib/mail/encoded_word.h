/* Encoded words of header fields, RFC 2047 (and the language suffix of RFC 2231 section 5):
 * decoding to UTF-8. Lenient: words without white space between them, a multibyte character cut
 * between two words of one charset, missing padding; what is no encoded word is kept as it is.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAIL_ENCODED_WORD_H
#define TAMBO_MAIL_ENCODED_WORD_H

#include "base/buf.h"

/* value: unfolded or folded text of a field. Appends UTF-8: line ends are dropped, control bytes
 * and NUL become spaces, raw bytes that are not UTF-8 become U+FFFD. Linear. */
void encoded_word_decode(struct span value, struct buf *out);


#endif
