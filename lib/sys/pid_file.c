/* The lock on pid/master.pid. flock(2) belongs to the open file: it ends with the process however
 * that ends, and children do not inherit it (close-on-exec).
 * SPDX-License-Identifier: ISC */
#include "sys/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/span.h"

static int open_pid_file(const char *directory, int flags)
{
	char path[4096];
	int n = snprintf(path, sizeof path, "%s/master.pid", directory);
	if (n < 0 || (size_t)n >= sizeof path)
		return -ENAMETOOLONG;
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0644);
	return fd < 0 ? -errno : fd;
}

int pid_file_lock(const char *directory)
{
	char text[64];
	int fd = open_pid_file(directory, O_RDWR | O_CREAT);
	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int error = errno;
		close(fd);
		return error == EWOULDBLOCK ? -EAGAIN : -error;
	}
	/* Padded as Postfix writes it, which scripts strip. */
	int n = snprintf(text, sizeof text, "%*lu\n", (int)(sizeof(unsigned long) * 4),
		(unsigned long)getpid());
	if (ftruncate(fd, 0) < 0 || write(fd, text, (size_t)n) != n || fchmod(fd, 0644) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

pid_t pid_file_holder(const char *directory)
{
	char text[64] = "";
	uint64_t pid = 0;
	int fd = open_pid_file(directory, O_RDONLY);
	if (fd < 0)
		return 0;
	bool locked = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	if (locked && read(fd, text, sizeof text - 1) > 0)
		(void)span_to_u64(span_trim(span_from_cstr(text)), INT32_MAX, &pid);
	close(fd);
	return (pid_t)pid;
}
