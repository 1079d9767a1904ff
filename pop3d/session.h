/* One person's POP3 session behind the login.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_POP3D_SESSION_H
#define TAMBO_POP3D_SESSION_H

#include "pop3/command.h"
#include "net/stream.h"
#include "store/mailbox.h"

enum message_mark { MARK_DELETED = 1, MARK_RETRIEVED = 2 };

/* INVARIANT: count, sizes and marks are of the moment of the login: message numbers do not change
 * while the session lasts (RFC 1939 section 5), whatever happens to the Maildir. */
struct session {
	struct stream *stream;
	struct store *store;
	struct mailbox *mailbox;
	struct span user;
	size_t count;
	uint32_t *uids;
	uint64_t *sizes;
	uint8_t *marks; /* enum message_mark */
	bool done;
	/* for the log */
	size_t tops, retrieved, deleted;
	uint64_t bytes;
};

/* "+OK ..." or "-ERR ..."; flushed when no further command is waiting. 0 or -errno. */
int session_reply(struct session *session, const char *line);
int session_reply_format(struct session *session, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The message a command names; answers -ERR itself when there is none. */
bool session_find(
	struct session *session, struct span argument, size_t *ret_index, int *ret_status);

/* command_*.c: 0, or -errno when the session ends. */
int command_stat(struct session *session, const struct pop3_command *command);
int command_list(struct session *session, const struct pop3_command *command);
int command_uidl(struct session *session, const struct pop3_command *command);
int command_retr(struct session *session, const struct pop3_command *command);
int command_top(struct session *session, const struct pop3_command *command);
int command_dele(struct session *session, const struct pop3_command *command);
int command_rset(struct session *session, const struct pop3_command *command);
int command_quit(struct session *session, const struct pop3_command *command);

#endif
