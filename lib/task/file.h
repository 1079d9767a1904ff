/* Reading files from a task: a cold page is waited for in the thread pool.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TASK_FILE_H
#define TAMBO_TASK_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads at offset until len bytes are there or the file ends: how many, or -errno. Yields unless
 * the page cache has them all. */
ssize_t task_read_at(int fd, void *bytes, size_t len, uint64_t offset);
/* The same, but what the page cache has of it at once is enough. 0: the end of the file. */
ssize_t task_read_some(int fd, void *bytes, size_t len, uint64_t offset);

#endif
