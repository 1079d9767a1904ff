/* LOGIN and AUTHENTICATE (RFC 3501 6.2.2 and 6.2.3, RFC 4959) by asking auth. Secrets are
 * wiped where they have passed.
 * SPDX-License-Identifier: ISC */
#include <errno.h>

#include "base/base64.h"
#include "imapd/front.h"

#define LINE_MAX_BYTES 12288

static bool read_line(struct front *front, struct span *ret_line, bool *ret_too_long)
{
	int status = stream_read_line(front->connection.stream, LINE_MAX_BYTES,
		task_deadline(front->settings->login_timeout_ms), ret_line);
	*ret_too_long = status == -EMSGSIZE;
	if (*ret_too_long)
		imap_frame_skip_line(&front->connection.frame);
	return status == 0 || *ret_too_long;
}

static void send_challenge(struct front *front, struct span challenge)
{
	struct buf line = BUF_INIT(2 * AUTH_RESPONSE_MAX);
	buf_append_cstr(&line, "+ ");
	base64_encode(challenge, &line);
	buf_append_cstr(&line, "\r\n");
	connection_write(&front->connection, buf_span(&line));
	connection_flush(&front->connection);
	buf_wipe(&line);
}

static enum auth_answer ask(void *arg, struct span challenge, struct buf *answer)
{
	struct front *front = arg;
	struct span line;
	bool too_long;
	send_challenge(front, challenge);
	if (front->connection.failed || !read_line(front, &line, &too_long)) {
		front->connection.failed = true;
		return AUTH_CLIENT_GONE;
	}
	if (too_long)
		return AUTH_TAKEN_BACK;
	line = span_trim(line);
	return !span_equal(line, SPAN("*")) && base64_decode(line, answer) ? AUTH_ANSWERED
									   : AUTH_TAKEN_BACK;
}

static const char *refusal(enum auth_end end)
{
	switch (end) {
	case AUTH_END_OK:
	case AUTH_END_CLIENT_GONE:
	case AUTH_END_TEMPORARY:
		return "[UNAVAILABLE] Temporary authentication failure";
	case AUTH_END_UNAVAILABLE:
		return "[CANNOT] Mechanism is not available";
	case AUTH_END_REFUSED:
		return "[AUTHENTICATIONFAILED] Authentication failed.";
	case AUTH_END_TAKEN_BACK:
		break;
	}
	return "Authentication exchange cancelled";
}

static void refuse(struct front_command *command, enum auth_end end)
{
	struct front *front = command->front;
	if (front->connection.failed)
		return;
	/* RFC 3501 6.2.2: BAD to "*" */
	front_reply(command, end == AUTH_END_TAKEN_BACK ? "BAD" : "NO", refusal(end));
	/* Every kind counts: nobody gets to try for ever on one connection. */
	if (++front->failures < FRONT_FAILURES_MAX)
		return;
	connection_write_cstr(&front->connection, "* BYE Too many failed logins\r\n");
	front->over = true;
}

/* After success the conversation is over: front.c gives the session to the worker. auth has logged
 * the login. name: of the command. */
static void log_in(struct front_command *command, const char *name, struct auth_login *login)
{
	struct front *front = command->front;
	struct auth_outcome outcome = {.user = BUF_INIT(0)};
	login->client_fd = stream_fd(front->connection.stream);
	login->local_address = span_from_cstr(front->addresses.local);
	login->tls = front_is_tls(front);
	login->ask = ask;
	login->arg = front;
	enum auth_end end = auth_client_login(front->settings->auth, login, &outcome);
	if (end != AUTH_END_OK || outcome.session_fd < 0) {
		refuse(command, end);
		return;
	}
	buf_append(&front->tag, command->tag);
	front->login_command = name;
	front->session_fd = outcome.session_fd;
	front->over = true;
}

static bool allowed(struct front_command *command)
{
	if (front_may_login(command->front))
		return true;
	front_reply(command, "NO", "[PRIVACYREQUIRED] Login needs TLS first");
	return false;
}

void front_login(struct front_command *command)
{
	struct imap_parser *parser = &command->parser;
	struct span user, password;
	if (!imap_parse_space(parser) || !imap_parse_astring(parser, &user) ||
		!imap_parse_space(parser) || !imap_parse_astring(parser, &password) ||
		!imap_parse_end(parser)) {
		front_reply_bad(command);
		return;
	}
	if (!allowed(command))
		return;
	struct buf response = BUF_INIT(AUTH_RESPONSE_MAX);
	auth_plain_response(user, password, &response);
	struct auth_login login = {.mechanism = SPAN("PLAIN"), .response = &response};
	log_in(command, "LOGIN", &login);
	buf_wipe(&response);
}

void front_authenticate(struct front_command *command)
{
	struct imap_parser *parser = &command->parser;
	struct auth_login login = {.response = NULL};
	struct buf response = BUF_INIT(AUTH_RESPONSE_MAX);
	if (!imap_parse_space(parser) || !imap_parse_atom(parser, &login.mechanism)) {
		front_reply_bad(command);
		return;
	}
	if (!allowed(command))
		return;
	if (imap_parser_accept(parser, ' ') && parser->rest.len > 0)
		login.response = &response;
	/* RFC 4959 3: "=" is an initial response of no bytes */
	if (login.response != NULL && !span_equal(parser->rest, SPAN("=")) &&
		!base64_decode(parser->rest, &response)) {
		imap_parser_fail(parser, "Invalid base64");
		front_reply_bad(command);
	} else {
		log_in(command, "AUTHENTICATE", &login);
	}
	buf_wipe(&response);
}
