/* See transaction.h. SPDX-License-Identifier: ISC */
#include "smtpd/transaction.h"

#include <stdlib.h>

#include "base/memory.h"
#include "smtpd/session.h"

/* Room for smtpd_recipient_limit recipients of ordinary length, and a bound for the others. */
#define ARENA_BASE (4 * 1024 * 1024)
#define RECIPIENT_SPACE 512
#define PREPEND_MAX (16 * 1024)
#define RECIPIENTS_MAX 100000

struct transaction *transaction_new(const struct smtp_mail *mail, struct span completed_sender,
	int64_t recipient_limit)
{
	struct transaction *transaction = NEW(struct transaction);
	size_t recipients = recipient_limit > 0 && recipient_limit < RECIPIENTS_MAX ?
		(size_t)recipient_limit : RECIPIENTS_MAX;

	arena_init(&transaction->arena, ARENA_BASE + recipients * RECIPIENT_SPACE);
	buf_init(&transaction->prepend, PREPEND_MAX);
	buf_init(&transaction->content, CLEANUP_CHUNK_MAX);
	transaction->mail = *mail;
	transaction->mail.envid = arena_dup(&transaction->arena, mail->envid);
	transaction->mail.auth = arena_dup(&transaction->arena, mail->auth);
	transaction->mail.sender =
		mail_address_split(arena_dup(&transaction->arena, mail->sender.full));
	transaction->mail.bad_parameter = SPAN_EMPTY;
	transaction->sender = arena_dup(&transaction->arena, completed_sender);
	return transaction;
}

void transaction_reset(struct session *session)
{
	struct transaction *transaction = session->transaction;

	if (transaction == NULL)
		return;
	/* A channel in the middle of a message: closing it drops the message. */
	channel_free(transaction->cleanup);
	buf_done(&transaction->content);
	buf_done(&transaction->prepend);
	arena_done(&transaction->arena);
	free(transaction->failure);
	free(transaction);
	session->transaction = NULL;
}

bool transaction_add_recipient(struct transaction *transaction, const struct recipient *recipient)
{
	struct arena *arena = &transaction->arena;

	if (transaction->recipient_count == RECIPIENTS_MAX)
		return false;
	if (transaction->recipient_count == transaction->recipient_alloc) {
		size_t more = transaction->recipient_alloc == 0 ? 4 :
			transaction->recipient_alloc * 2;
		struct recipient *grown = arena_grow(arena, transaction->recipients,
			transaction->recipient_count, more, sizeof(*grown));
		if (grown == NULL)
			return false;
		transaction->recipients = grown;
		transaction->recipient_alloc = more;
	}
	struct recipient copy = {
		.given = arena_dup(arena, recipient->given),
		.address = arena_dup(arena, recipient->address),
		.orcpt = arena_dup(arena, recipient->orcpt),
		.notify = recipient->notify,
	};
	if (arena->overflow)
		return false;
	transaction->recipients[transaction->recipient_count++] = copy;
	return true;
}
