/* STARTTLS and implicit TLS. RFC 3207, RFC 8314. What the client said in plaintext, also what it
 * sent behind STARTTLS, is forgotten.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "smtpd/commands.h"

static void note_session(struct session *session)
{
	struct tls_info info;
	struct buf text = BUF_INIT(1000);

	if (!tls_stream_info(session->stream, &info))
		info = (struct tls_info){.protocol = "TLS", .cipher = "unknown"};
	server_tls_describe(&info, &text);
	if (session->server->settings.tls_loglevel >= 1)
		log_info(NULL, "%s TLS connection %s from %s%s%s: %s",
			info.peer_certificate ? (info.verified ? "Trusted" : "Untrusted") : "Anonymous",
			info.reused ? "reused" : "established", session->client,
			info.sni[0] == '\0' ? "" : " to ", info.sni, buf_cstr(&text));
	struct buf summary = BUF_INIT(1100);
	buf_append_format(&summary, "using %s", buf_cstr(&text));
	session->tls_summary = buf_steal(&summary);
	buf_done(&text);
}

static bool handshake(struct session *session)
{
	struct server *server = session->server;
	char *error = NULL;
	int rc = tls_accept(session->stream, server->tls.context,
		task_deadline(server->settings.starttls_timeout), &error);

	if (rc == 0) {
		free(error);
		note_session(session);
		return true;
	}
	if (rc == -EPROTO) {
		log_info(NULL, "SSL_accept error from %s: -1", session->client);
		log_warning(NULL, "TLS library problem: %s", error == NULL ? "unknown" : error);
	} else {
		log_info(NULL, "SSL_accept error from %s: %s", session->client,
			rc == -ETIMEDOUT ? "Connection timed out" : "lost connection");
	}
	free(error);
	session_lost(session, rc == -ETIMEDOUT ? rc : -EPIPE);
	return false;
}

bool command_tls_begin(struct session *session)
{
	if (session->server->tls.context == NULL) {
		log_warning(NULL, "Wrapper-mode request dropped from %s for service %s. "
			"TLS context initialization failed. For details see earlier warnings in "
			"your logs.",
			session->client, session->server->settings.service_name);
		return false;
	}
	if (!counters_event(session, LIMIT_TLS)) {
		log_info(NULL, "Refusing TLS service request from %s for service %s",
			session->client, session->server->settings.service_name);
		return false;
	}
	return handshake(session);
}

/* RFC 3207 4.2: everything that was learned in the clear, a login too. */
static void forget(struct session *session)
{
	session_reset_helo(session);
	free(session->sasl_method);
	free(session->sasl_username);
	session->sasl_method = session->sasl_username = NULL;
	(void)stream_drop_input(session->stream);
}

enum command_result command_starttls(struct session *session, const struct smtp_command *command)
{
	struct server *server = session->server;

	if (command->arguments.len > 0) {
		session_reply(session, "501 5.5.4 Syntax: STARTTLS");
		return COMMAND_FAILED;
	}
	if (session_is_tls(session)) {
		session_reply(session, "554 5.5.1 Error: TLS already active");
		return COMMAND_FAILED;
	}
	struct span level = span_from_cstr(server->tls.security_level);
	if (span_equal_nocase(level, SPAN("none")) || (session->ehlo_discard & EHLO_STARTTLS) != 0) {
		session_reply(session, "502 5.5.1 Error: command not implemented");
		return COMMAND_FAILED;
	}
	if (server->tls.context == NULL) {
		session_reply(session, "454 4.7.0 TLS not available due to local problem");
		return COMMAND_FAILED;
	}
	if (!counters_event(session, LIMIT_TLS)) {
		log_info(NULL, "Refusing STARTTLS request from %s for service %s", session->client,
			server->settings.service_name);
		session_reply(session, "454 4.7.0 Error: too many new TLS sessions from %s",
			session->client);
		return COMMAND_FAILED;
	}
	session_reply(session, "220 2.0.0 Ready to start TLS");
	int rc = session_flush(session);
	if (rc != 0) {
		session_lost(session, rc);
		return COMMAND_FAILED;
	}
	forget(session);
	return handshake(session) ? COMMAND_DONE : COMMAND_FAILED;
}
