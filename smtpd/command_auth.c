/* AUTH: relays challenges and responses between the client and the auth daemon, which alone knows
 * mechanisms and secrets. RFC 4954. Failures are logged at once and slow the connection down.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/log.h"
#include "base/memory.h"
#include "smtpd/commands.h"

#define MECHANISM_MAX 100
#define FAILURES_SLOW 4

struct span command_auth_mechanisms(struct session *session)
{
	struct span names =
		auth_client_mechanisms(&session->server->auth, session_is_tls(session));

	if (names.len == 0)
		log_warning(NULL, "unable to ask the auth service for its mechanisms");
	return names;
}

struct exchange {
	struct session *session;
	char mechanism[MECHANISM_MAX + 1]; /* upper case */
	struct buf response;               /* the first one, decoded; secret */
	bool answered;                     /* the client has its reply already */
};

static void fail(struct exchange *exchange, const char *reason, struct span user)
{
	struct session *session = exchange->session;
	const struct smtpd_settings *settings = &session->server->settings;

	log_warning(NULL, "%s: SASL %.100s authentication failed: %s, sasl_username=%.*s",
		session->client, exchange->mechanism, reason,
		SPAN_ARGS(user.len == 0 ? SPAN("(unavailable)") : span_head(user, 100)));
	if (session->auth_failures < FAILURES_SLOW)
		session->auth_failures++;
	if (settings->error_sleep_time > 0)
		(void)task_sleep(settings->error_sleep_time * session->auth_failures);
	session_reply(session, "535 5.7.8 Error: authentication failed: %s", reason);
	exchange->answered = true;
}

static enum auth_answer take_back(struct exchange *exchange, const char *reply)
{
	session_reply(exchange->session, "%s", reply);
	exchange->answered = true;
	return AUTH_TAKEN_BACK;
}

static enum auth_answer ask(void *arg, struct span challenge, struct buf *answer)
{
	struct exchange *exchange = arg;
	struct session *session = exchange->session;
	size_t limit = (size_t)session->server->settings.sasl_response_limit;
	struct buf text = BUF_INIT(2 * AUTH_RESPONSE_MAX);
	struct span line;
	bool cut;

	base64_encode(challenge, &text);
	(void)stream_write_format(session->stream, "334 %s\r\n", buf_cstr(&text));
	buf_wipe(&text);
	if (session_read_line(session, limit, &line, &cut) != 0)
		return AUTH_CLIENT_GONE;
	if (cut)
		return take_back(exchange, "500 5.5.6 SASL response limit exceeded");
	if (span_equal(line, SPAN("*"))) {
		log_warning(NULL, "%s: SASL %s authentication aborted", session->client,
			exchange->mechanism);
		return take_back(exchange, "501 5.7.0 Authentication aborted");
	}
	if (base64_decode(line, answer))
		return AUTH_ANSWERED;
	fail(exchange, "Invalid base64 data in continued response", SPAN_EMPTY);
	return AUTH_TAKEN_BACK;
}

static void succeed(struct exchange *exchange, struct span user)
{
	struct session *session = exchange->session;

	session->sasl_method = memory_dup_cstr(exchange->mechanism);
	session->sasl_username = span_dup_cstr(user);
	session->auth_failures = 0;
	session_reply(session, "235 2.7.0 Authentication successful");
}

static void unavailable(struct session *session)
{
	log_warning(NULL, "%s: SASL authentication: the auth service gives no answer",
		session->client);
	session_reply(session, "454 4.7.0 Temporary authentication failure: %s",
		"Connection lost to authentication server");
}

static enum command_result finish(struct exchange *exchange, enum auth_end end, struct span user)
{
	switch (end) {
	case AUTH_END_OK:
		succeed(exchange, user);
		return COMMAND_DONE;
	case AUTH_END_REFUSED:
		fail(exchange, "authentication failure", user);
		break;
	case AUTH_END_UNAVAILABLE:
		fail(exchange, "Invalid authentication mechanism", SPAN_EMPTY);
		break;
	case AUTH_END_TAKEN_BACK:
		if (!exchange->answered)
			fail(exchange, "Invalid response", SPAN_EMPTY);
		break;
	case AUTH_END_TEMPORARY:
		unavailable(exchange->session);
		break;
	case AUTH_END_CLIENT_GONE:
		break;
	}
	return COMMAND_FAILED;
}

static enum command_result run_exchange(struct exchange *exchange, bool has_response)
{
	struct session *session = exchange->session;
	struct auth_login login = {
		.mechanism = span_from_cstr(exchange->mechanism),
		.client_fd = stream_fd(session->stream),
		.local_address = span_from_cstr(session->server_address),
		.tls = session_is_tls(session),
		.response = has_response ? &exchange->response : NULL,
		.ask = ask,
		.arg = exchange,
	};
	struct auth_outcome outcome = {.user = BUF_INIT(1024)};
	enum auth_end end = auth_client_login(&session->server->auth, &login, &outcome);
	enum command_result result = finish(exchange, end, buf_span(&outcome.user));

	buf_done(&outcome.user);
	return result;
}

/* RFC 4954 section 4: "=" stands for an empty initial response. */
static bool decode_initial(struct span text, struct buf *out)
{
	return span_equal(text, SPAN("=")) || (base64_decode(text, out) && !out->overflow);
}

static enum command_result authenticate(struct session *session, struct span mechanism,
	struct span initial)
{
	struct exchange exchange = {.session = session, .response = BUF_INIT(AUTH_RESPONSE_MAX)};
	enum command_result result = COMMAND_FAILED;

	for (size_t i = 0; i < mechanism.len; i++)
		exchange.mechanism[i] = ascii_upper(mechanism.ptr[i]);
	if (!span_has_word(command_auth_mechanisms(session), span_from_cstr(exchange.mechanism)))
		fail(&exchange, "Invalid authentication mechanism", SPAN_EMPTY);
	else if (!decode_initial(initial, &exchange.response))
		fail(&exchange, "Invalid base64 data in initial response", SPAN_EMPTY);
	else
		result = run_exchange(&exchange, initial.len > 0);
	buf_wipe(&exchange.response);
	return result;
}

enum command_result command_auth(struct session *session, const struct smtp_command *command)
{
	struct span rest = command->arguments, mechanism = SPAN_EMPTY, initial = SPAN_EMPTY, more;
	const char *reply = NULL;

	if (session->helo == NULL && session->server->settings.helo_required)
		reply = "503 5.5.1 Error: send HELO/EHLO first";
	else if (!session_sasl_active(session) || (session->ehlo_discard & EHLO_AUTH) != 0)
		reply = "503 5.5.1 Error: authentication not enabled";
	else if (session->transaction != NULL)
		reply = "503 5.5.1 Error: MAIL transaction in progress";
	else if (session->sasl_username != NULL)
		reply = "503 5.5.1 Error: already authenticated";
	else if (!span_token(&rest, " \t", &mechanism) || mechanism.len > MECHANISM_MAX ||
		(span_token(&rest, " \t", &initial) && span_token(&rest, " \t", &more)))
		reply = "501 5.5.4 Syntax: AUTH mechanism";
	if (reply != NULL) {
		session_reply(session, "%s", reply);
		return COMMAND_FAILED;
	}
	if (!counters_event(session, LIMIT_AUTH)) {
		session_reply(session, "450 4.7.1 Error: too many AUTH commands from %s",
			session->client_address);
		return COMMAND_FAILED;
	}
	return authenticate(session, mechanism, initial);
}
