/* Configuration files and tables, across the walls. Before the sandbox closes a process opens its
 * tables through here; afterwards a sealed process (network facing: chroot, no open()) keeps what
 * it has, and master, which was told of every file opened here, replaces the process gently when
 * one of them changes. Files that only root can read were opened by master and are found here.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SYS_FILE_ACCESS_H
#define TAMBO_SYS_FILE_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

/* Opens path for reading (close-on-exec) and remembers it as one to watch. A granted file gives a
 * copy of the descriptor set to offset 0; such a file cannot be opened again by its path, see
 * file_is_granted. fd or -errno. */
int file_open_read(const char *path);
/* Remembers path only: for libraries that open it themselves. At most 1,000 are remembered. */
void file_watch(const char *path);

/* Makes file_open_read(path) answer with this descriptor. */
void file_grant(const char *path, int fd_take);
/* True when path came from master: a library that wants a path must be given a copy. */
bool file_is_granted(const char *path);

/* From here on no path can be opened: do not look whether a file changed, it is
 * replaced for you. */
void file_access_seal(void);
bool file_access_is_sealed(void);

/* All paths remembered, each once, in order. */
size_t file_watched_count(void);
const char *file_watched_at(size_t index);

#endif
