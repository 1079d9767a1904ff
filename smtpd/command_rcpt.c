/* RCPT: one recipient more, if policy allows it. RFC 5321 section 4.1.1.3.
 * SPDX-License-Identifier: ISC */
#include "smtpd/commands.h"
#include "smtpd/policy.h"

#define PARSE_MAX (16 * 1024)
#define COMPLETE_MAX (2 * MAIL_ADDRESS_MAX)

/* True: the limit of recipients is reached and the client got its reply. */
static bool too_many(struct session *session)
{
	const struct smtpd_settings *settings = &session->server->settings;
	struct transaction *transaction = session->transaction;

	if (settings->recipient_limit <= 0 ||
		transaction->recipient_count < (size_t)settings->recipient_limit)
		return false;
	session_reply(session, "452 4.5.3 Error: too many recipients");
	/* A client that goes on all the same is stopped some time by the error limit. */
	transaction->overshoot++;
	return true;
}

static enum command_result add(struct session *session, const struct smtp_rcpt *rcpt)
{
	struct transaction *transaction = session->transaction;
	struct buf completed = BUF_INIT(COMPLETE_MAX);
	enum command_result result = COMMAND_DONE;
	struct policy_verdict verdict;

	command_complete_address(session, rcpt->recipient, &completed);
	struct recipient recipient = {.given = rcpt->recipient.full,
		.address = buf_span(&completed), .orcpt = rcpt->orcpt, .notify = rcpt->notify};
	policy_verdict_init(&verdict);
	if (!session->stand_alone &&
		policy_check_rcpt(session, &recipient, &verdict) == POLICY_REJECT) {
		session_reply(session, "%s", buf_cstr(&verdict.reply));
		result = COMMAND_FAILED;
	} else if (!transaction_add_recipient(transaction, &recipient)) {
		session_reply(session, "452 4.5.3 Error: too many recipients");
		result = COMMAND_FAILED;
	} else {
		session_reply(session, "250 2.1.5 Ok");
	}
	policy_verdict_done(&verdict);
	buf_done(&completed);
	return result;
}

enum command_result command_rcpt(struct session *session, const struct smtp_command *command)
{
	const struct smtpd_settings *settings = &session->server->settings;
	struct transaction *transaction = session->transaction;
	struct smtp_rcpt rcpt = {.bad_parameter = SPAN_EMPTY};
	struct arena arena;

	if (transaction == NULL || transaction->bdat) {
		session_reply(session, transaction == NULL ?
			"503 5.5.1 Error: need MAIL command" :
			"503 5.5.1 Error: RCPT after BDAT");
		return COMMAND_FAILED;
	}
	if (too_many(session))
		return transaction->overshoot > (unsigned)settings->recipient_overshoot_limit ?
			COMMAND_FAILED : COMMAND_DONE;
	if (!counters_event(session, LIMIT_RECIPIENT_RATE)) {
		session_reply(session, "450 4.7.1 Error: too many recipients from %s",
			session->client_address);
		return COMMAND_FAILED;
	}
	unsigned flags = (settings->strict_envelopes ? SMTP_STRICT : 0u) |
		((session->ehlo_discard & EHLO_DSN) != 0 ? SMTP_NO_DSN : 0u) |
		(transaction->mail.smtputf8 || (settings->smtputf8 && !settings->strict_smtputf8) ?
			SMTP_IN_UTF8 : 0u);
	arena_init(&arena, PARSE_MAX);
	enum smtp_result parsed = smtp_rcpt_parse(command->arguments, flags, &arena, &rcpt);
	enum command_result result = parsed != SMTP_RESULT_OK ?
		command_reply_parse_error(session, parsed, rcpt.bad_parameter,
			"501 5.1.3 Bad recipient address syntax", command) :
		add(session, &rcpt);
	arena_done(&arena);
	return result;
}
