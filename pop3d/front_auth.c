/* USER and PASS (RFC 1939 section 7), AUTH (RFC 5034): asking auth, and the hand-over to the
 * worker. Response codes of RFC 2449 and RFC 3206.
 * SPDX-License-Identifier: ISC */
#include <errno.h>

#include "base/base64.h"
#include "daemon/handoff.h"
#include "pop3d/front.h"

#define FAILURES_MAX 3

/* The session goes to the worker; the front is done with it either way. */
static int hand_over(struct front *front, int session_fd, const char *command)
{
	struct session_start start = {.client_fd = -1, .command = span_from_cstr(command)};
	struct stream *stream = front->stream;
	front->stream = NULL;
	front->done = true;
	return handoff_to_worker(stream, session_fd, &start,
		SPAN("-ERR [SYS/TEMP] Login is not possible now, try again later\r\n"));
}

static const char *refusal(enum auth_end end)
{
	switch (end) {
	case AUTH_END_OK:
	case AUTH_END_CLIENT_GONE:
	case AUTH_END_TEMPORARY:
		return "-ERR [SYS/TEMP] Login is not possible now, try again later";
	case AUTH_END_UNAVAILABLE:
		return "-ERR [AUTH] This mechanism is not available";
	case AUTH_END_REFUSED:
		return "-ERR [AUTH] Authentication failed";
	case AUTH_END_TAKEN_BACK:
		break;
	}
	return "-ERR [AUTH] Authentication exchange cancelled";
}

/* Sends a challenge and reads the line behind it. 0 or -errno, kept for when the login ends. */
static int converse(struct front *front, struct span challenge, struct span *ret_line)
{
	struct buf line = BUF_INIT(2 * AUTH_RESPONSE_MAX);
	buf_append_cstr(&line, "+ ");
	base64_encode(challenge, &line);
	int status = front_reply(front, buf_cstr(&line));
	buf_wipe(&line);
	return status != 0 ? status : front_read(front, POP3_AUTH_LINE_MAX, ret_line);
}

static enum auth_answer ask(void *arg, struct span challenge, struct buf *answer)
{
	struct front *front = arg;
	struct span line;
	front->lost = converse(front, challenge, &line);
	if (front->lost != 0)
		return AUTH_CLIENT_GONE;
	return !span_equal(line, SPAN("*")) && base64_decode(line, answer) ? AUTH_ANSWERED
									   : AUTH_TAKEN_BACK;
}

static int log_in(struct front *front, struct span mechanism, const struct buf *response,
	const char *command)
{
	struct auth_login login = {.mechanism = mechanism,
		.client_fd = stream_fd(front->stream),
		.local_address = span_from_cstr(front->addresses.local),
		.tls = stream_is_tls(front->stream),
		.response = response,
		.ask = ask,
		.arg = front};
	struct auth_outcome outcome = {.user = BUF_INIT(0)};
	enum auth_end end = auth_client_login(pop3d_settings()->auth, &login, &outcome);
	if (end == AUTH_END_OK && outcome.session_fd >= 0)
		return hand_over(front, outcome.session_fd, command);
	if (end == AUTH_END_CLIENT_GONE) {
		if (front->lost == -EMSGSIZE)
			front_reply(front, "-ERR Line too long");
		return front->lost;
	}
	/* Every kind counts: nobody gets to try for ever on one connection. */
	if (++front->failures >= FAILURES_MAX)
		front->done = true;
	return front_reply(front, refusal(end));
}

int front_user(struct front *front, const struct pop3_command *command)
{
	if (!front_plaintext_allowed(front))
		return front_reply(front, "-ERR [AUTH] Use STLS first");
	buf_reset(&front->user);
	buf_append(&front->user, command->argument);
	if (span_is_empty(command->argument) || front->user.overflow) {
		buf_wipe(&front->user);
		return front_reply(front, "-ERR [AUTH] That is no user name");
	}
	return front_reply(front, "+OK");
}

int front_pass(struct front *front, const struct pop3_command *command)
{
	if (!front_plaintext_allowed(front))
		return front_reply(front, "-ERR [AUTH] Use STLS first");
	if (front->user.len == 0)
		return front_reply(front, "-ERR USER comes first");
	struct buf response = BUF_INIT(AUTH_RESPONSE_MAX);
	auth_plain_response(buf_span(&front->user), command->argument, &response);
	int status = log_in(front, SPAN("PLAIN"), &response, "PASS");
	buf_wipe(&response);
	buf_wipe(&front->user);
	return status;
}

struct span front_mechanisms(const struct front *front)
{
	return auth_client_mechanisms(pop3d_settings()->auth, stream_is_tls(front->stream));
}

static int list_mechanisms(struct front *front)
{
	struct buf text = BUF_INIT(2048);
	struct span rest = front_mechanisms(front), name;
	buf_append_cstr(&text, "+OK\r\n");
	while (span_token(&rest, " ", &name)) {
		buf_append(&text, name);
		buf_append_cstr(&text, "\r\n");
	}
	buf_append_char(&text, '.');
	int status = front_reply(front, buf_cstr(&text));
	buf_done(&text);
	return status;
}

int front_auth(struct front *front, const struct pop3_command *command)
{
	struct span rest = command->argument, mechanism, initial;
	struct buf response = BUF_INIT(AUTH_RESPONSE_MAX), *first = NULL;
	int status;
	if (!front_plaintext_allowed(front))
		return front_reply(front, "-ERR [AUTH] Use STLS first");
	if (!span_token(&rest, " ", &mechanism))
		return list_mechanisms(front);
	if (span_token(&rest, " ", &initial))
		first = &response;
	if (first != NULL && !span_equal(initial, SPAN("=")) && !base64_decode(initial, &response))
		status = front_reply(front, "-ERR [AUTH] The initial response is not base64");
	else
		status = log_in(front, mechanism, first, "AUTH");
	buf_wipe(&response);
	return status;
}
