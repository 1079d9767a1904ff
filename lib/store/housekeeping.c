/* What crashes leave behind: files under tmp/ that nobody finished (after 36 hours, as Maildir has
 * it), folders that were being made or deleted.
 * SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/folder_private.h"
#include "sys/directory.h"

#define UNFINISHED_SECONDS (36 * 3600)
#define FILES_AT_ONCE 10000

static bool is_old(int dir_fd, const char *name, mode_t kind)
{
	struct stat st;
	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == kind
		&& st.st_mtime < time(NULL) - UNFINISHED_SECONDS
		&& st.st_ctime < time(NULL) - UNFINISHED_SECONDS;
}

static void clean_tmp(int dir_fd)
{
	DIR *dir = directory_open(dir_fd, "tmp");
	struct dirent *entry;
	for (int i = 0; dir != NULL && i < FILES_AT_ONCE && (entry = readdir(dir)) != NULL; i++)
		if (entry->d_name[0] != '.' && is_old(dirfd(dir), entry->d_name, S_IFREG))
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir != NULL)
		(void)closedir(dir);
}

static void clean_root(int root_fd)
{
	DIR *dir = directory_open(root_fd, ".");
	struct dirent *entry;
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if ((strncmp(entry->d_name, "tambo-deleted-", 14) == 0
			|| strncmp(entry->d_name, "tambo-making-", 13) == 0)
			&& is_old(root_fd, entry->d_name, S_IFDIR))
			folder_remove(root_fd, entry->d_name);
	if (dir != NULL)
		(void)closedir(dir);
}

static void clean_in_pool(void *arg)
{
	const struct folder *folder = arg;
	clean_tmp(folder->dir_fd);
	if (folder->dir[0] == '\0')
		clean_root(folder->dir_fd);
}

void folder_clean(struct folder *folder)
{
	task_offload(clean_in_pool, folder);
}
