/* System calls of the queue, each passing queue/faults.h; whole transfers, -errno.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_IO_PRIVATE_H
#define TAMBO_QUEUE_IO_PRIVATE_H

#include <sys/types.h>
#include <sys/uio.h>

#include "base/span.h"

int queue_io_open(int dir, const char *name, int flags, mode_t mode); /* fd or -errno */
/* Bytes read, fewer only at the end of the file; or -errno. */
ssize_t queue_io_read_at(int fd, void *bytes, size_t len, uint64_t offset);
int queue_io_write_at(int fd, const void *bytes, size_t len, uint64_t offset);
/* vectors is used up. */
int queue_io_writev_at(int fd, struct iovec *vectors, size_t count, uint64_t offset);
int queue_io_fdatasync(int fd);
int queue_io_fsync(int fd);
int queue_io_fsync_directory(int dir);
int queue_io_truncate(int fd, uint64_t size);
/* flock(): exclusive, without waiting; -EWOULDBLOCK. */
int queue_io_lock(int fd);
/* Never replaces: -EEXIST. */
int queue_io_rename_new(int dir, const char *from, const char *to);
int queue_io_rename(int dir, const char *from, const char *to);
/* Writes zeros over [from, to). */
int queue_io_zero(int fd, uint64_t from, uint64_t to);
/* open() of a folder below a folder: fd or -errno. */
int queue_io_open_directory(const char *parent, const char *name);

#endif
