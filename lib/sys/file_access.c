/* The registry of files that were opened before the walls closed.
 * SPDX-License-Identifier: ISC */
#include "sys/file_access.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

#define WATCHED_MAX 1000
#define GRANTED_MAX 64

static char *watched[WATCHED_MAX];
static size_t watched_count;
static struct {
	char *path;
	int fd;
} granted[GRANTED_MAX];
static size_t granted_count;
static bool sealed;

static int granted_fd(const char *path)
{
	for (size_t i = 0; i < granted_count; i++)
		if (strcmp(granted[i].path, path) == 0)
			return granted[i].fd;
	return -1;
}

int file_open_read(const char *path)
{
	file_watch(path);
	int fd = granted_fd(path);
	if (fd >= 0) {
		int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (copy < 0)
			return -errno;
		lseek(copy, 0, SEEK_SET);
		return copy;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

void file_watch(const char *path)
{
	if (sealed || watched_count == WATCHED_MAX)
		return;
	for (size_t i = 0; i < watched_count; i++)
		if (strcmp(watched[i], path) == 0)
			return;
	watched[watched_count++] = memory_dup_cstr(path);
}

void file_grant(const char *path, int fd_take)
{
	if (granted_count == GRANTED_MAX || granted_fd(path) >= 0) {
		close(fd_take);
		return;
	}
	granted[granted_count].path = memory_dup_cstr(path);
	granted[granted_count++].fd = fd_take;
}

bool file_is_granted(const char *path)
{
	return granted_fd(path) >= 0;
}

void file_access_seal(void)
{
	sealed = true;
}

bool file_access_is_sealed(void)
{
	return sealed;
}

size_t file_watched_count(void)
{
	return watched_count;
}

const char *file_watched_at(size_t index)
{
	return watched[index];
}
