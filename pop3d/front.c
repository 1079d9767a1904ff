/* The conversation before the login: greeting, CAPA, STLS, USER/PASS, AUTH, QUIT (RFC 1939 section
 * 4, RFC 2449, RFC 2595 section 4). Behind the login the worker speaks.
 * SPDX-License-Identifier: ISC */
#include "pop3d/front.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/daemon.h"
#include "pop3d/pop3d.h"

#define IN_CAP 16500
#define OUT_CAP 4096
#define ERRORS_MAX 20
#define USER_MAX 255
/* The whole conversation before the login, in pop3d_timeouts. */
#define LOGIN_TIMEOUTS 5

/* --- reading and answering --- */

int front_reply(struct front *front, const char *line)
{
	int status = stream_write_cstr(front->stream, line);
	if (status == 0)
		status = stream_write_cstr(front->stream, "\r\n");
	if (status == 0 && stream_buffered(front->stream).len == 0)
		status = stream_flush(front->stream, task_deadline(pop3d_settings()->timeout));
	return status;
}

int front_read(struct front *front, size_t max, struct span *ret_line)
{
	task_time deadline = task_deadline(pop3d_settings()->timeout);
	struct span line;
	if (front->deadline < deadline)
		deadline = front->deadline;
	int status = stream_flush(front->stream, deadline);
	if (status == 0 && task_now() > deadline)
		status = -ETIMEDOUT;
	if (status == 0)
		status = stream_read_line(front->stream, max, deadline, &line);
	if (status != 0)
		return status;
	if (span_ends_with(line, SPAN("\n")))
		line.len--;
	if (span_ends_with(line, SPAN("\r")))
		line.len--;
	*ret_line = line;
	return 0;
}

bool front_plaintext_allowed(const struct front *front)
{
	return !pop3d_settings()->tls.auth_only || stream_is_tls(front->stream);
}

/* --- commands --- */

static int command_capa(struct front *front, const struct pop3_command *command)
{
	struct buf text = BUF_INIT(4096);
	(void)command;
	buf_append_cstr(&text, "+OK Capability list follows\r\n");
	buf_append_cstr(&text, POP3D_CAPABILITIES);
	if (front_plaintext_allowed(front)) {
		buf_append_cstr(&text, "USER\r\nSASL ");
		buf_append(&text, front_mechanisms(front));
		buf_append_cstr(&text, "\r\n");
	}
	if (pop3d_settings()->tls.available && !stream_is_tls(front->stream))
		buf_append_cstr(&text, "STLS\r\n");
	buf_append_char(&text, '.');
	int status = front_reply(front, buf_cstr(&text));
	buf_done(&text);
	return status;
}

static int start_tls(struct front *front)
{
	char *error = NULL;
	struct tls_info info;
	int status = tls_accept(front->stream, pop3d_settings()->tls.context,
		task_deadline(pop3d_settings()->timeout), &error);
	if (status != 0) {
		log_info(NULL, "TLS handshake with [%s] failed: %s", front->addresses.remote,
			error != NULL ? error : strerror(-status));
	} else if (tls_stream_info(front->stream, &info)) {
		struct buf text = BUF_INIT(300);
		server_tls_describe(&info, &text);
		log_info(NULL, "Anonymous TLS connection established from unknown[%s]: %s",
			front->addresses.remote, buf_cstr(&text));
		buf_done(&text);
	}
	free(error);
	return status;
}

static int command_stls(struct front *front, const struct pop3_command *command)
{
	(void)command;
	if (!pop3d_settings()->tls.available)
		return front_reply(front, "-ERR TLS is not available");
	if (stream_is_tls(front->stream))
		return front_reply(front, "-ERR TLS is active already");
	/* What was sent behind STLS is dropped, before the answer and again by tls_accept. */
	stream_drop_input(front->stream);
	buf_wipe(&front->user);
	int status = front_reply(front, "+OK Begin TLS negotiation now");
	return status != 0 ? status : start_tls(front);
}

static int command_quit(struct front *front, const struct pop3_command *command)
{
	(void)command;
	front->done = true;
	return front_reply(front, "+OK Bye");
}

static int command_utf8(struct front *front, const struct pop3_command *command)
{
	(void)command;
	/* Messages are sent as they are in either mode (RFC 6856 section 2). */
	return front_reply(front, "+OK UTF8 enabled");
}

static const struct {
	enum pop3_verb verb;
	int (*run)(struct front *front, const struct pop3_command *command);
} commands[] = {
	{POP3_AUTH, front_auth},
	{POP3_CAPA, command_capa},
	{POP3_PASS, front_pass},
	{POP3_QUIT, command_quit},
	{POP3_STLS, command_stls},
	{POP3_USER, front_user},
	{POP3_UTF8, command_utf8},
};

static int run_command(struct front *front, struct span line)
{
	struct pop3_command command;
	if (pop3_command_parse(line, &command))
		for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
			if (commands[i].verb == command.verb)
				return commands[i].run(front, &command);
	if (++front->errors < ERRORS_MAX)
		return front_reply(front, "-ERR Unknown command, or not before the login");
	front->done = true;
	return front_reply(front, "-ERR Too many errors");
}

static int greet(struct front *front)
{
	char line[600];
	snprintf(line, sizeof line, "+OK %.500s", pop3d_settings()->banner);
	return front_reply(front, line);
}

static void converse(struct front *front)
{
	int status = pop3d_settings()->tls.wrapper ? start_tls(front) : 0;
	if (status == 0)
		status = greet(front);
	while (status == 0 && !front->done && !daemon_is_stopping()) {
		struct span line;
		status = front_read(front, POP3_LINE_MAX * 4, &line);
		if (status == -EMSGSIZE) {
			front->done = true;
			status = front_reply(front, "-ERR Line too long");
		} else if (status == 0) {
			status = run_command(front, line);
		}
	}
	if (status == -ETIMEDOUT && front->stream != NULL)
		front_reply(front, "-ERR [SYS/TEMP] Timeout");
}

void pop3d_front(int fd_take, const struct address *peer)
{
	struct front front = {.user = BUF_INIT(USER_MAX),
		.deadline = task_deadline(LOGIN_TIMEOUTS * pop3d_settings()->timeout)};
	client_addresses_read(fd_take, peer, &front.addresses);
	socket_set_nodelay(fd_take);
	front.stream = stream_new(fd_take, IN_CAP, OUT_CAP);
	stream_set_write_timeout(front.stream, pop3d_settings()->timeout);
	if (clients_enter(&front.addresses, pop3d_settings()->connection_limit)) {
		converse(&front);
	} else {
		log_warning(NULL,
			"Connection concurrency limit exceeded: from unknown[%s] for service %s",
			front.addresses.remote, daemon_service());
		if (!pop3d_settings()->tls.wrapper)
			front_reply(&front, "-ERR [SYS/TEMP] Too many connections from your address");
	}
	clients_leave(&front.addresses);
	buf_wipe(&front.user);
	stream_hang_up(front.stream, task_deadline(pop3d_settings()->timeout));
}
