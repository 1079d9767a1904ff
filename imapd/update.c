/* Untagged changes. INVARIANT: sequence numbers change nowhere but here (mailbox_refresh with
 * expunges allowed, reported in the same breath), so client and view always agree.
 * SPDX-License-Identifier: ISC */
#include "imapd/update.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "imap/flag.h"

#define FLAGS_CAP (512 * 1024) /* 1,000 keywords of 200 bytes, twice over */
#define YIELD_EVERY 256

_Static_assert((int)MESSAGE_SEEN == (int)IMAP_FLAG_SEEN &&
		       (int)MESSAGE_RECENT == (int)IMAP_FLAG_RECENT &&
		       (int)MESSAGE_DELETED == (int)IMAP_FLAG_DELETED &&
		       (int)MESSAGE_DRAFT == (int)IMAP_FLAG_DRAFT &&
		       (int)MESSAGE_FLAGGED == (int)IMAP_FLAG_FLAGGED &&
		       (int)MESSAGE_ANSWERED == (int)IMAP_FLAG_ANSWERED,
	"store and grammar agree on flags");

void update_write_flags(struct session *session, const struct message *message, struct buf *out)
{
	buf_append_char(out, '(');
	imap_flag_write(message->flags, out);
	bool first = message->flags == 0;
	for (uint16_t i = 0; i < message->keyword_count; i++) {
		struct span name = mailbox_keyword(session->mailbox, message->keywords[i]);
		if (name.len == 0)
			continue;
		if (!first)
			buf_append_char(out, ' ');
		first = false;
		buf_append(out, name);
	}
	buf_append_char(out, ')');
}

void update_send_flags(struct session *session, size_t index, bool with_uid, bool only_modseq)
{
	const struct message *message = mailbox_at(session->mailbox, index);
	struct buf line = BUF_INIT(FLAGS_CAP);
	buf_append_format(&line, "* %zu FETCH (", index + 1);
	if (with_uid || session->condstore)
		buf_append_format(&line, "UID %u ", message->uid);
	if (!only_modseq) {
		buf_append_cstr(&line, "FLAGS ");
		update_write_flags(session, message, &line);
	}
	if (session->condstore)
		buf_append_format(&line, "%sMODSEQ (%llu)", only_modseq ? "" : " ",
			(unsigned long long)message->modseq);
	buf_append_cstr(&line, ")\r\n");
	if (!line.overflow)
		connection_write(&session->connection, buf_span(&line));
	buf_done(&line);
}

void update_send_keywords(struct session *session)
{
	struct buf names = BUF_INIT(FLAGS_CAP);
	struct connection *connection = &session->connection;
	session->keywords_told = mailbox_keyword_count(session->mailbox);
	imap_flag_write(MESSAGE_FLAGS_SYSTEM, &names);
	for (size_t i = 0; i < session->keywords_told; i++) {
		struct span name = mailbox_keyword(session->mailbox, i);
		if (name.len == 0)
			continue; /* a number that is not in use */
		buf_append_char(&names, ' ');
		buf_append(&names, name);
	}
	connection_write_cstr(connection, "* FLAGS (");
	connection_write(connection, buf_span(&names));
	connection_write_cstr(connection, ")\r\n* OK [PERMANENTFLAGS (");
	if (mailbox_is_read_only(session->mailbox)) {
		connection_write_cstr(connection, ")] Read-only mailbox.\r\n");
	} else {
		connection_write(connection, buf_span(&names));
		connection_write_cstr(connection, " \\*)] Flags permitted.\r\n");
	}
	buf_done(&names);
}

void update_mailbox_gone(struct session *session)
{
	if (session->mailbox == NULL)
		return;
	log_info(NULL, "user=<%s>: mailbox %.*s was deleted or renumbered: disconnecting",
		session->user, SPAN_ARGS(mailbox_name(session->mailbox)));
	session_unselect(session);
	connection_write_cstr(&session->connection,
		"* BYE Mailbox was deleted or renumbered, please reconnect\r\n");
	session->logged_out = true;
}

static void send_expunges(struct connection *connection, const uint32_t *numbers, size_t count)
{
	struct buf lines = BUF_INIT(YIELD_EVERY * 32);
	for (size_t i = 0; i < count; i++) {
		buf_append_cstr(&lines, "* ");
		buf_append_u64(&lines, numbers[i]);
		buf_append_cstr(&lines, " EXPUNGE\r\n");
		if (i % YIELD_EVERY == YIELD_EVERY - 1) {
			connection_write(connection, buf_span(&lines));
			buf_reset(&lines);
			(void)task_yield();
		}
	}
	if (lines.len > 0)
		connection_write(connection, buf_span(&lines));
	buf_done(&lines);
}

static void send_changes(
	struct session *session, const struct mailbox_changes *changes, bool with_uid)
{
	struct connection *connection = &session->connection;
	send_expunges(connection, changes->expunged, changes->expunged_count);
	if (changes->exists_changed)
		connection_format(connection, "* %zu EXISTS\r\n* %zu RECENT\r\n",
			mailbox_count(session->mailbox), mailbox_recent(session->mailbox));
	else if (changes->recent_changed)
		connection_format(connection, "* %zu RECENT\r\n", mailbox_recent(session->mailbox));
	if (mailbox_keyword_count(session->mailbox) != session->keywords_told)
		update_send_keywords(session);
	for (size_t i = 0; i < changes->changed_count && !connection->failed; i++) {
		update_send_flags(session, changes->changed[i], with_uid, false);
		if (i % YIELD_EVERY == YIELD_EVERY - 1)
			(void)task_yield();
	}
}

void update_send(struct session *session, unsigned flags, bool with_uid)
{
	const struct mailbox_changes *changes;
	if (session->mailbox == NULL)
		return;
	int error = mailbox_refresh(session->mailbox, (flags & UPDATE_EXPUNGES) != 0, &changes);
	if (error == 0)
		send_changes(session, changes, with_uid);
	else if (error == -ESTALE)
		update_mailbox_gone(session);
	else
		log_warning(NULL, "user=<%s>: mailbox %.*s cannot be read: %s", session->user,
			SPAN_ARGS(mailbox_name(session->mailbox)), strerror(-error));
}
