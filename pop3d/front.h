/* One client before its login.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_POP3D_FRONT_H
#define TAMBO_POP3D_FRONT_H

#include "daemon/clients.h"
#include "pop3/command.h"
#include "pop3d/settings.h"

struct front {
	struct stream *stream;
	struct buf user;             /* of USER, waiting for PASS */
	struct client_addresses addresses;
	unsigned failures, errors;
	task_time deadline;          /* of everything before the login */
	int lost;                    /* -errno of the client's connection in the midst of a login */
	bool done;                   /* the session ends, or has been handed over */
};

/* Sends "+OK text" or "-ERR text" and flushes when no further command is waiting. 0 or -errno. */
int front_reply(struct front *front, const char *line);
/* Reads a line of at most max bytes within the time limit; without its end. -EMSGSIZE: too long. */
int front_read(struct front *front, size_t max, struct span *ret_line);
/* May a password be sent here and now? */
bool front_plaintext_allowed(const struct front *front);

/* front_auth.c. 0, or -errno: the session ends. */
int front_user(struct front *front, const struct pop3_command *command);
int front_pass(struct front *front, const struct pop3_command *command);
int front_auth(struct front *front, const struct pop3_command *command);
/* "PLAIN LOGIN ..."; "" when auth cannot be asked. Good until the next wait. */
struct span front_mechanisms(const struct front *front);

#endif
