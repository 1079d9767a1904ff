/* Small files, locks and flushes of the store. Everything that can wait for a disk goes to the
 * thread pool when called in a task.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_FILE_PRIVATE_H
#define TAMBO_STORE_FILE_PRIVATE_H

#include <sys/stat.h>

#include "base/buf.h"

/* Appends a whole file to out; -ENOENT, -EFBIG past out's cap. Symbolic links are not followed. */
int file_read_at(int dir_fd, const char *name, struct buf *out);
/* -ENOENT also for what will never be a file that can be taken: a link, one that is too large. Any
 * other error may pass, and does not say that there is none. */
int file_read_present_at(int dir_fd, const char *name, struct buf *out);
/* Replaces a file: temporary name, write, fsync, rename, fsync of the folder. */
int file_replace_at(int dir_fd, const char *name, struct span content);
/* Appends to a file (mode 0600), without a flush; a torn last line is closed first. */
int file_append_at(int dir_fd, const char *name, struct span content);
int file_sync(int fd);
/* Opens a folder below dir_fd by name, flushes it, closes it. */
int file_sync_dir_at(int dir_fd, const char *name);

/* Waits until the whole file is locked (OFD, exclusive): 0, -ETIMEDOUT after 30 s, -ECANCELED. */
int file_lock(int fd);
int file_try_lock(int fd); /* 0 or -EAGAIN */
void file_unlock(int fd);

/* Runs fn(arg), which makes, renames or removes so many names: in the thread pool, unless they are
 * few. */
void file_change_names(size_t count, void (*fn)(void *arg), void *arg);

int64_t file_mtime_ns(const struct stat *st);
/* Wall clock in nanoseconds. */
int64_t file_now_ns(void);
/* Sets a folder's mtime. */
int file_set_mtime_at(int dir_fd, const char *name, int64_t ns);
void file_close(int *fd); /* for CLEANUP-like use: closes when >= 0, sets -1 */

#endif
