/* See directory.h.
 * SPDX-License-Identifier: ISC */
#include "sys/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <string.h>
#include <unistd.h>

DIR *directory_open(int at_fd, const char *name)
{
	int fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	if (stream == NULL && fd >= 0) {
		int error = errno;
		close(fd);
		errno = error;
	}
	return stream;
}

static bool is_known(const char *name, const char *const *known)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return true;
	while (*known != NULL && strcmp(*known, name) != 0)
		known++;
	return *known != NULL;
}

static bool knows_all(int fd, const char *const *known)
{
	alignas(struct dirent64) char bytes[2048];
	ssize_t n;
	while ((n = getdents64(fd, bytes, sizeof(bytes))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *entry =
				(const struct dirent64 *)(const void *)(bytes + at);
			if (!is_known(entry->d_name, known))
				return false;
			at += entry->d_reclen;
		}
	}
	return n == 0;
}

bool directory_has_only(int at_fd, const char *name, const char *const *known)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
	int fd = openat(at_fd, name, flags | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = openat(at_fd, name, flags);
	bool good = fd >= 0 && knows_all(fd, known);
	if (fd >= 0)
		(void)close(fd);
	return good;
}
