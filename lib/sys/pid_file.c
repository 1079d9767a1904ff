/* The lock on pid/master.pid. flock(2) belongs to the open file: it ends with the process however
 * that ends, and children lose it when they begin their program (close-on-exec).
 * SPDX-License-Identifier: ISC */
#include "sys/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/span.h"

#define WAIT_MS 50
#define WAITS 60

static int open_pid_file(const char *directory, int flags)
{
	char path[4096];
	int n = snprintf(path, sizeof path, "%s/master.pid", directory);
	if (n < 0 || (size_t)n >= sizeof path)
		return -ENAMETOOLONG;
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0644);
	return fd < 0 ? -errno : fd;
}

static pid_t read_pid(int fd)
{
	char text[64] = "";
	uint64_t pid = 0;
	if (pread(fd, text, sizeof text - 1, 0) > 0)
		(void)span_to_u64(span_trim(span_from_cstr(text)), INT32_MAX, &pid);
	return (pid_t)pid;
}

/* A holder that was killed just now may have a child that has not yet begun its program. */
static int take_lock(int fd)
{
	const struct timespec pause = {.tv_nsec = WAIT_MS * 1000 * 1000};
	for (int waits = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waits++) {
		if (errno != EWOULDBLOCK)
			return -errno;
		pid_t holder = read_pid(fd);
		if (waits == WAITS || holder <= 0 || kill(holder, 0) == 0 || errno != ESRCH)
			return -EAGAIN;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

int pid_file_lock(const char *directory)
{
	char text[64];
	int fd = open_pid_file(directory, O_RDWR | O_CREAT);
	if (fd < 0)
		return fd;
	int error = take_lock(fd);
	if (error != 0) {
		close(fd);
		return error;
	}
	/* Padded as Postfix writes it, which scripts strip. */
	int n = snprintf(text, sizeof text, "%*lu\n", (int)(sizeof(unsigned long) * 4),
		(unsigned long)getpid());
	if (ftruncate(fd, 0) < 0 || write(fd, text, (size_t)n) != n || fchmod(fd, 0644) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

pid_t pid_file_holder(const char *directory)
{
	int fd = open_pid_file(directory, O_RDONLY);
	if (fd < 0)
		return 0;
	bool locked = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	pid_t pid = locked ? read_pid(fd) : 0;
	close(fd);
	return pid;
}
