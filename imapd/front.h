/* A client's connection before login: what the commands of the front share.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAPD_FRONT_H
#define TAMBO_IMAPD_FRONT_H

#include "daemon/clients.h"
#include "imap/parser.h"
#include "imapd/connection.h"
#include "imapd/settings.h"
#include "ipc/channel.h"
#include "net/socket.h"

#define FRONT_FAILURES_MAX 3

struct front {
	struct connection connection;
	const struct imapd_settings *settings;
	struct client_addresses addresses;
	task_time deadline; /* of the whole login */
	unsigned failures; /* logins refused on this connection */
	struct buf client_id; /* what ID said */
	bool over; /* the conversation has ended: logged in, logged out or broken */
	int session_fd; /* logged in: the worker's socket, from auth; else -1 */
	struct buf tag; /* of the command that logged in */
	const char *login_command; /* "LOGIN" or "AUTHENTICATE" */
};

/* The process ends soon: conversations stop. On the loop; must not wait. */
void front_hurry_all(void);
/* May a password be sent now? */
bool front_may_login(const struct front *front);
bool front_is_tls(const struct front *front);
/* Appends the capabilities before login, auth's mechanisms among them. */
void front_capabilities(struct front *front, struct buf *out);

/* --- commands: each answers the tag itself --- */

struct front_command {
	struct front *front;
	struct span tag, name;
	struct imap_parser parser;
};

/* status: "OK", "NO", "BAD". */
void front_reply(struct front_command *command, const char *status, const char *text);
/* BAD with what the parser found. */
void front_reply_bad(struct front_command *command);
void front_command_run(struct front *front);
void front_login(struct front_command *command);
void front_authenticate(struct front_command *command);

#endif
