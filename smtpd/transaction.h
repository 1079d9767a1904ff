/* What MAIL begins and what ends with the message, RSET, HELO, STARTTLS or the connection. There is
 * one way to begin and one to end it, whatever happened between.
 * SPDX-License-Identifier: ISC */
#ifndef SMTPD_TRANSACTION_H
#define SMTPD_TRANSACTION_H

#include "base/arena.h"
#include "ipc/channel.h"
#include "service/cleanup.h"
#include "service/limits.h"
#include "smtp/chunk.h"
#include "smtp/command.h"
#include "smtp/data.h"

struct session;

struct recipient {
	struct span given;   /* as the client said it, unquoted */
	struct span address; /* completed with a domain */
	struct span orcpt;
	uint32_t notify;
};

struct transaction {
	struct arena arena;        /* all spans below */
	struct smtp_mail mail;
	struct span sender;        /* completed; "" for <> */
	struct recipient *recipients;
	size_t recipient_count, recipient_alloc;
	unsigned overshoot;        /* recipients beyond the limit */
	uint32_t cleanup_flags;    /* CLEANUP_HOLD, CLEANUP_DISCARD: from access tables */
	struct buf prepend;        /* header lines from access tables */

	/* From DATA or the first BDAT on */
	struct channel *cleanup;   /* NULL: not open (any more) */
	char queue_id[LIMIT_QUEUE_ID + 1];
	struct smtp_data data;
	struct buf content;        /* decoded, not yet sent */
	bool bdat;                 /* chunks are being received */
	bool bdat_failed;          /* an earlier chunk was refused */
	char *failure;             /* reply that the end of the content will get; NULL: none yet */
};

/* Begins with a parsed MAIL. */
/* recipient_limit: smtpd_recipient_limit, for which there is room. */
struct transaction *transaction_new(const struct smtp_mail *mail, struct span completed_sender,
	int64_t recipient_limit);
/* Ends it: what was not acknowledged is dropped. session->transaction is NULL afterwards. */
void transaction_reset(struct session *session);
/* False: no room for another one. Spans are copied. */
bool transaction_add_recipient(struct transaction *transaction, const struct recipient *recipient);

/* --- content.c: handing the content to cleanup --- */
/* Opens the message with all its recipients and logs client=. False: the client got its reply. */
bool content_open(struct session *session);
/* Decodes and passes on input; *ret_used bytes of it were used. Failures are remembered in
 * transaction->failure; the rest of the content is then read and dropped. */
enum smtp_data_result content_add(struct session *session, struct span input, size_t *ret_used);
/* The client makes a pause: what has been gathered is passed on, if it is much. */
void content_pause(struct session *session);
/* The end: asks for durability, replies (for each recipient in LMTP), ends the transaction. bytes:
 * of all BDAT chunks, -1 after DATA. True when the message was queued. */
bool content_finish(struct session *session, int64_t bytes);

#endif
