/* AUTH: relays challenges and responses between the client and the auth daemon, which alone knows
 * mechanisms and secrets. RFC 4954. Failures are logged at once and slow the connection down.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/log.h"
#include "base/memory.h"
#include "service/auth.h"
#include "smtpd/commands.h"

#define MECHANISM_MAX 100
#define STEPS_MAX 20
/* How long a list of mechanisms is good. */
#define MECHANISMS_TIME (60 * 1000)
#define FAILURES_SLOW 4
#define ASK_TIMEOUT (60 * 1000)

static bool has_word(struct span list, struct span word)
{
	struct span token;

	while (span_token(&list, " \t", &token))
		if (span_equal_nocase(token, word))
			return true;
	return false;
}

/* Asks auth for its list. NULL when it cannot be asked. */
static char *ask_mechanisms(struct session *session)
{
	task_time deadline = task_deadline(ASK_TIMEOUT);
	struct channel *channel = session->server->services.take(PEER_AUTH, deadline);
	struct auth_start start = {.service = SPAN("smtp"), .mechanism = SPAN("LIST"),
		.response = SPAN_EMPTY, .remote_address = span_from_cstr(session->client_address),
		.local_address = span_from_cstr(session->server_address),
		.tls = session_is_tls(session), .channel_binding = SPAN_EMPTY};
	void *message = NULL;
	char *names = NULL;

	if (channel == NULL)
		return NULL;
	if (channel_call(channel, &auth_start_type, &start, &auth_reply_type, deadline,
		&message) != 0) {
		channel_free(channel);
		return NULL;
	}
	const struct auth_reply *reply = message;
	if (reply->status == AUTH_LIST)
		names = span_dup_cstr(span_head(reply->mechanisms, 500));
	session->server->services.give(PEER_AUTH, channel);
	return names;
}

const char *command_auth_mechanisms(struct session *session)
{
	struct mechanisms *list = &session->server->mechanisms[session_is_tls(session) ? 1 : 0];

	if (list->names == NULL || task_now() >= list->until) {
		char *names = ask_mechanisms(session);
		if (names != NULL) {
			free(list->names);
			list->names = names;
			list->until = task_deadline(MECHANISMS_TIME);
		} else {
			log_warning(NULL, "unable to ask the auth service for its mechanisms");
		}
	}
	return list->names == NULL ? "" : list->names;
}

struct exchange {
	struct session *session;
	struct channel *channel;
	bool ended; /* auth has said its last word: the channel can serve another exchange */
	char mechanism[MECHANISM_MAX + 1]; /* upper case */
	struct buf response;               /* decoded; secret */
	struct buf line;                   /* encoded challenge */
};

static enum command_result fail(struct exchange *exchange, const char *reason, struct span user)
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
	return COMMAND_FAILED;
}

/* Sends a challenge and reads the client's answer. False: the exchange is over; *ret_result is set
 * and the client has its reply. */
static bool challenge(struct exchange *exchange, struct span text, enum command_result *ret_result)
{
	struct session *session = exchange->session;
	size_t limit = (size_t)session->server->settings.sasl_response_limit;
	struct span line;
	bool cut;

	*ret_result = COMMAND_FAILED;
	buf_reset(&exchange->line);
	base64_encode(text, &exchange->line);
	session_reply_part(session, "334", true, buf_cstr(&exchange->line));
	if (session_read_line(session, limit, &line, &cut) != 0)
		return false;
	if (cut) {
		session_reply(session, "500 5.5.6 SASL response limit exceeded");
		return false;
	}
	if (span_equal(line, SPAN("*"))) {
		log_warning(NULL, "%s: SASL %s authentication aborted", session->client,
			exchange->mechanism);
		session_reply(session, "501 5.7.0 Authentication aborted");
		return false;
	}
	buf_wipe(&exchange->response);
	if (!base64_decode(line, &exchange->response) || exchange->response.overflow) {
		*ret_result = fail(exchange, "Invalid base64 data in continued response", SPAN_EMPTY);
		return false;
	}
	return true;
}

static enum command_result succeed(struct exchange *exchange, const struct auth_reply *reply)
{
	struct session *session = exchange->session;
	enum command_result result;

	/* RFC 4954 has no place for data beside the success (SCRAM's server signature): it is one
	 * challenge more, which the client answers with an empty line. */
	if (reply->challenge.len > 0 && !challenge(exchange, reply->challenge, &result))
		return result;
	session->sasl_method = memory_dup_cstr(exchange->mechanism);
	session->sasl_username = span_dup_cstr(reply->user);
	session->auth_failures = 0;
	session_reply(session, "235 2.7.0 Authentication successful");
	return COMMAND_DONE;
}

