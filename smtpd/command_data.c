/* DATA: the content up to CRLF.CRLF goes to cleanup as it comes. RFC 5321 section 4.1.1.4.
 * SPDX-License-Identifier: ISC */
#include "base/log.h"
#include "smtpd/commands.h"
#include "smtpd/policy.h"

/* True: the content ended and the stream stands behind it. */
static bool receive(struct session *session)
{
	for (;;) {
		struct span input;
		size_t used;
		int rc = stream_peek(session->stream,
			task_deadline(session->server->settings.timeout), &input);
		if (rc != 0) {
			session_lost(session, rc);
			return false;
		}
		enum smtp_data_result result = content_add(session, input, &used);
		stream_consume(session->stream, used);
		if (session->transaction->data.bare_lf)
			session->bare_lf = true;
		switch (result) {
		case SMTP_DATA_MORE:
			if (stream_will_wait(session->stream))
				content_pause(session);
			break;
		case SMTP_DATA_END:
			return true;
		case SMTP_DATA_BARE_LF:
			session_reply(session, "521 5.5.2 %s Error: bare <LF> received",
				session->server->settings.myhostname);
			return false;
		}
	}
}

static bool allowed(struct session *session)
{
	struct policy_verdict verdict;
	bool good = true;

	if (session->stand_alone)
		return true;
	policy_verdict_init(&verdict);
	if (policy_check_data(session, &verdict) == POLICY_REJECT) {
		session_reply(session, "%s", buf_cstr(&verdict.reply));
		good = false;
	}
	policy_verdict_done(&verdict);
	return good;
}

enum command_result command_data(struct session *session, const struct smtp_command *command)
{
	struct transaction *transaction = session->transaction;

	if (transaction != NULL && transaction->bdat) {
		session_reply(session, "503 5.5.1 Error: DATA after BDAT");
		return COMMAND_FAILED;
	}
	if (transaction == NULL) {
		session_reply(session, "503 5.5.1 Error: need RCPT command");
		return COMMAND_FAILED;
	}
	if (transaction->recipient_count == 0) {
		session_reply(session, "554 5.5.1 Error: no valid recipients");
		return COMMAND_FAILED;
	}
	if (command->arguments.len > 0) {
		session_reply(session, "501 5.5.4 Syntax: DATA");
		return COMMAND_FAILED;
	}
	if (!allowed(session) || !content_open(session))
		return COMMAND_FAILED;
	smtp_data_init(&transaction->data, session->newline, true);
	session_reply(session, "354 End data with <CR><LF>.<CR><LF>");
	int rc = session_flush(session);
	if (rc != 0) {
		session_lost(session, rc);
		return COMMAND_FAILED;
	}
	if (!receive(session))
		return COMMAND_FAILED;
	session->where = "END-OF-MESSAGE";
	return content_finish(session, -1) ? COMMAND_DONE : COMMAND_FAILED;
}
