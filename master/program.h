/* The names that may stand in column 8 of master.cf, and what became of each; who may ask for a
 * channel to whom; which parameters name files of root that a room may read. Three tables.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MASTER_PROGRAM_H
#define TAMBO_MASTER_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

enum program_user { PROGRAM_NET, PROGRAM_MAIL, PROGRAM_AUTH, PROGRAM_MAP, PROGRAM_USERS };

enum program_flag {
	PROGRAM_PER_CORE = 1, /* one process for each processor */
	PROGRAM_AT_START = 2, /* runs from the start, not when first asked for */
	PROGRAM_SINGLE = 4,   /* never two at a time: an old one ends before a new one starts */
	PROGRAM_CHROOT = 8,   /* lives in an empty root when master is root */
	PROGRAM_LISTENS = 16, /* serves clients from outside: its sockets are bound, private ones too */
	PROGRAM_READS_ROOT = 256, /* is replaced when a file of root that it was given changes */
	PROGRAM_MISSING = 128,    /* Postfix has it, we do not (yet): told, not started */
	PROGRAM_HANDS_OVER = 512, /* single, but lets its successor begin while it finishes its work */
};

struct program {
	const char *name; /* column 8 */
	const char *room; /* whose program runs; NULL: none does */
	bool built_in;    /* its work is done by the service that runs room */
	enum program_user user;
	unsigned flags;
	const char *note; /* for `tambo check`: what became of it; NULL: it is itself */
};

/* NULL: an unknown name. */
const struct program *program_find(const char *name);
const struct program *program_at(size_t index); /* NULL behind the last */

/* The file in daemon_directory that is run, or, worker, that its workers run. NULL: none. */
const char *program_file(const struct program *program, bool worker);

/* May a process of room asker have a channel to a service that room target runs? */
bool program_may_connect(const char *asker, const char *target);
/* May it have a worker of the room (role command: one that runs commands)? */
bool program_may_have_worker(const char *asker, const char *target, bool command);
/* May master open, for a process of room, the files that this parameter names? */
bool program_may_read(const char *room, const char *parameter);

/* The parameter that names a user of ours: "mail_owner", "net_user", ... */
const char *program_user_parameter(enum program_user user);

#endif
