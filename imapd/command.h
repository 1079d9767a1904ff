/* A command in progress: what its function gets, and how it answers. The table in command.c names
 * every command, when it is allowed and its function; one command_*.c file for each group.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAPD_COMMAND_H
#define TAMBO_IMAPD_COMMAND_H

#include "imap/parser.h"
#include "imap/sequence_set.h"
#include "imapd/session.h"

enum command_status { COMMAND_OK, COMMAND_NO, COMMAND_BAD };

struct command {
	struct session *session;
	struct connection *connection; /* of the session */
	struct arena *arena;	       /* lives as long as the command */
	struct imap_parser parser;     /* behind the command's name */
	struct span tag, name;
	bool uid;	      /* "UID name" */
	bool literal_follows; /* APPEND: the message comes from the connection */
	bool literal_used;    /* APPEND has read it, or has let it pass */
	bool keep_expunges;   /* EXPUNGE must not be sent at the end of this command */
	bool is_current;      /* the client was just told everything */
	enum command_status status;
	struct buf text; /* of the tagged response, with its code */
};

/* Runs what the connection has read (frame.bytes), sends changes and the tagged response.
 * literal_follows: connection_read answered CONNECTION_LITERAL. */
void command_run(struct session *session, bool literal_follows);
/* Is the command so far an APPEND whose next literal is the message? */
bool command_wants_literal(struct connection *connection);

void command_ok(struct command *command, const char *text);
void command_no(struct command *command, const char *text);
/* text NULL: what the parser found. */
void command_bad(struct command *command, const char *text);
/* NO with the text that fits -errno. */
void command_failed(struct command *command, int error);

/* --- for the functions --- */

/* Resolves the set against the selected mailbox: ascending indexes in the arena. Names of messages
 * that are not there are passed over for UIDs and BAD otherwise (answered; false). */
bool command_messages(
	struct command *command, struct imap_set *set, uint32_t **ret_indexes, size_t *ret_count);
/* The same as UIDs. */
bool command_uids(
	struct command *command, struct imap_set *set, uint32_t **ret_uids, size_t *ret_count);

void command_append(struct command *command);
void command_capability(struct command *command);
void command_check(struct command *command);
void command_close(struct command *command);
void command_copy(struct command *command);
void command_create(struct command *command);
void command_delete(struct command *command);
void command_enable(struct command *command);
void command_examine(struct command *command);
void command_expunge(struct command *command);
void command_fetch(struct command *command);
void command_id(struct command *command);
void command_idle(struct command *command);
void command_list(struct command *command);
void command_logout(struct command *command);
void command_lsub(struct command *command);
void command_move(struct command *command);
void command_namespace(struct command *command);
void command_noop(struct command *command);
void command_rename(struct command *command);
void command_search(struct command *command);
void command_select(struct command *command);
void command_status(struct command *command);
void command_store(struct command *command);
void command_subscribe(struct command *command);
void command_unselect(struct command *command);
void command_unsubscribe(struct command *command);

#endif
