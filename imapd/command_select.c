/* SELECT, EXAMINE, CLOSE, UNSELECT, EXPUNGE and STATUS (RFC
 * 3501 6.3.1, 6.3.2, 6.3.10, 6.4.2, 6.4.3; RFC 3691; RFC 4315 2.1; RFC 7162 3.1.2 and 3.1.8).
 * SPDX-License-Identifier: ISC */
#include <errno.h>

#include "imap/command.h"
#include "imap/write.h"
#include "imapd/command.h"
#include "imapd/update.h"

static void describe(struct session *session)
{
	struct connection *connection = &session->connection;
	struct mailbox *mailbox = session->mailbox;
	size_t unseen = mailbox_first_unseen(mailbox);
	update_send_keywords(session);
	connection_format(connection, "* %zu EXISTS\r\n* %zu RECENT\r\n", mailbox_count(mailbox),
		mailbox_recent(mailbox));
	if (unseen < mailbox_count(mailbox))
		connection_format(connection, "* OK [UNSEEN %zu] First unseen.\r\n", unseen + 1);
	connection_format(connection,
		"* OK [UIDVALIDITY %u] UIDs valid\r\n* OK [UIDNEXT %u] Predicted next UID\r\n"
		"* OK [HIGHESTMODSEQ %llu] Highest\r\n",
		mailbox_uidvalidity(mailbox), mailbox_uidnext(mailbox),
		(unsigned long long)mailbox_highestmodseq(mailbox));
}

static void open_mailbox(struct command *command, unsigned flags)
{
	struct session *session = command->session;
	struct imap_select select;
	if (!imap_parse_select(&command->parser, &select)) {
		command_bad(command, NULL);
		return;
	}
	if (session->mailbox != NULL && session->condstore)
		connection_write_cstr(
			command->connection, "* OK [CLOSED] Previous mailbox closed.\r\n");
	/* RFC 3501 6.3.1: also a SELECT that fails leaves no mailbox selected. */
	session_unselect(session);
	int error = mailbox_open(session->store, select.mailbox, flags, &session->mailbox);
	if (error != 0) {
		session->mailbox = NULL;
		command_failed(command, error);
		return;
	}
	command->is_current = true;
	session->condstore |= select.condstore;
	describe(session);
	if ((flags & MAILBOX_READ_ONLY) != 0)
		command_ok(command, "[READ-ONLY] Examine completed.");
	else if (mailbox_is_read_only(session->mailbox))
		command_ok(command, "[READ-ONLY] Select completed.");
	else
		command_ok(command, "[READ-WRITE] Select completed.");
}

void command_select(struct command *command)
{
	open_mailbox(command, 0);
}

void command_examine(struct command *command)
{
	open_mailbox(command, MAILBOX_READ_ONLY);
}

/* 0 or -errno; uids NULL: all. */
static int expunge(struct command *command, const uint32_t *uids, size_t count)
{
	struct mailbox *mailbox = command->session->mailbox;
	if (uids != NULL)
		return mailbox_expunge(mailbox, uids, count, true, NULL);
	size_t total = mailbox_count(mailbox), deleted = 0;
	uint32_t *all = arena_array(command->arena, total + 1, sizeof(*all));
	if (all == NULL)
		return -E2BIG;
	for (size_t i = 0; i < total; i++) {
		const struct message *message = mailbox_at(mailbox, i);
		if ((message->flags & MESSAGE_DELETED) != 0)
			all[deleted++] = message->uid;
	}
	return deleted == 0 ? 0 : mailbox_expunge(mailbox, all, deleted, true, NULL);
}

void command_close(struct command *command)
{
	struct session *session = command->session;
	int error = 0;
	if (!imap_parse_end(&command->parser)) {
		command_bad(command, NULL);
		return;
	}
	if (!mailbox_is_read_only(session->mailbox))
		error = expunge(command, NULL, 0);
	session_unselect(session);
	if (error != 0)
		command_failed(command, error);
	else
		command_ok(command, "Close completed.");
}

void command_unselect(struct command *command)
{
	if (!imap_parse_end(&command->parser)) {
		command_bad(command, NULL);
		return;
	}
	session_unselect(command->session);
	command_ok(command, "Unselect completed.");
}

void command_expunge(struct command *command)
{
	struct imap_set set;
	uint32_t *uids = NULL;
	size_t count = 0;
	if (command->uid &&
		(!imap_parse_space(&command->parser) || !imap_parse_set(&command->parser, &set))) {
		command_bad(command, NULL);
		return;
	}
	if (!imap_parse_end(&command->parser)) {
		command_bad(command, NULL);
		return;
	}
	if (command->uid && !command_uids(command, &set, &uids, &count))
		return;
	int error = mailbox_is_read_only(command->session->mailbox) ? -EROFS
								    : expunge(command, uids, count);
	if (error != 0)
		command_failed(command, error);
	else
		command_ok(command, "Expunge completed.");
}

static void write_status(const struct mailbox_status *status, unsigned items, struct buf *out)
{
	const struct {
		enum imap_status_item item;
		const char *name;
		uint64_t value;
	} rows[] = {
		{IMAP_STATUS_MESSAGES, "MESSAGES", status->exists},
		{IMAP_STATUS_RECENT, "RECENT", status->recent},
		{IMAP_STATUS_UIDNEXT, "UIDNEXT", status->uidnext},
		{IMAP_STATUS_UIDVALIDITY, "UIDVALIDITY", status->uidvalidity},
		{IMAP_STATUS_UNSEEN, "UNSEEN", status->unseen},
		{IMAP_STATUS_HIGHESTMODSEQ, "HIGHESTMODSEQ", status->highestmodseq},
	};
	bool first = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((items & rows[i].item) == 0)
			continue;
		buf_append_format(out, "%s%s %llu", first ? "" : " ", rows[i].name,
			(unsigned long long)rows[i].value);
		first = false;
	}
}

void command_status(struct command *command)
{
	struct mailbox_status status;
	struct span name;
	unsigned items;
	if (!imap_parse_space(&command->parser) || !imap_parse_mailbox(&command->parser, &name) ||
		!imap_parse_space(&command->parser) ||
		!imap_parse_status_items(&command->parser, &items)) {
		command_bad(command, NULL);
		return;
	}
	int error = store_status(command->session->store, name, &status);
	if (error != 0) {
		command_failed(command, error);
		return;
	}
	if ((items & IMAP_STATUS_HIGHESTMODSEQ) != 0)
		command->session->condstore = true; /* RFC 7162 3.1: a CONDSTORE enabling command */
	struct buf line = BUF_INIT(64 * 1024);
	buf_append_cstr(&line, "* STATUS ");
	imap_write_astring(name, &line);
	buf_append_cstr(&line, " (");
	write_status(&status, items, &line);
	buf_append_cstr(&line, ")\r\n");
	connection_write(command->connection, buf_span(&line));
	buf_done(&line);
	command_ok(command, "Status completed.");
}
