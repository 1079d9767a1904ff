/* AUTH by asking the auth process. One exchange on a channel: START -> REPLY (CONTINUE -> CONTINUE
 * message -> REPLY)* until OK or failure; then the channel can serve the next. For imap and pop3 an
 * OK carries session_fd: a channel to the worker of that user's uid, on which auth has already sent
 * session_user, so a front can reach a person's mail only through a successful login.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SERVICE_AUTH_H
#define TAMBO_SERVICE_AUTH_H

#include "ipc/message.h"

struct auth_start {
	struct span service;       /* "smtp", "imap", "pop3" */
	struct span mechanism;     /* upper case; "LIST" asks for the mechanism names instead */
	bool has_response;
	struct span response;      /* decoded; wiped by both ends after use */
	struct span local_address;
	int client_fd;             /* the client's connection: auth looks whose it is; -1: LIST */
	bool tls;
};

struct auth_continue {
	struct span response;
	bool abort;                /* the client sent "*" */
};

enum auth_status {
	AUTH_OK,
	AUTH_CONTINUE,
	AUTH_FAILED,
	AUTH_UNAVAILABLE,
	AUTH_TEMPORARY,
	AUTH_LIST
};
/* AUTH_FAILED: wrong; AUTH_UNAVAILABLE: no such mechanism here (or it needs TLS) */

struct auth_reply {
	uint32_t status;
	struct span challenge;     /* CONTINUE; with OK: data of the last step (SCRAM) */
	struct span user;          /* OK: canonical login name */
	struct span text;          /* failure: for the log */
	struct span mechanisms;    /* LIST: space-separated, for this service and TLS state */
	int session_fd;            /* OK for imap/pop3, otherwise -1 */
};

/* Instead of an exchange: is there an account for this local user? Nothing of it is told, and
 * asking is no login. For processes that may not read a password file but must know who has mail
 * here. */
struct account_question {
	struct span user;          /* no domain, no extension */
};

enum account_existence { ACCOUNT_EXISTS, ACCOUNT_IS_UNKNOWN, ACCOUNT_CANNOT_TELL };

struct account_answer {
	uint32_t existence;
};

/* First message on a worker's channel, sent by auth. */
struct session_user {
	struct span user;
	struct span home;
	struct span mailbox;       /* path of the Maildir (or mbox file) */
	bool maildir;
	struct span remote_address, local_address;
	bool tls;
};

/* Second message, sent by the front; then the channel's socket is the client's byte stream (plain
 * bytes both ways) unless client_fd is given. */
struct session_start {
	int client_fd;             /* the client's socket when it is not TLS, or -1 */
	struct span tag;           /* IMAP: of the command that logged in; the worker answers it */
	struct span command;       /* "LOGIN", "AUTHENTICATE", "PASS", "AUTH" */
	struct span input;         /* bytes that the client sent behind it */
	struct span client_id;     /* IMAP ID parameters seen before login, for the log */
};

/* The worker's answer when client_fd was given: the client has the answer to its login. Without it
 * the worker has died before, and the front tells the client so. */
struct session_begun {
	bool begun;
};

extern const struct message_type auth_start_type, auth_continue_type, auth_reply_type,
	account_question_type, account_answer_type, session_user_type, session_start_type,
	session_begun_type;

#endif
