/* One logged-in client in the worker: its connection, its store, the mailbox it has selected.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAPD_SESSION_H
#define TAMBO_IMAPD_SESSION_H

#include "imapd/connection.h"
#include "imapd/worker_settings.h"
#include "store/mailbox.h"

/* Where the reading of a message stopped, so that the next partial FETCH goes on there. */
struct content_place {
	uint32_t uid; /* in the selected mailbox; 0: none */
	uint64_t wire_offset, file_offset;
	bool after_cr;
};

struct session {
	struct connection connection;
	const struct worker_settings *settings;
	struct store *store;
	struct mailbox *mailbox; /* selected, or NULL */
	size_t keywords_told;	 /* how many of its keywords the client knows */
	struct content_place place;
	char *user, *remote; /* login name and address, for the log */
	bool condstore;	 /* MODSEQ goes into every FETCH response (RFC 7162 3.1) */
	bool logged_out; /* after this command the session ends */
	unsigned commands;
	struct list_node node; /* among all sessions of the process */
	struct task *task;
	bool idle; /* waits for the client; may be cancelled */
};

struct handoff_session;

struct session_start_info {
	struct span user, mailbox_path;
	struct span remote; /* the client's address, for the log */
	bool maildir; /* false: an mbox file, which is not served */
	struct span tag;
	struct handoff_session *handed; /* told when the login has been answered; or NULL */
};

/* The whole session: answers the login's tag, runs commands until the client or we end it. Owns
 * the stream. */
void session_run(struct stream *stream_take, const struct session_start_info *info,
	const struct worker_settings *settings);

/* The process ends soon: sessions say goodbye when they are idle. On the loop; must not wait. */
void session_hurry_all(void);
/* It has been called: whoever would wait says goodbye instead. */
bool session_is_hurried(void);

/* Closes the selected mailbox without a word to the client. */
void session_unselect(struct session *session);
/* Appends the capabilities after login, without "* CAPABILITY". */
void session_capabilities(struct buf *out);

#endif
