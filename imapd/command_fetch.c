/* FETCH (RFC 3501 6.4.5, RFC 7162 3.1.4): which messages, \Seen, and one response each. Works
 * through the messages in small groups, so that \Seen is set shortly before a message is sent.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "imap/fetch.h"
#include "imapd/command.h"
#include "imapd/fetch.h"

#define GROUP 64

struct fetching {
	struct command *command;
	struct imap_fetch fetch;
	uint32_t *indexes;
	size_t count;
	bool sets_seen;
	bool gone; /* some message went away meanwhile */
	int error; /* some message could not be read */
};

static bool has_section_that_sees(const struct imap_fetch *fetch)
{
	for (size_t i = 0; i < fetch->count; i++)
		if (fetch->items[i].kind == IMAP_FETCH_SECTION && !fetch->items[i].peek)
			return true;
	return false;
}

/* Adds an item that was not asked for by name: UID in front, MODSEQ behind. */
static bool add_item(
	struct command *command, struct imap_fetch *fetch, enum imap_fetch_kind kind, bool in_front)
{
	if (imap_fetch_asks(fetch, kind))
		return true;
	struct imap_fetch_item *items =
		ARENA_ARRAY(command->arena, struct imap_fetch_item, fetch->count + 1);
	if (items == NULL) {
		command_no(command, "[LIMIT] Too long");
		return false;
	}
	memcpy(items + (in_front ? 1 : 0), fetch->items, fetch->count * sizeof(*items));
	items[in_front ? 0 : fetch->count].kind = kind;
	fetch->items = items;
	fetch->count++;
	return true;
}

static void keep_changed_since(struct fetching *fetching)
{
	struct mailbox *mailbox = fetching->command->session->mailbox;
	size_t kept = 0;
	for (size_t i = 0; i < fetching->count; i++)
		if (mailbox_at(mailbox, fetching->indexes[i])->modseq >
			fetching->fetch.changed_since)
			fetching->indexes[kept++] = fetching->indexes[i];
	fetching->count = kept;
}

/* Sets \Seen on those of the group that lack it; newly_seen says which. */
static void mark_seen(
	struct fetching *fetching, const uint32_t *indexes, size_t count, bool newly_seen[GROUP])
{
	struct mailbox *mailbox = fetching->command->session->mailbox;
	uint32_t uids[GROUP];
	size_t uid_count = 0;
	memset(newly_seen, 0, GROUP * sizeof(newly_seen[0]));
	if (!fetching->sets_seen)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct message *message = mailbox_at(mailbox, indexes[i]);
		newly_seen[i] = (message->flags & MESSAGE_SEEN) == 0 && !message->expunged;
		if (newly_seen[i])
			uids[uid_count++] = message->uid;
	}
	if (uid_count == 0)
		return;
	struct store_request request = {.uids = uids,
		.uid_count = uid_count,
		.operation = STORE_ADD,
		.flags = MESSAGE_SEEN,
		.silent = true};
	int error = mailbox_store(mailbox, &request, NULL);
	if (error != 0)
		log_warning(NULL, "user=<%s>: cannot set \\Seen in %.*s: %s",
			fetching->command->session->user, SPAN_ARGS(mailbox_name(mailbox)),
			strerror(-error));
}

/* The others are sent all the same. */
static void note_error(struct fetching *fetching, size_t index, int error)
{
	const struct session *session = fetching->command->session;
	fetching->error = error;
	log_warning(NULL, "user=<%s>: the message with UID %u in %.*s cannot be read: %s",
		session->user, mailbox_at(session->mailbox, index)->uid,
		SPAN_ARGS(mailbox_name(session->mailbox)), strerror(-error));
}

static void send_group(struct fetching *fetching, const uint32_t *indexes, size_t count)
{
	struct session *session = fetching->command->session;
	bool newly_seen[GROUP];
	mark_seen(fetching, indexes, count, newly_seen);
	for (size_t i = 0; i < count && !session->connection.failed; i++) {
		int error = fetch_send(session, indexes[i], &fetching->fetch, newly_seen[i]);
		if (error == -ENOENT)
			fetching->gone = true;
		else if (error != 0 && fetching->error == 0)
			note_error(fetching, indexes[i], error);
	}
	(void)task_yield();
}

static bool prepare(struct fetching *fetching)
{
	struct command *command = fetching->command;
	struct imap_set set;
	if (!imap_parse_space(&command->parser) || !imap_parse_set(&command->parser, &set) ||
		!imap_parse_space(&command->parser) ||
		!imap_parse_fetch(&command->parser, &fetching->fetch)) {
		command_bad(command, NULL);
		return false;
	}
	if (!command_messages(command, &set, &fetching->indexes, &fetching->count))
		return false;
	bool modseq = imap_fetch_asks(&fetching->fetch, IMAP_FETCH_MODSEQ);
	if (modseq || fetching->fetch.changed_since_given)
		command->session->condstore = true;
	if (fetching->fetch.changed_since_given)
		keep_changed_since(fetching);
	fetching->sets_seen = has_section_that_sees(&fetching->fetch) &&
			      !mailbox_is_read_only(command->session->mailbox);
	return (!command->uid || add_item(command, &fetching->fetch, IMAP_FETCH_UID, true)) &&
	       (!fetching->fetch.changed_since_given ||
		       add_item(command, &fetching->fetch, IMAP_FETCH_MODSEQ, false));
}

void command_fetch(struct command *command)
{
	struct fetching fetching = {.command = command};
	if (!prepare(&fetching))
		return;
	for (size_t i = 0; i < fetching.count && !command->connection->failed; i += GROUP) {
		size_t left = fetching.count - i;
		send_group(&fetching, fetching.indexes + i, left < GROUP ? left : GROUP);
	}
	if (fetching.error != 0)
		command_failed(command, fetching.error);
	else if (fetching.gone)
		command_ok(command, "[EXPUNGEISSUED] Some messages were deleted meanwhile.");
	else
		command_ok(command, "Fetch completed.");
}
