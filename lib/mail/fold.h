/* Text as searches compare it: UTF-8 with the case folded (Unicode simple folding), so that two
 * texts that differ only in case become the same bytes.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAIL_FOLD_H
#define TAMBO_MAIL_FOLD_H

#include "base/buf.h"

/* Appends the folded text; bytes that are not UTF-8 become U+FFFD. */
void utf8_fold(struct span text, struct buf *out);

#endif
