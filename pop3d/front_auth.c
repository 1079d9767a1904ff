/* USER and PASS (RFC 1939 section 7), AUTH (RFC 5034): asking auth, and the hand-over to the
 * worker. Response codes of RFC 2449 and RFC 3206.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/base64.h"
#include "daemon/handoff.h"
#include "pop3d/front.h"
#include "service/auth.h"

#define AUTH_TIMEOUT_MS (90 * 1000) /* guessers are kept waiting */
#define FAILURES_MAX 3
#define RESPONSE_MAX 12288
#define CHALLENGE_LINE_MAX 20000

static struct auth_start start_of(const struct front *front)
{
	return (struct auth_start){
		.service = SPAN("pop3"),
		.remote_address = span_from_cstr(front->addresses.remote),
		.local_address = span_from_cstr(front->addresses.local),
		.tls = stream_is_tls(front->stream),
	};
}

void front_mechanisms(struct front *front, struct buf *out)
{
	void *message;
	struct auth_start start = start_of(front);
	start.mechanism = SPAN("LIST");
	struct channel *channel = daemon_pool_take(pop3d_settings()->auth,
		task_deadline(AUTH_TIMEOUT_MS));
	if (channel == NULL)
		return;
	int status = channel_call(channel, &auth_start_type, &start, &auth_reply_type,
		task_deadline(AUTH_TIMEOUT_MS), &message);
	if (status != 0) {
		channel_free(channel);
		return;
	}
	buf_append_char(out, ' ');
	buf_append(out, ((struct auth_reply *)message)->mechanisms);
	daemon_pool_give(pop3d_settings()->auth, channel);
}

/* The session goes to the worker; the front is done with it either way. */
static int hand_over(struct front *front, const struct auth_reply *reply, const char *command)
{
	struct session_start start = {.client_fd = -1, .command = span_from_cstr(command)};
	struct stream *stream = front->stream;
	front->stream = NULL;
	front->done = true;
	return handoff_to_worker(stream, reply->session_fd, &start);
}

static int refuse(struct front *front, const struct auth_reply *reply)
{
	switch (reply->status) {
	case AUTH_TEMPORARY:
		return front_reply(front, "-ERR [SYS/TEMP] Login is not possible now, try again later");
	case AUTH_UNAVAILABLE:
		return front_reply(front, "-ERR [AUTH] This mechanism is not available");
	default:
		break;
	}
	if (++front->failures >= FAILURES_MAX)
		front->done = true;
	return front_reply(front, "-ERR [AUTH] Authentication failed");
}

/* Asks the client for its answer to a challenge. -EPROTO: it made no sense (answered). */
static int ask_client(struct front *front, struct span challenge, struct buf *answer,
	bool *ret_abort)
{
	struct buf line = BUF_INIT(CHALLENGE_LINE_MAX);
	struct span text;
	buf_append_cstr(&line, "+ ");
	base64_encode(challenge, &line);
	int status = line.overflow ? -EMSGSIZE : front_reply(front, buf_cstr(&line));
	buf_wipe(&line);
	if (status == 0)
		status = front_read(front, POP3_AUTH_LINE_MAX, &text);
	if (status != 0)
		return status;
	*ret_abort = span_equal(text, SPAN("*"));
	buf_reset(answer);
	if (!*ret_abort && !base64_decode(text, answer))
		*ret_abort = true;
	return 0;
}

/* Runs the exchange to its end; *ret_reply lives in the channel. */
static int exchange(struct front *front, struct channel *channel, const struct auth_start *start,
	struct auth_reply **ret_reply)
{
	struct buf answer = BUF_INIT(RESPONSE_MAX);
	void *message;
	int status = channel_call(channel, &auth_start_type, start, &auth_reply_type,
		task_deadline(AUTH_TIMEOUT_MS), &message);
	while (status == 0 && ((struct auth_reply *)message)->status == AUTH_CONTINUE) {
		struct auth_continue next = {0};
		status = ask_client(front, ((struct auth_reply *)message)->challenge, &answer,
			&next.abort);
		next.response = buf_span(&answer);
		if (status == 0)
			status = channel_call(channel, &auth_continue_type, &next, &auth_reply_type,
				task_deadline(AUTH_TIMEOUT_MS), &message);
	}
	buf_wipe(&answer);
	if (status == 0)
		*ret_reply = message;
	return status;
}

static int log_in(struct front *front, const struct auth_start *start, const char *command)
{
	struct auth_reply *reply;
	struct channel *channel = daemon_pool_take(pop3d_settings()->auth,
		task_deadline(AUTH_TIMEOUT_MS));
	if (channel == NULL)
		return front_reply(front, "-ERR [SYS/TEMP] Login is not possible now, try again later");
	int status = exchange(front, channel, start, &reply);
	if (status != 0) {
		/* The client's silence and the loss of auth end the session alike. */
		channel_free(channel);
		front->done = true;
		if (status != -ECANCELED)
			front_reply(front, "-ERR [SYS/TEMP] Login was not completed");
		return status;
	}
	if (reply->status != AUTH_OK || reply->session_fd < 0) {
		if (reply->session_fd >= 0)
			close(reply->session_fd);
		status = refuse(front, reply);
		daemon_pool_give(pop3d_settings()->auth, channel);
		return status;
	}
	int session_fd = reply->session_fd;
	daemon_pool_give(pop3d_settings()->auth, channel);
	struct auth_reply taken = {.session_fd = session_fd};
	return hand_over(front, &taken, command);
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
	struct auth_start start = start_of(front);
	struct buf response = BUF_INIT(RESPONSE_MAX);
	buf_append_char(&response, '\0');
	buf_append(&response, buf_span(&front->user));
	buf_append_char(&response, '\0');
	buf_append(&response, command->argument);
	start.mechanism = SPAN("PLAIN");
	start.has_response = true;
	start.response = buf_span(&response);
	int status = log_in(front, &start, "PASS");
	buf_wipe(&response);
	buf_wipe(&front->user);
	return status;
}

static int list_mechanisms(struct front *front)
{
	struct buf names = BUF_INIT(1024), text = BUF_INIT(2048);
	struct span rest, name;
	front_mechanisms(front, &names);
	buf_append_cstr(&text, "+OK\r\n");
	rest = buf_span(&names);
	while (span_token(&rest, " ", &name)) {
		buf_append(&text, name);
		buf_append_cstr(&text, "\r\n");
	}
	buf_append_char(&text, '.');
	int status = front_reply(front, buf_cstr(&text));
	buf_done(&names);
	buf_done(&text);
	return status;
}

int front_auth(struct front *front, const struct pop3_command *command)
{
	struct span rest = command->argument, name, initial;
	struct auth_start start = start_of(front);
	struct buf response = BUF_INIT(RESPONSE_MAX);
	char mechanism[64];
	if (!front_plaintext_allowed(front))
		return front_reply(front, "-ERR [AUTH] Use STLS first");
	if (!span_token(&rest, " ", &name))
		return list_mechanisms(front);
	if (name.len >= sizeof mechanism)
		return front_reply(front, "-ERR [AUTH] This mechanism is not available");
	if (span_token(&rest, " ", &initial)) {
		start.has_response = true;
		if (!span_equal(initial, SPAN("=")) && !base64_decode(initial, &response))
			return front_reply(front, "-ERR [AUTH] The initial response is not base64");
	}
	/* The line goes with the next read; the name must not. */
	memcpy(mechanism, name.ptr, name.len);
	start.mechanism = span_new(mechanism, name.len);
	start.response = buf_span(&response);
	int status = log_in(front, &start, "AUTH");
	buf_wipe(&response);
	return status;
}
