/* LOGIN and AUTHENTICATE (RFC 3501 6.2.2 and 6.2.3, RFC 4959) by asking auth. Secrets are
 * wiped where they have passed.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/daemon.h"
#include "imapd/front.h"
#include "service/auth.h"

#define AUTH_MS (60 * 1000)
#define LINE_MAX_BYTES 12288
#define LIST_FRESH_MS (60 * 1000)
#define AUTH_IDLE_MAX 16

struct login {
	struct front_command *command;
	struct channel *auth;
	struct span mechanism;
	const char *command_name; /* "LOGIN" or "AUTHENTICATE" */
	const struct auth_reply *reply;
};

static struct daemon_pool *pool;
static struct buf lists[2]; /* mechanisms without and with TLS */
static task_time list_time[2];

static struct channel *take_auth(void)
{
	if (pool == NULL)
		pool = daemon_pool_new(conf_get(daemon_conf(), "auth_service_name"),
			AUTH_IDLE_MAX);
	return daemon_pool_take(pool, task_deadline(AUTH_MS));
}

void front_mechanisms(struct front *front, struct buf *out)
{
	bool tls = front_is_tls(front);
	struct buf *list = &lists[tls];
	struct auth_start start = {.service = SPAN("imap"),
		.mechanism = SPAN("LIST"),
		.tls = tls,
		.response = SPAN_EMPTY,
		.remote_address = span_from_cstr(front->addresses.remote),
		.local_address = span_from_cstr(front->addresses.local),
		.channel_binding = SPAN_EMPTY};
	void *message;
	if (list->len == 0 || task_now() - list_time[tls] > LIST_FRESH_MS) {
		struct channel *auth = take_auth();
		if (auth != NULL && channel_call(auth, &auth_start_type, &start, &auth_reply_type,
					    task_deadline(AUTH_MS), &message) == 0) {
			const struct auth_reply *reply = message;
			buf_init(list, 1024);
			buf_append(list, reply->mechanisms);
			list_time[tls] = task_now();
			daemon_pool_give(pool, auth);
		} else {
			channel_free(auth);
		}
	}
	buf_append(out, buf_span(list));
}

/* Reads the client's answer to a challenge into response (decoded). *ret_abort: it sent "*". False:
 * the connection is gone. */
static bool read_response(struct front *front, struct buf *response, bool *ret_abort)
{
	struct span line;
	int status = stream_read_line(front->connection.stream, LINE_MAX_BYTES,
		task_deadline(front->settings->login_timeout_ms), &line);
	*ret_abort = status == -EMSGSIZE;
	if (status != 0 && status != -EMSGSIZE)
		return false;
	buf_reset(response);
	line = span_trim(line);
	if (status == -EMSGSIZE)
		imap_frame_skip_line(&front->connection.frame);
	else if (span_equal(line, SPAN("*")) || !base64_decode(line, response))
		*ret_abort = true;
	return true;
}

static bool send_challenge(struct front *front, struct span challenge)
{
	struct buf line = BUF_INIT(4 * LINE_MAX_BYTES);
	buf_append_cstr(&line, "+ ");
	base64_encode(challenge, &line);
	buf_append_cstr(&line, "\r\n");
	connection_write(&front->connection, buf_span(&line));
	connection_flush(&front->connection);
	buf_wipe(&line);
	return !front->connection.failed;
}

/* The exchange up to its last reply. 0 or -errno (of either connection). */
static int run_exchange(struct login *login, const struct auth_start *start)
{
	struct front *front = login->command->front;
	struct buf response = BUF_INIT(LINE_MAX_BYTES);
	void *message;
	int status = channel_call(login->auth, &auth_start_type, start, &auth_reply_type,
		task_deadline(AUTH_MS), &message);
	while (status == 0) {
		struct auth_continue next = {.response = SPAN_EMPTY};
		login->reply = message;
		if (login->reply->status != AUTH_CONTINUE)
			break;
		if (!send_challenge(front, login->reply->challenge) ||
			!read_response(front, &response, &next.abort)) {
			front->connection.failed = true;
			status = -EPIPE;
			break;
		}
		if (!next.abort)
			next.response = buf_span(&response);
		status = channel_call(login->auth, &auth_continue_type, &next, &auth_reply_type,
			task_deadline(AUTH_MS), &message);
	}
	buf_wipe(&response);
	return status;
}

/* The conversation is over; front.c gives the session to the worker. auth has logged the login. */
static void succeed(struct login *login)
{
	struct front *front = login->command->front;
	buf_append(&front->tag, login->command->tag);
	front->login_command = login->command_name;
	front->session_fd = login->reply->session_fd;
	front->over = true;
}

