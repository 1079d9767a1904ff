/* The walls of a process: Landlock (which files, which sockets) and seccomp (which system calls),
 * closed once and for ever. no_new_privs comes with them.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SYS_SANDBOX_H
#define TAMBO_SYS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

enum sandbox_allow {
	SANDBOX_CONNECT = 1, /* socket() and connect() to other hosts */
	SANDBOX_OPEN = 2,    /* opening files at all; Landlock says which */
	SANDBOX_CHANGE = 4,  /* creating, renaming, removing, locking, flushing them */
	SANDBOX_LOCAL = 8,   /* UNIX sockets by path (name services, PAM) */
};

struct sandbox_folder {
	const char *path;
	bool write;
};

/* folders: a missing one is left out. any_folder: Landlock is not used (the uid is the wall).
 * ret_warning is a literal to log, or NULL: what this kernel cannot do. 0 or -errno. */
struct sandbox {
	unsigned allow;
	bool any_folder;
	const struct sandbox_folder *folders;
	size_t folder_count;
};
int sandbox_enter(const struct sandbox *sandbox, const char **ret_warning);

/* True in a build with sanitizers: they report on standard error, so it is to be kept. */
bool sandbox_is_sanitized(void);

#endif
