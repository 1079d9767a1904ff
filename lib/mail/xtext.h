/* xtext (RFC 3461 section 4) of ENVID, ORCPT and AUTH parameters, and utf-8-addr-xtext and
 * utf-8-addr-unitext (RFC 6533 section 3) of "utf-8;" original recipients.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAIL_XTEXT_H
#define TAMBO_MAIL_XTEXT_H

#include "base/buf.h"

void xtext_encode(struct span bytes, struct buf *out);
/* Appends the decoded bytes; false (nothing appended) when text is not xtext, or when a control
 * byte stands in the result (a NUL or a line end must not come in through "+00" and "+0A"). */
bool xtext_decode(struct span text, struct buf *out);

/* An original recipient "type;address" as kept inside (decoded) from an ORCPT value as sent, and
 * back. type is an atom; "utf-8" values may be any of the three RFC 6533 forms and become UTF-8. */
bool orcpt_decode(struct span value, struct buf *out);
/* utf8: the session has SMTPUTF8; without it UTF-8 becomes "\x{...}" (utf-8-addr-xtext). */
void orcpt_encode(struct span orcpt, bool utf8, struct buf *out);

#endif
