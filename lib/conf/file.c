/* Reading a whole configuration file.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "conf/conf_private.h"
#include "sys/fd.h"

int conf_read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int result = fd_read_all(fd, out);
	close(fd);
	return result;
}
