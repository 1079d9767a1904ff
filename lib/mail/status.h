/* Enhanced mail system status codes, RFC 3463: class.subject.detail.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAIL_STATUS_H
#define TAMBO_MAIL_STATUS_H

#include "base/buf.h"

#define MAIL_STATUS_LENGTH_MAX 9 /* "5.999.999" */

struct mail_status {
	uint8_t class; /* 2 success, 4 persistent transient, 5 permanent */
	uint16_t subject, detail; /* 0-999 */
};

/* The code at the beginning of text, followed by space or the end; *ret_rest (may be NULL) gets
 * what stands behind it and its spaces. False when there is none. */
bool mail_status_parse(struct span text, struct mail_status *ret_status, struct span *ret_rest);
void mail_status_format(struct mail_status status, struct buf *out);
/* The code of text when it has one whose class fits that of the SMTP reply code (2xx, 4xx, 5xx);
 * otherwise class.0.0. */
struct mail_status mail_status_of_reply(unsigned reply_code, struct span text,
	struct span *ret_rest);

#endif
