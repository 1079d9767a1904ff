/* See io_private.h and faults.h.
 * SPDX-License-Identifier: ISC */
#include "queue/io_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "queue/faults.h"
#include "sys/fd.h"

#define ZERO_PIECE 65536

int (*queue_faults)(const char *operation);

static int fault(const char *operation)
{
	return queue_faults == NULL ? 0 : -queue_faults(operation);
}

int queue_io_open(int dir, const char *name, int flags, mode_t mode)
{
	int error = fault("open");
	if (error != 0)
		return error;
	int fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
	return fd < 0 ? -errno : fd;
}

int queue_io_write_at(int fd, const void *bytes, size_t len, uint64_t offset)
{
	struct iovec vector = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	return queue_io_writev_at(fd, &vector, 1, offset);
}

static int write_vectors(int fd, struct iovec *vectors, size_t count, uint64_t offset)
{
	while (count > 0) {
		ssize_t n =
			pwritev(fd, vectors, count > IOV_MAX ? IOV_MAX : (int)count, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		offset += (uint64_t)n;
		size_t done = (size_t)n;
		while (count > 0 && done >= vectors->iov_len) {
			done -= vectors->iov_len;
			vectors++;
			count--;
		}
		if (count == 0)
			break;
		if (n == 0)
			return -EIO;
		vectors->iov_base = (char *)vectors->iov_base + done;
		vectors->iov_len -= done;
	}
	return 0;
}

ssize_t queue_io_read_at(int fd, void *bytes, size_t len, uint64_t offset)
{
	int error = fault("read");
	return error != 0 ? error : fd_read_at(fd, bytes, len, offset);
}

int queue_io_writev_at(int fd, struct iovec *vectors, size_t count, uint64_t offset)
{
	int error = fault("write");
	return error != 0 ? error : write_vectors(fd, vectors, count, offset);
}

int queue_io_fdatasync(int fd)
{
	int error = fault("fdatasync");
	if (error != 0)
		return error;
	return fdatasync(fd) < 0 ? -errno : 0;
}

int queue_io_fsync(int fd)
{
	int error = fault("fsync");
	if (error != 0)
		return error;
	return fsync(fd) < 0 ? -errno : 0;
}

int queue_io_fsync_directory(int dir)
{
	int error = fault("fsync-directory");
	if (error != 0)
		return error;
	return fsync(dir) < 0 ? -errno : 0;
}

int queue_io_truncate(int fd, uint64_t size)
{
	int error = fault("truncate");
	if (error != 0)
		return error;
	return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

int queue_io_lock(int fd)
{
	int error = fault("lock");
	if (error != 0)
		return error;
	return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

static int rename_with(int dir, const char *from, const char *to, unsigned flags)
{
	int error = fault("rename");
	if (error != 0)
		return error;
	return renameat2(dir, from, dir, to, flags) < 0 ? -errno : 0;
}

int queue_io_rename_new(int dir, const char *from, const char *to)
{
	return rename_with(dir, from, to, RENAME_NOREPLACE);
}

int queue_io_rename(int dir, const char *from, const char *to)
{
	return rename_with(dir, from, to, 0);
}

int queue_io_zero(int fd, uint64_t from, uint64_t to)
{
	static char zeros[ZERO_PIECE];
	int error = from < to ? fault("write") : 0;
	while (error == 0 && from < to) {
		size_t piece = to - from < ZERO_PIECE ? (size_t)(to - from) : ZERO_PIECE;
		struct iovec vector = {.iov_base = zeros, .iov_len = piece};
		error = write_vectors(fd, &vector, 1, from);
		from += piece;
	}
	return error;
}

int queue_io_open_directory(const char *parent, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof path, "%s/%s", parent, name);
	if (n < 0 || (size_t)n >= sizeof path)
		return -ENAMETOOLONG;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
