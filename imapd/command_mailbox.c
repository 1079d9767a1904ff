/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 6.3.3 to 6.3.7).
 * SPDX-License-Identifier: ISC */
#include <errno.h>

#include "imapd/command.h"
#include "imapd/update.h"

static bool one_mailbox(struct command *command, struct span *ret_name)
{
	struct imap_parser *parser = &command->parser;
	if (imap_parse_space(parser) && imap_parse_mailbox(parser, ret_name) &&
		imap_parse_end(parser))
		return true;
	command_bad(command, NULL);
	return false;
}

static void finish(struct command *command, int error, const char *done)
{
	if (error != 0)
		command_failed(command, error);
	else
		command_ok(command, done);
}

void command_create(struct command *command)
{
	struct span name;
	if (one_mailbox(command, &name))
		finish(command, store_create(command->session->store, name), "Create completed.");
}

/* A session that deletes what it has selected goes on without a mailbox, instead of being thrown
 * out by its own command. */
static void leave_if_selected(struct session *session, struct span name)
{
	if (session->mailbox != NULL && span_equal(mailbox_name(session->mailbox), name))
		session_unselect(session);
}

void command_delete(struct command *command)
{
	struct span name;
	if (!one_mailbox(command, &name))
		return;
	int error = store_delete(command->session->store, name);
	if (error == 0)
		leave_if_selected(command->session, name);
	finish(command, error, "Delete completed.");
}

void command_rename(struct command *command)
{
	struct imap_parser *parser = &command->parser;
	struct span from, to;
	if (!imap_parse_space(parser) || !imap_parse_mailbox(parser, &from) ||
		!imap_parse_space(parser) || !imap_parse_mailbox(parser, &to) ||
		!imap_parse_end(parser)) {
		command_bad(command, NULL);
		return;
	}
	int error = store_rename(command->session->store, from, to);
	if (error == 0 && !span_equal(from, SPAN("INBOX")))
		leave_if_selected(command->session, from);
	finish(command, error, "Rename completed.");
}

void command_subscribe(struct command *command)
{
	struct span name;
	if (one_mailbox(command, &name))
		finish(command, store_subscribe(command->session->store, name, true),
			"Subscribe completed.");
}

void command_unsubscribe(struct command *command)
{
	struct span name;
	if (one_mailbox(command, &name))
		finish(command, store_subscribe(command->session->store, name, false),
			"Unsubscribe completed.");
}
