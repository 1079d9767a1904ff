/* All file systems that can hold mail, opened before the walls close, so that a process can have
 * them flushed that does not know where deliveries went. syncfs(2), unlike sync(2), tells of writes
 * that failed.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SYS_FILE_SYSTEMS_H
#define TAMBO_SYS_FILE_SYSTEMS_H

#include <stdbool.h>
#include <stddef.h>

struct file_systems {
	int *fds;
	size_t count;
	/* Nothing is mounted that could not be opened (by right, or as it may hang: NFS, FUSE). */
	bool complete;
};

/* Opens the root of each mounted file system that has a device or memory of its own. Never fails:
 * what is missing is told by complete. */
void file_systems_open(struct file_systems *ret_systems);
void file_systems_close(struct file_systems *systems);
/* Flushes all; blocks. 0: they are complete and each was written without an error since it was
 * opened, or the first error (-ENOTSUP: not complete). */
int file_systems_flush(const struct file_systems *systems);

#endif
