/* Reading lines and writing replies of a session, and its log lines.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdarg.h>

#include "base/check.h"
#include "base/log.h"
#include "smtpd/session.h"

#define REPLY_MAX 2048

static void slow_down(struct session *session)
{
	const struct smtpd_settings *settings = &session->server->settings;

	if (session->errors >= (unsigned)settings->soft_error_limit &&
		settings->error_sleep_time > 0)
		(void)task_sleep(settings->error_sleep_time);
}

/* A peer's bytes that went into a reply must not end it. */
static void clean(struct buf *reply)
{
	for (size_t i = 0; i < reply->len; i++)
		if ((unsigned char)reply->ptr[i] < 32 || reply->ptr[i] == 127)
			reply->ptr[i] = '?';
}

void session_reply(struct session *session, const char *format, ...)
{
	struct buf reply = BUF_INIT(REPLY_MAX);
	va_list args;

	va_start(args, format);
	buf_append_vformat_cut(&reply, format, args);
	va_end(args);
	CHECK(reply.len >= 3);
	clean(&reply);
	slow_down(session);
	(void)stream_write(session->stream, buf_span(&reply));
	(void)stream_write(session->stream, SPAN("\r\n"));
	if (span_starts_with(buf_span(&reply), SPAN("421")) ||
		span_starts_with(buf_span(&reply), SPAN("521")))
		session->hangup = true;
	buf_done(&reply);
}

int session_flush(struct session *session)
{
	return stream_flush(session->stream, task_deadline(session->server->settings.timeout));
}

void session_lost(struct session *session, int error)
{
	if (session->ended_by == NULL)
		session->ended_by = error == -ETIMEDOUT ? "timeout" : "lost connection";
}

/* Drops the rest of a line that was too long. */
static int skip_line(struct session *session, size_t max, task_time deadline)
{
	struct span rest;
	int rc;

	do
		rc = stream_read_line(session->stream, max, deadline, &rest);
	while (rc == -EMSGSIZE);
	return rc;
}

static int read_line(struct session *session, size_t max, struct span *ret_line)
{
	task_time deadline = task_deadline(session->server->settings.timeout);

	if (span_find_char(stream_buffered(session->stream), '\n') == SIZE_MAX) {
		int rc = stream_flush(session->stream, deadline);
		if (rc == 0 && stream_buffered(session->stream).len == 0)
			rc = stream_wait_input(session->stream, deadline);
		if (rc != 0)
			return rc;
	}
	return stream_read_line(session->stream, max, deadline, ret_line);
}

int session_read_line(struct session *session, size_t max, struct span *ret_line, bool *ret_cut)
{
	struct span line = SPAN_EMPTY;
	int rc = read_line(session, max, &line);
	bool cut = rc == -EMSGSIZE;

	if (ret_cut != NULL)
		*ret_cut = cut;
	if (cut) {
		/* The stream's buffer is reused while the rest is skipped: an over-long command is
		 * an error in any case, its beginning is not needed. */
		rc = skip_line(session, max, task_deadline(session->server->settings.timeout));
		line = SPAN_EMPTY;
	}
	if (rc != 0) {
		session_lost(session, rc);
		return rc;
	}
	if (!cut) {
		line.len--; /* LF */
		if (line.len == 0 || line.ptr[line.len - 1] != '\r')
			session->bare_lf = true;
		while (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
	}
	*ret_line = line;
	return 0;
}

const char *session_queue_id(const struct session *session)
{
	return session->transaction != NULL && session->transaction->queue_id[0] != '\0' ?
		session->transaction->queue_id : "NOQUEUE";
}

const char *session_protocol(const struct session *session)
{
	return session->server->lmtp ? "LMTP" : session->esmtp ? "ESMTP" : "SMTP";
}

void session_log(const struct session *session, const char *action, const char *text,
	struct span recipient)
{
	struct buf tail = BUF_INIT(REPLY_MAX);

	if (session->transaction != NULL)
		buf_append_format(&tail, " from=<%.*s>",
			SPAN_ARGS(session->transaction->mail.sender.full));
	if (recipient.len > 0)
		buf_append_format(&tail, " to=<%.*s>", SPAN_ARGS(recipient));
	buf_append_format(&tail, " proto=%s", session_protocol(session));
	if (session->helo != NULL)
		buf_append_format(&tail, " helo=<%s>", session->helo);
	if (session->sasl_username != NULL)
		buf_append_format(&tail, " sasl_username=<%s>", session->sasl_username);
	log_info(session_queue_id(session), "%s: %s from %s: %s;%s", action, session->where,
		session->client, text, buf_cstr(&tail));
	buf_done(&tail);
}

bool session_is_tls(const struct session *session)
{
	return session->tls_summary != NULL;
}

bool session_sasl_active(const struct session *session)
{
	const struct server *server = session->server;

	if (!server->settings.sasl_auth || session->stand_alone)
		return false;
	if (server->tls.auth_only && !session_is_tls(session))
		return false;
	return match_list_check(server->sasl_exceptions,
		span_from_cstr(session->client_address)) == MAP_NOT_FOUND;
}
