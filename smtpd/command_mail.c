/* MAIL: begins a transaction. RFC 5321 section 4.1.1.2, RFC 1870 section 6.1.
 * SPDX-License-Identifier: ISC */
#include "base/ascii.h"
#include "base/log.h"
#include "smtpd/commands.h"
#include "smtpd/policy.h"

#define PARSE_MAX (16 * 1024)
#define COMPLETE_MAX (2 * MAIL_ADDRESS_MAX)

enum command_result command_reply_parse_error(struct session *session, enum smtp_result result,
	struct span bad_parameter, const char *bad_address, const struct smtp_command *command)
{
	const char *reply = NULL;
	struct span path = command->arguments;

	switch (result) {
	case SMTP_RESULT_OK:
		return COMMAND_DONE;
	case SMTP_RESULT_SYNTAX:
		reply = command->verb == SMTP_MAIL ? "501 5.5.4 Syntax: MAIL FROM:<address>" :
			"501 5.5.4 Syntax: RCPT TO:<address>";
		break;
	case SMTP_RESULT_ADDRESS:
		(void)span_split(&path, ':');
		log_warning(NULL, "Illegal address syntax from %s in %s command: %.*s",
			session->client, session->where, SPAN_ARGS(span_trim(path)));
		reply = bad_address;
		break;
	case SMTP_RESULT_NOT_UTF8:
		reply = "553 5.6.7 Must declare SMTPUTF8 to send unicode address";
		break;
	case SMTP_RESULT_BAD_SIZE:
		reply = "501 5.5.4 Bad message size syntax";
		break;
	case SMTP_RESULT_SIZE_OVERFLOW:
		reply = "552 5.3.4 Message size exceeds file system imposed limit";
		break;
	case SMTP_RESULT_BAD_RET:
		reply = "501 5.5.4 Bad RET parameter syntax";
		break;
	case SMTP_RESULT_BAD_ENVID:
		reply = "501 5.5.4 Bad ENVID parameter syntax";
		break;
	case SMTP_RESULT_BAD_NOTIFY:
		reply = "501 5.5.4 Error: Bad NOTIFY parameter syntax";
		break;
	case SMTP_RESULT_BAD_ORCPT:
		reply = "501 5.5.4 Error: Bad ORCPT parameter syntax";
		break;
	case SMTP_RESULT_DSN_DISABLED:
		reply = "501 5.7.1 DSN support is disabled";
		break;
	case SMTP_RESULT_AUTH_TWICE:
		reply = "503 5.5.4 Error: multiple AUTH= options";
		break;
	case SMTP_RESULT_UNSUPPORTED:
		session_reply(session, "555 5.5.4 Unsupported option: %.*s",
			SPAN_ARGS(span_head(bad_parameter, 500)));
		return COMMAND_FAILED;
	}
	session_reply(session, "%s", reply);
	return COMMAND_FAILED;
}

void command_complete_address(const struct session *session, struct mail_address address,
	struct buf *out)
{
	const struct smtpd_settings *settings = &session->server->settings;

	buf_append(out, address.full);
	if (address.full.len == 0)
		return;
	if (address.domain.len == 0) {
		if (address.full.ptr[address.full.len - 1] != '@')
			buf_append_char(out, '@');
		buf_append_cstr(out, settings->myorigin);
	} else if (settings->append_dot_mydomain && address.domain.ptr[0] != '[' &&
		span_find_char(address.domain, '.') == SIZE_MAX) {
		buf_append_char(out, '.');
		buf_append_cstr(out, settings->mydomain);
	}
}

static unsigned parse_flags(const struct session *session)
{
	const struct smtpd_settings *settings = &session->server->settings;
	unsigned flags = 0;

	if (settings->strict_envelopes)
		flags |= SMTP_STRICT;
	if ((session->ehlo_discard & EHLO_DSN) != 0)
		flags |= SMTP_NO_DSN;
	if (!settings->smtputf8)
		flags |= SMTP_NO_UTF8;
	else if (!settings->strict_smtputf8)
		flags |= SMTP_ANY_UTF8;
	return flags;
}

/* The checks once the command is understood; the transaction is there. */
static enum command_result check(struct session *session)
{
	const struct smtpd_settings *settings = &session->server->settings;
	const struct smtp_mail *mail = &session->transaction->mail;
	enum command_result result = COMMAND_DONE;
	struct policy_verdict verdict;

	if (settings->message_size_limit > 0 &&
		mail->size > (uint64_t)settings->message_size_limit) {
		const char *reply = "552 5.3.4 Message size exceeds fixed limit";
		session_log(session, "reject", reply, SPAN_EMPTY);
		session_reply(session, "%s", reply);
		return COMMAND_FAILED;
	}
	if (session->stand_alone || settings->delay_reject)
		return COMMAND_DONE;
	policy_verdict_init(&verdict);
	if (policy_check_mail(session, &verdict) == POLICY_REJECT) {
		session_reply(session, "%s", buf_cstr(&verdict.reply));
		result = COMMAND_FAILED;
	}
	policy_verdict_done(&verdict);
	return result;
}

static enum command_result begin(struct session *session, const struct smtp_mail *mail)
{
	struct buf completed = BUF_INIT(COMPLETE_MAX);

	command_complete_address(session, mail->sender, &completed);
	session->transaction = transaction_new(mail, buf_span(&completed),
		session->server->settings.recipient_limit);
	buf_done(&completed);
	enum command_result result = check(session);
	if (result == COMMAND_DONE)
		session_reply(session, "250 2.1.0 Ok");
	else
		transaction_reset(session);
	return result;
}

enum command_result command_mail(struct session *session, const struct smtp_command *command)
{
	struct smtp_mail mail = {.bad_parameter = SPAN_EMPTY};
	struct arena arena;

	if (session->helo == NULL && (session->server->settings.helo_required ||
		session->server->lmtp)) {
		session_reply(session, "503 5.5.1 Error: send HELO/EHLO first");
		return COMMAND_FAILED;
	}
	if (session->transaction != NULL) {
		session_reply(session, "503 5.5.1 Error: nested MAIL command");
		return COMMAND_FAILED;
	}
	if (!counters_event(session, LIMIT_MESSAGE)) {
		session_reply(session, "450 4.7.1 Error: too much mail from %s",
			session->client_address);
		return COMMAND_FAILED;
	}
	arena_init(&arena, PARSE_MAX);
	enum smtp_result parsed =
		smtp_mail_parse(command->arguments, parse_flags(session), &arena, &mail);
	enum command_result result = parsed != SMTP_RESULT_OK ?
		command_reply_parse_error(session, parsed, mail.bad_parameter,
			"501 5.1.7 Bad sender address syntax", command) :
		begin(session, &mail);
	arena_done(&arena);
	return result;
}
