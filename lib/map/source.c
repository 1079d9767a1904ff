/* Files of tables: opened by path or through the process's opener, watched for change.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "map/map_private.h"
#include "sys/file_access.h"

#define CHECK_INTERVAL 1000 /* ms */

static int (*opener)(const char *path);

void map_set_opener(int (*open_file)(const char *path))
{
	opener = open_file;
}

bool map_has_opener(void)
{
	return opener != NULL;
}

/* Not task_now: commands have no loop, and a fake clock must not hide a changed file. */
int64_t map_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Files of root come as descriptors from master, which also watches what a sealed process opened:
 * see sys/file_access.h. */
static int open_path(const char *path)
{
	int fd = file_open_read(path);

	return fd >= 0 || opener == NULL ? fd : opener(path);
}

int map_source_open(struct map_source *source)
{
	int fd;

	/* Set first: an opener may wait, and another task may look at this table meanwhile. */
	source->next_check = map_clock() + CHECK_INTERVAL;
	fd = open_path(source->path);
	source->failed = fd < 0 || fstat(fd, &source->seen) != 0;
	return fd;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool map_source_changed(struct map_source *source)
{
	int64_t now = map_clock();
	struct stat st;

	if (now < source->next_check)
		return false;
	source->next_check = now + CHECK_INTERVAL;
	/* A sealed process cannot look, and of a file that was handed over it has only the old
	 * descriptor: master replaces the process when such a file changes. */
	if (file_access_is_sealed() || file_is_granted(source->path))
		return false;
	/* A file that is gone for a moment is no change. */
	if (stat(source->path, &st) != 0)
		return false;
	return source->failed || !is_same_file(&st, &source->seen);
}

void map_source_done(struct map_source *source)
{
	free(source->path);
	source->path = NULL;
}
