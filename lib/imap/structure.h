/* ENVELOPE, BODY and BODYSTRUCTURE as IMAP text (RFC 3501 section 7.4.2), made from lib/mail's
 * trees. What clients stumble over is never written: no NIL as a parameter's value or an encoding,
 * no multipart without a child, no host of NIL outside group marks.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAP_STRUCTURE_H
#define TAMBO_IMAP_STRUCTURE_H

#include "mail/mime.h"

/* "(date subject from sender reply-to to cc bcc in-reply-to message-id)" */
void imap_write_envelope(const struct envelope *envelope, struct buf *out);
/* The part and what is in it; extended: BODYSTRUCTURE, otherwise BODY. */
void imap_write_bodystructure(const struct mime_part *part, bool extended, struct buf *out);

#endif
