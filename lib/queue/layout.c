/* See layout.h.
 * SPDX-License-Identifier: ISC */
#include "queue/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

static const struct folder {
	const char *name;
	mode_t mode;
	bool drop; /* belongs to the group of postdrop */
} folders[] = {{"journal", 0700, false}, {"large", 0700, false}, {"ledger", 0700, false},
	{"corrupt", 0700, false}, {"maildrop", 01730, true}};

static int make_folder(int dir, const struct folder *folder, const struct queue_layout_owner *owner)
{
	bool made = mkdirat(dir, folder->name, 0700) == 0;
	if (!made && errno != EEXIST)
		return -errno;
	if (!made && owner == NULL)
		return 0;
	int fd = openat(dir, folder->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int error = 0;
	if (owner != NULL &&
		fchown(fd, owner->uid, folder->drop ? owner->drop_gid : owner->gid) < 0)
		error = -errno;
	if (error == 0 && made && fchmod(fd, folder->mode) < 0) /* mkdir obeys the umask */
		error = -errno;
	close(fd);
	return error;
}

int queue_layout_create(const char *queue_directory, const struct queue_layout_owner *owner)
{
	int dir = open(queue_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	int error = 0;
	for (size_t i = 0; i < ARRAY_LEN(folders) && error == 0; i++)
		error = make_folder(dir, &folders[i], owner);
	if (error == 0 && fsync(dir) < 0)
		error = -errno;
	close(dir);
	return error;
}
