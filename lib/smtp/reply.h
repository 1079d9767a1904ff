/* Replies of a server, RFC 5321 section 4.2: "250-first", "250 last". The caller reads lines; the
 * lines of one reply are collected here with limits on their number and length. Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_REPLY_H
#define TAMBO_SMTP_REPLY_H

#include "base/buf.h"
#include "mail/status.h"

#define SMTP_REPLY_LINE_MAX 2048 /* the rest of a longer line is dropped by the reader */
#define SMTP_REPLY_LINES_MAX 500
#define SMTP_REPLY_TEXT_MAX 8192 /* lines kept; what comes behind is read and dropped */

struct smtp_reply {
	unsigned code;             /* 200-599 */
	struct mail_status status; /* enhanced code of the last line, or class.0.0 */
	struct buf text;           /* the lines as sent, joined by spaces, cleaned of control bytes */
	size_t lines;
};

enum smtp_reply_result {
	SMTP_REPLY_MORE, /* another line follows */
	SMTP_REPLY_DONE,
	SMTP_REPLY_BAD,  /* no reply of SMTP: the connection is of no more use */
};

void smtp_reply_init(struct smtp_reply *reply);
void smtp_reply_done(struct smtp_reply *reply);
void smtp_reply_reset(struct smtp_reply *reply);
/* Takes the next line, with or without its line end. */
enum smtp_reply_result smtp_reply_add(struct smtp_reply *reply, struct span line);
/* 2, 3, 4 or 5 */
static inline unsigned smtp_reply_class(const struct smtp_reply *reply)
{
	return reply->code / 100;
}

/* One line: code, whether another follows, what stands behind the separator. False: no reply line.
 * */
bool smtp_reply_line(struct span line, unsigned *ret_code, bool *ret_more, struct span *ret_text);

#endif
