/* CAPABILITY, NOOP, CHECK, LOGOUT, ID, ENABLE, NAMESPACE (RFC 3501 6.1 and 6.4.1, RFC 2971, RFC
 * 5161, RFC 2342).
 * SPDX-License-Identifier: ISC */
#include "base/log.h"
#include "imap/command.h"
#include "imapd/command.h"

static bool no_arguments(struct command *command)
{
	if (imap_parse_end(&command->parser))
		return true;
	command_bad(command, NULL);
	return false;
}

void command_capability(struct command *command)
{
	struct buf line = BUF_INIT(4096);
	if (!no_arguments(command))
		return;
	session_capabilities(&line);
	connection_format(command->connection, "* CAPABILITY %s\r\n", buf_cstr(&line));
	buf_done(&line);
	command_ok(command, "Capability completed.");
}

void command_noop(struct command *command)
{
	if (no_arguments(command))
		command_ok(command, "NOOP completed.");
}

void command_check(struct command *command)
{
	if (no_arguments(command))
		command_ok(command, "Check completed.");
}

void command_logout(struct command *command)
{
	if (!no_arguments(command))
		return;
	connection_write_cstr(command->connection, "* BYE Logging out\r\n");
	command->session->logged_out = true;
	command_ok(command, "Logout completed.");
}

void command_id(struct command *command)
{
	struct buf text = BUF_INIT(64 * 1024);
	if (!imap_parse_space(&command->parser) || !imap_parse_id(&command->parser, &text)) {
		command_bad(command, NULL);
	} else {
		if (text.len > 0)
			log_info(NULL, "user=<%s>: ID %s", command->session->user, buf_cstr(&text));
		connection_write_cstr(command->connection, "* ID (\"name\" \"Tambo\")\r\n");
		command_ok(command, "ID completed.");
	}
	buf_done(&text);
}

/* Only CONDSTORE can be enabled; other names are passed over (RFC 5161 3.1). */
void command_enable(struct command *command)
{
	struct session *session = command->session;
	bool condstore = false;
	do {
		struct span name;
		if (!imap_parse_space(&command->parser) ||
			!imap_parse_atom(&command->parser, &name)) {
			command_bad(command, NULL);
			return;
		}
		if (span_equal_nocase(name, SPAN("CONDSTORE")))
			condstore = true;
	} while (command->parser.rest.len > 0);
	connection_write_cstr(
		command->connection, condstore ? "* ENABLED CONDSTORE\r\n" : "* ENABLED\r\n");
	if (condstore && !session->condstore && session->mailbox != NULL)
		connection_format(command->connection, "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
			(unsigned long long)mailbox_highestmodseq(session->mailbox));
	session->condstore |= condstore;
	command_ok(command, "Enabled.");
}

void command_namespace(struct command *command)
{
	if (!no_arguments(command))
		return;
	connection_write_cstr(command->connection, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	command_ok(command, "Namespace completed.");
}
