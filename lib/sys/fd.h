/* Whole reads and writes: what read(2), pread(2) and write(2) leave to their callers. They block.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SYS_FD_H
#define TAMBO_SYS_FD_H

#include <sys/types.h>

#include "base/buf.h"

/* Appends what comes until the end: 0, -EFBIG when it is more than *out may hold, or -errno. */
int fd_read_all(int fd, struct buf *out);
/* Reads at offset until len bytes are there or the file ends: how many, or -errno. */
ssize_t fd_read_at(int fd, void *bytes, size_t len, uint64_t offset);
/* 0 or -errno: then a part may have been written. */
int fd_write_all(int fd, struct span bytes);
/* Of -errno: descriptors or memory are missing. It says nothing about the file, and will pass. */
bool fd_is_shortage(int error);
/* The peer of a connected socket has closed it; what it sent before may still be unread. */
bool fd_has_hung_up(int fd);

#endif
