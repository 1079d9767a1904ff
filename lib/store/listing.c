/* Reading the file names of new/ and cur/; see scan_private.h.
 * SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/file_private.h"
#include "store/scan_private.h"
#include "sys/directory.h"

#define LISTING_MEMORY_MAX (1UL << 30)
/* A folder that changed less than this before it was read may have changed again in the same tick
 * of the kernel's coarse clock: it will be read once more. */
#define MTIME_TICK_NS 20000000

void listing_init(struct listing *listing)
{
	*listing = (struct listing){0};
	arena_init(&listing->arena, LISTING_MEMORY_MAX);
}

void listing_done(struct listing *listing)
{
	arena_done(&listing->arena);
}

static int add(struct listing *listing, const char *name, bool in_new)
{
	struct found found = {.in_new = in_new};
	struct filename parsed;
	if (!filename_parse(span_from_cstr(name), &parsed))
		return 0;
	if (listing->count == listing->room) {
		size_t room = listing->room == 0 ? 256 : listing->room * 2;
		struct found *items = arena_grow(&listing->arena, listing->items, listing->count, room,
			sizeof(struct found));
		if (items == NULL)
			return -ENOMEM;
		listing->items = items;
		listing->room = room;
	}
	found.name = arena_dup(&listing->arena, span_from_cstr(name));
	if (listing->arena.overflow)
		return -ENOMEM;
	/* Again, so that the spans point into the copy. */
	(void)filename_parse(found.name, &found.parsed);
	listing->items[listing->count++] = found;
	return 0;
}

static bool is_file(int dir_fd, const struct dirent *entry)
{
	struct stat st;
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_REG;
	return fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static int read_sub(struct folder *folder, struct listing *listing, bool in_new)
{
	DIR *dir = directory_open(folder->dir_fd, in_new ? "new" : "cur");
	if (dir == NULL)
		return -errno;
	int error = 0;
	while (error == 0) {
		errno = 0;
		struct dirent *entry = readdir(dir);
		if (entry == NULL) {
			error = -errno;
			break;
		}
		if (entry->d_name[0] != '.' && is_file(dirfd(dir), entry))
			error = add(listing, entry->d_name, in_new);
	}
	(void)closedir(dir);
	return error;
}

struct reading {
	struct folder *folder;
	struct listing *listing;
	int error;
};

static int64_t trusted(int64_t mtime, int64_t now)
{
	return mtime >= 0 && now - mtime > MTIME_TICK_NS ? mtime : 0;
}

static void read_in_pool(void *arg)
{
	struct reading *reading = arg;
	int64_t now = file_now_ns();
	reading->listing->new_mtime = trusted(folder_mtime(reading->folder, "new"), now);
	reading->listing->cur_mtime = trusted(folder_mtime(reading->folder, "cur"), now);
	reading->error = read_sub(reading->folder, reading->listing, true);
	if (reading->error == 0)
		reading->error = read_sub(reading->folder, reading->listing, false);
}

int listing_read(struct folder *folder, struct listing *listing)
{
	struct reading reading = {folder, listing, 0};
	task_offload(read_in_pool, &reading);
	return reading.error;
}