static void refuse(struct login *login, int status)
{
	struct front_command *command = login->command;
	struct front *front = command->front;
	uint32_t why = status == 0 ? login->reply->status : (uint32_t)AUTH_TEMPORARY;
	if (front->connection.failed)
		return;
	if (why == AUTH_TEMPORARY) {
		front_reply(command, "NO", "[UNAVAILABLE] Temporary authentication failure");
	} else if (why == AUTH_UNAVAILABLE) {
		front_reply(command, "NO", "[CANNOT] Mechanism is not available");
	} else {
		front_reply(command, "NO", "[AUTHENTICATIONFAILED] Authentication failed.");
	}
	/* Every kind counts: nobody gets to try for ever on one connection. */
	if (++front->failures < FRONT_FAILURES_MAX)
		return;
	connection_write_cstr(&front->connection, "* BYE Too many failed logins\r\n");
	front->over = true;
}

/* RFC 3501 6.2.2: data that comes with success (SCRAM) is sent as a challenge, to which the client
 * says nothing more. */
static bool send_success_data(struct login *login)
{
	struct front *front = login->command->front;
	struct buf response = BUF_INIT(LINE_MAX_BYTES);
	bool aborted = false;
	if (login->reply->challenge.len == 0)
		return true;
	if (!send_challenge(front, login->reply->challenge) ||
		!read_response(front, &response, &aborted))
		front->connection.failed = true;
	buf_wipe(&response);
	return !front->connection.failed && !aborted;
}

static void finish(struct login *login, int status)
{
	bool ok = status == 0 && login->reply->status == AUTH_OK;
	if (ok && login->reply->session_fd >= 0 && send_success_data(login)) {
		succeed(login);
		return;
	}
	if (ok && login->reply->session_fd >= 0)
		close(login->reply->session_fd);
	refuse(login, ok ? -ECANCELED : status);
}

static void log_in(struct login *login, bool has_response, struct span response)
{
	struct front *front = login->command->front;
	uint8_t binding[32];
	bool bound = tls_channel_binding(front->connection.stream, binding);
	struct auth_start start = {.service = SPAN("imap"),
		.mechanism = login->mechanism,
		.has_response = has_response,
		.response = response,
		.remote_address = span_from_cstr(front->addresses.remote),
		.local_address = span_from_cstr(front->addresses.local),
		.tls = front_is_tls(front),
		.channel_binding = bound ? span_new(binding, sizeof(binding)) : SPAN_EMPTY};
	login->auth = take_auth();
	int status = login->auth == NULL ? -EPIPE : run_exchange(login, &start);
	finish(login, status);
	if (status == 0)
		daemon_pool_give(pool, login->auth);
	else
		channel_free(login->auth);
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
	struct login login = {
		.command = command, .mechanism = SPAN("PLAIN"), .command_name = "LOGIN"};
	struct span user, password;
	if (!imap_parse_space(parser) || !imap_parse_astring(parser, &user) ||
		!imap_parse_space(parser) || !imap_parse_astring(parser, &password) ||
		!imap_parse_end(parser)) {
		front_reply_bad(command);
		return;
	}
	if (!allowed(command))
		return;
	/* RFC 4616: no authorization identity, user, password */
	struct buf response = BUF_INIT(LINE_MAX_BYTES);
	buf_append_char(&response, '\0');
	buf_append(&response, user);
	buf_append_char(&response, '\0');
	buf_append(&response, password);
	log_in(&login, true, buf_span(&response));
	buf_wipe(&response);
}

void front_authenticate(struct front_command *command)
{
	struct imap_parser *parser = &command->parser;
	struct login login = {.command = command, .command_name = "AUTHENTICATE"};
	struct span mechanism, initial = SPAN_EMPTY;
	bool has_initial = false;
	if (!imap_parse_space(parser) || !imap_parse_atom(parser, &mechanism) ||
		mechanism.len > 20) {
		front_reply_bad(command);
		return;
	}
	if (imap_parser_accept(parser, ' ') && parser->rest.len > 0) {
		has_initial = true;
		initial = parser->rest;
	}
	if (!allowed(command))
		return;
	char upper[20];
	for (size_t i = 0; i < mechanism.len; i++)
		upper[i] = ascii_upper(mechanism.ptr[i]);
	login.mechanism = span_new(upper, mechanism.len);
	struct buf response = BUF_INIT(LINE_MAX_BYTES);
	/* RFC 4959 3: "=" is an initial response of no bytes */
	if (has_initial && !span_equal(initial, SPAN("=")) && !base64_decode(initial, &response)) {
		imap_parser_fail(parser, "Invalid base64");
		front_reply_bad(command);
	} else {
		log_in(&login, has_initial, buf_span(&response));
	}
	buf_wipe(&response);
}
