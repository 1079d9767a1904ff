/* DELE, RSET and QUIT (RFC 1939 sections 5 and 6): marks, and their taking effect.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "pop3d/session.h"

int command_dele(struct session *session, const struct pop3_command *command)
{
	size_t index;
	int status = 0;
	if (!session_find(session, command->argument, &index, &status))
		return status;
	session->marks[index] |= MARK_DELETED;
	return session_reply(session, "+OK Marked for deletion");
}

int command_rset(struct session *session, const struct pop3_command *command)
{
	(void)command;
	for (size_t i = 0; i < session->count; i++)
		session->marks[i] &= (uint8_t)~MARK_DELETED;
	return session_reply_format(session, "+OK %zu messages", session->count);
}

static size_t marked_uids(
	const struct session *session, uint8_t mark, uint8_t without, uint32_t *uids)
{
	size_t count = 0;
	for (size_t i = 0; i < session->count; i++)
		if ((session->marks[i] & mark) && !(session->marks[i] & without))
			uids[count++] = session->uids[i];
	return count;
}

/* A message that was fetched has been seen, as IMAP will show it. */
static void store_seen(struct session *session, uint32_t *uids)
{
	struct store_request request = {.uids = uids, .operation = STORE_ADD, .flags = MESSAGE_SEEN,
		.silent = true};
	request.uid_count = marked_uids(session, MARK_RETRIEVED, MARK_DELETED, uids);
	int status = request.uid_count == 0 ? 0 : mailbox_store(session->mailbox, &request, NULL);
	if (status != 0)
		log_warning(NULL, "%.*s: cannot mark messages as seen: %s", SPAN_ARGS(session->user),
			strerror(-status));
}

/* The UPDATE state. */
int command_quit(struct session *session, const struct pop3_command *command)
{
	uint32_t *uids = memory_zalloc(session->count, sizeof *uids);
	(void)command;
	session->done = true;
	store_seen(session, uids);
	size_t marked = marked_uids(session, MARK_DELETED, 0, uids);
	int status = marked == 0 ? 0 : mailbox_expunge(session->mailbox, uids, marked, false,
						 &session->deleted);
	free(uids);
	if (status == 0)
		return session_reply(session, "+OK Bye");
	log_error(NULL, "%.*s: cannot remove messages: %s", SPAN_ARGS(session->user),
		strerror(-status));
	return session_reply(session, "-ERR [SYS/TEMP] Some deleted messages were not removed");
}
