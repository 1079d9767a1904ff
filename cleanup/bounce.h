/* Delivery status notifications (RFC 3461 section 6, RFC 3464, RFC 6533 for SMTPUTF8 mail) with
 * Postfix's subjects and layout: a notification for people, a report for programs, and the message or
 * its header. bounce_template_file gets its place in bounce_text.c.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CLEANUP_BOUNCE_H
#define TAMBO_CLEANUP_BOUNCE_H

#include "cleanup/intake.h"
#include "mail/date.h"
#include "queue/reader.h"
#include "service/qmgr.h"

/* Composes and queues; intake holds the result (and the new queue id), to be sent and then
 * intake_done. BOUNCE_POSTMASTER goes to bounce_notice_recipient, or, when request->sender is "" (a
 * bounce that failed), to 2bounce_notice_recipient; the others to request->sender, which must not be
 * "". May yield. */
void bounce_compose(const struct bounce_request *request, struct intake *intake);

/* --- parts, for bounce_compose and the tests --- */

struct bounce {
	const struct bounce_request *request;
	const char *reporter;   /* myhostname */
	const char *mail_name, *origin; /* myorigin */
	struct span recipient;  /* whom the report goes to */
	struct span boundary;
	struct mail_date date;
	bool utf8;              /* the message was SMTPUTF8 */
	bool eight_bit;         /* its content may hold bytes above 127 */
	bool whole;             /* the message is returned whole, not only its header */
};

const char *bounce_subject(enum bounce_kind kind);
/* "sender non-delivery notification" ...: as logged. */
const char *bounce_log_name(enum bounce_kind kind);
/* The header of the report, with its empty line. */
void bounce_header(const struct bounce *bounce, struct buf *out);
/* First part: for people. */
void bounce_notification(const struct bounce *bounce, struct buf *out);
/* Second part: message/delivery-status. */
void bounce_report(const struct bounce *bounce, struct buf *out);
/* Begin and end of the third part. */
void bounce_original_begin(const struct bounce *bounce, struct buf *out);
void bounce_end(const struct bounce *bounce, struct buf *out);

#endif
