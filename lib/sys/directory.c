/* See directory.h.
 * SPDX-License-Identifier: ISC */
#include "sys/directory.h"

#include <errno.h>
#include <fcntl.h>
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
