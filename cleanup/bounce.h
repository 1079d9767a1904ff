/* Delivery status notifications (RFC 3461 section 6, RFC 3464, RFC 6533 for SMTPUTF8 mail) with
 * Postfix's subjects and layout: a notification for people, a report for programs, and the message
 * or its header. bounce_template_file gets its place in bounce_text.c.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CLEANUP_BOUNCE_H
#define TAMBO_CLEANUP_BOUNCE_H

#include "cleanup/intake.h"
#include "mail/date.h"
#include "queue/reader.h"
#include "service/qmgr.h"

/* Composes and queues; intake holds the result (and the new queue id), to be sent and then
 * intake_done. It goes to request->sender; for BOUNCE_POSTMASTER that is the notice recipient, and
 * the envelope sender is double_bounce_sender, so that it is never bounced itself.
 * request->length 0: the message was never queued, nothing of it is returned. May yield. */
void bounce_compose(const struct bounce_request *request, struct intake *intake);

/* --- parts, for bounce_compose and the tests --- */

struct bounce {
	const struct bounce_request *request;
	const char *reporter;   /* myhostname */
	const char *mail_name, *origin; /* myorigin */
	struct span recipient;  /* whom the report goes to */
	struct span sender;     /* of the message reported on */
	struct span boundary;
	struct mail_date date;
	bool utf8;              /* the message was SMTPUTF8 */
	bool eight_bit;         /* its content may hold bytes above 127 */
	bool whole;             /* the message is returned whole, not only its header */
};

/* "sender non-delivery notification" ...: as logged. */
const char *bounce_log_name(const struct bounce_request *request);
/* A copy for the postmaster of a warning, not of a failure. */
bool bounce_is_delay_copy(const struct bounce_request *request);
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
