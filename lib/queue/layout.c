/* See layout.h.
 * SPDX-License-Identifier: ISC */
#include "queue/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

int queue_layout_create(const char *queue_directory)
{
	static const struct {
		const char *name;
		mode_t mode;
	} folders[] = {{"journal", 0700}, {"large", 0700}, {"ledger", 0700}, {"corrupt", 0700},
		{"maildrop", 01730}};
	int dir = open(queue_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	int error = 0;
	for (size_t i = 0; i < ARRAY_LEN(folders) && error == 0; i++) {
		if (mkdirat(dir, folders[i].name, folders[i].mode) == 0) {
			/* mkdir obeys the umask */
			if (fchmodat(dir, folders[i].name, folders[i].mode, 0) < 0)
				error = -errno;
		} else if (errno != EEXIST) {
			error = -errno;
		}
	}
	if (error == 0 && fsync(dir) < 0)
		error = -errno;
	close(dir);
	return error;
}
