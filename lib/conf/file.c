/* Reading a whole configuration file.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "conf/conf_private.h"

int conf_read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int result = fd < 0 ? -errno : 0;

	while (result == 0) {
		char chunk[16384];
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n == 0)
			break;
		if (n < 0) {
			result = errno == EINTR ? 0 : -errno;
			continue;
		}
		buf_append_bytes(out, chunk, (size_t)n);
		if (out->overflow)
			result = -EFBIG;
	}
	if (fd >= 0)
		close(fd);
	return result;
}
