/* Commands before login: CAPABILITY, NOOP, LOGOUT, ID, STARTTLS; LOGIN and AUTHENTICATE are in
 * front_login.c (RFC 3501 6.1 and 6.2, RFC 2971).
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "imap/command.h"
#include "imapd/front.h"

#define ARENA_CAP (128 * 1024)

void front_reply(struct front_command *command, const char *status, const char *text)
{
	connection_format(&command->front->connection, "%.*s %s %s\r\n", SPAN_ARGS(command->tag),
		status, text);
}

void front_reply_bad(struct front_command *command)
{
	const char *error = command->parser.error;
	command->front->connection.bad_in_row++;
	front_reply(command, "BAD", error != NULL ? error : "Invalid arguments");
}

static bool no_arguments(struct front_command *command)
{
	if (imap_parse_end(&command->parser))
		return true;
	front_reply_bad(command);
	return false;
}

static void capability(struct front_command *command)
{
	struct buf line = BUF_INIT(8192);
	if (!no_arguments(command))
		return;
	buf_append_cstr(&line, "* CAPABILITY ");
	front_capabilities(command->front, &line);
	buf_append_cstr(&line, "\r\n");
	connection_write(&command->front->connection, buf_span(&line));
	buf_done(&line);
	front_reply(command, "OK", "Capability completed.");
}

static void noop(struct front_command *command)
{
	if (no_arguments(command))
		front_reply(command, "OK", "NOOP completed.");
}

static void logout(struct front_command *command)
{
	if (!no_arguments(command))
		return;
	connection_write_cstr(&command->front->connection, "* BYE Logging out\r\n");
	front_reply(command, "OK", "Logout completed.");
	command->front->over = true;
}

static void id(struct front_command *command)
{
	struct buf *said = &command->front->client_id;
	buf_reset(said);
	if (!imap_parse_space(&command->parser) || !imap_parse_id(&command->parser, said)) {
		buf_reset(said);
		front_reply_bad(command);
		return;
	}
	connection_write_cstr(&command->front->connection, "* ID (\"name\" \"Tambo\")\r\n");
	front_reply(command, "OK", "ID completed.");
}

/* RFC 3501 6.2.1. Whatever the client sent behind the command in the clear is dropped (tls_accept),
 * and so is what it told about itself. */
static void starttls(struct front_command *command)
{
	struct front *front = command->front;
	char *error = NULL;
	if (!no_arguments(command))
		return;
	if (!front->settings->tls.available || front_is_tls(front)) {
		front_reply(command, "BAD",
			front_is_tls(front) ? "TLS is already active" : "TLS is not available");
		return;
	}
	front_reply(command, "OK", "Begin TLS negotiation now.");
	connection_flush(&front->connection);
	buf_reset(&front->client_id);
	int status = tls_accept(front->connection.stream, front->settings->tls.context,
		task_deadline(front->settings->login_timeout_ms), &error);
	if (status != 0) {
		log_info(NULL, "TLS handshake with %s failed: %s", front->addresses.remote,
			error != NULL ? error : strerror(-status));
		front->connection.failed = true;
	}
	free(error);
}

static const struct {
	const char *name;
	void (*run)(struct front_command *command);
} COMMANDS[] = {
	{"AUTHENTICATE", front_authenticate},
	{"CAPABILITY", capability},
	{"ID", id},
	{"LOGIN", front_login},
	{"LOGOUT", logout},
	{"NOOP", noop},
	{"STARTTLS", starttls},
};

static void run(struct front_command *command)
{
	for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++) {
		if (!span_equal_nocase(command->name, span_from_cstr(COMMANDS[i].name)))
			continue;
		COMMANDS[i].run(command);
		return;
	}
	imap_parser_fail(&command->parser, "Unknown command, or not possible before login");
	front_reply_bad(command);
}

void front_command_run(struct front *front)
{
	struct front_command command = {.front = front};
	struct arena arena;
	bool uid;
	arena_init(&arena, ARENA_CAP);
	unsigned bad = front->connection.bad_in_row;
	imap_parser_init(&command.parser, buf_span(&front->connection.frame.bytes), &arena);
	if (imap_parse_command(&command.parser, &command.tag, &command.name, &uid) && !uid) {
		run(&command);
	} else {
		if (command.tag.len == 0)
			command.tag = SPAN("*");
		imap_parser_fail(&command.parser, "Unknown command");
		front_reply_bad(&command);
	}
	if (front->connection.bad_in_row == bad)
		front->connection.bad_in_row = 0;
	arena_done(&arena);
}