static enum command_result unavailable(struct session *session)
{
	log_warning(NULL, "%s: SASL authentication: the auth service gives no answer",
		session->client);
	session_reply(session, "454 4.7.0 Temporary authentication failure: %s",
		"Connection lost to authentication server");
	return COMMAND_FAILED;
}

/* Auth has decided (*ret_result is set), or it wants more. */
static bool decided(struct exchange *exchange, const struct auth_reply *reply,
	enum command_result *ret_result)
{
	exchange->ended = reply->status != AUTH_CONTINUE;
	switch ((enum auth_status)reply->status) {
	case AUTH_CONTINUE:
		return false;
	case AUTH_OK:
		*ret_result = succeed(exchange, reply);
		return true;
	case AUTH_FAILED:
		*ret_result = fail(exchange, "authentication failure", reply->user);
		return true;
	case AUTH_UNAVAILABLE:
		*ret_result = fail(exchange, "Invalid authentication mechanism", SPAN_EMPTY);
		return true;
	case AUTH_TEMPORARY:
	case AUTH_LIST:
		break;
	}
	*ret_result = unavailable(exchange->session);
	return true;
}

/* Goes on until auth has decided. */
static enum command_result negotiate(struct exchange *exchange, const struct auth_reply *reply)
{
	enum command_result result = COMMAND_FAILED;

	for (unsigned step = 0; step < STEPS_MAX; step++) {
		struct auth_continue next = {.abort = false};
		void *message = NULL;
		if (decided(exchange, reply, &result))
			return result;
		if (!challenge(exchange, reply->challenge, &result))
			return result;
		next.response = buf_span(&exchange->response);
		int rc = channel_call(exchange->channel, &auth_continue_type, &next,
			&auth_reply_type, task_deadline(ASK_TIMEOUT), &message);
		buf_wipe(&exchange->response);
		if (rc != 0)
			break;
		reply = message;
	}
	return unavailable(exchange->session);
}

static enum command_result start(struct exchange *exchange, bool has_response)
{
	struct session *session = exchange->session;
	uint8_t binding[32];
	bool bound = tls_channel_binding(session->stream, binding);
	struct auth_start message = {
		.service = SPAN("smtp"),
		.mechanism = span_from_cstr(exchange->mechanism),
		.has_response = has_response,
		.response = buf_span(&exchange->response),
		.remote_address = span_from_cstr(session->client_address),
		.local_address = span_from_cstr(session->server_address),
		.tls = session_is_tls(session),
		.channel_binding = bound ? span_new(binding, sizeof(binding)) : SPAN_EMPTY,
	};
	void *reply = NULL;

	exchange->channel =
		session->server->services.take(PEER_AUTH, task_deadline(ASK_TIMEOUT));
	if (exchange->channel == NULL)
		return unavailable(session);
	int rc = channel_call(exchange->channel, &auth_start_type, &message, &auth_reply_type,
		task_deadline(ASK_TIMEOUT), &reply);
	buf_wipe(&exchange->response);
	return rc != 0 ? unavailable(session) : negotiate(exchange, reply);
}

/* RFC 4954 section 4: "=" stands for an empty initial response. */
static bool decode_initial(struct span text, struct buf *out)
{
	return span_equal(text, SPAN("=")) || (base64_decode(text, out) && !out->overflow);
}

static enum command_result authenticate(struct session *session, struct span mechanism,
	struct span initial)
{
	size_t limit = (size_t)session->server->settings.sasl_response_limit;
	struct exchange exchange = {.session = session, .response = BUF_INIT(limit),
		.line = BUF_INIT(2 * limit)};
	enum command_result result;

	for (size_t i = 0; i < mechanism.len; i++)
		exchange.mechanism[i] = ascii_upper(mechanism.ptr[i]);
	if (!has_word(span_from_cstr(command_auth_mechanisms(session)),
		span_from_cstr(exchange.mechanism)))
		result = fail(&exchange, "Invalid authentication mechanism", SPAN_EMPTY);
	else if (!decode_initial(initial, &exchange.response))
		result = fail(&exchange, "Invalid base64 data in initial response", SPAN_EMPTY);
	else
		result = start(&exchange, initial.len > 0);
	/* An exchange that was left in the middle: auth sees the channel close. */
	if (exchange.channel != NULL && exchange.ended)
		session->server->services.give(PEER_AUTH, exchange.channel);
	else
		channel_free(exchange.channel);
	buf_wipe(&exchange.response);
	buf_done(&exchange.line);
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
