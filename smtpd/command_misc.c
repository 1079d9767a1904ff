/* RSET, NOOP, VRFY, ETRN, HELP, QUIT. RFC 5321 section 4.1.1.5 to 4.1.1.10.
 * SPDX-License-Identifier: ISC */
#include "smtpd/commands.h"
#include "smtpd/policy.h"

#define PARSE_MAX (16 * 1024)
#define COMPLETE_MAX (2 * MAIL_ADDRESS_MAX)

enum command_result command_rset(struct session *session, const struct smtp_command *command)
{
	if (command->arguments.len > 0) {
		session_reply(session, "501 5.5.4 Syntax: RSET");
		return COMMAND_FAILED;
	}
	transaction_reset(session);
	session_reply(session, "250 2.0.0 Ok");
	return COMMAND_DONE;
}

enum command_result command_noop(struct session *session, const struct smtp_command *command)
{
	(void)command;
	session_reply(session, "250 2.0.0 Ok");
	return COMMAND_DONE;
}

static enum command_result verify(struct session *session, struct mail_address address,
	struct span given)
{
	struct buf completed = BUF_INIT(COMPLETE_MAX);
	enum command_result result = COMMAND_DONE;
	struct policy_verdict verdict;

	command_complete_address(session, address, &completed);
	struct recipient recipient = {.given = address.full, .address = buf_span(&completed),
		.orcpt = SPAN_EMPTY};
	policy_verdict_init(&verdict);
	if (!session->stand_alone &&
		policy_check_rcpt(session, &recipient, &verdict) == POLICY_REJECT) {
		session_reply(session, "%s", buf_cstr(&verdict.reply));
		result = COMMAND_FAILED;
	} else {
		session_reply(session, "252 2.0.0 %.*s", SPAN_ARGS(given));
	}
	policy_verdict_done(&verdict);
	buf_done(&completed);
	return result;
}

enum command_result command_vrfy(struct session *session, const struct smtp_command *command)
{
	const struct smtpd_settings *settings = &session->server->settings;
	struct span rest = command->arguments;
	struct mail_address address;
	struct arena arena;

	if (settings->disable_vrfy) {
		session_reply(session, "502 5.5.1 VRFY command is disabled");
		return COMMAND_FAILED;
	}
	if (session->helo == NULL && settings->helo_required) {
		session_reply(session, "503 5.5.1 Error: send HELO/EHLO first");
		return COMMAND_FAILED;
	}
	if (rest.len == 0) {
		session_reply(session, "501 5.5.4 Syntax: VRFY address%s",
			settings->smtputf8 ? " [SMTPUTF8]" : "");
		return COMMAND_FAILED;
	}
	unsigned flags = MAIL_PATH_BARE | MAIL_PATH_NO_DOMAIN;
	if (settings->smtputf8 && span_ends_with_nocase(rest, SPAN(" SMTPUTF8")))
		flags |= MAIL_PATH_UTF8;
	arena_init(&arena, PARSE_MAX);
	enum command_result result = COMMAND_FAILED;
	if (mail_path_parse(&rest, flags, &arena, &address) == MAIL_PATH_OK)
		result = verify(session, address, command->arguments);
	else
		session_reply(session, "501 5.1.3 Bad recipient address syntax");
	arena_done(&arena);
	return result;
}

enum command_result command_etrn(struct session *session, const struct smtp_command *command)
{
	(void)command;
	session_reply(session, "502 5.5.1 Error: command not implemented");
	return COMMAND_FAILED;
}

enum command_result command_help(struct session *session, const struct smtp_command *command)
{
	(void)command;
	session_reply(session, "214 2.0.0 See https://www.rfc-editor.org/rfc/rfc5321");
	return COMMAND_DONE;
}

enum command_result command_quit(struct session *session, const struct smtp_command *command)
{
	(void)command;
	session_reply(session, "221 2.0.0 Bye");
	session->hangup = true;
	return COMMAND_DONE;
}
