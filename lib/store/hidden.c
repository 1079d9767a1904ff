/* See hidden.h.
 * SPDX-License-Identifier: ISC */
#include "store/hidden.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "imap/utf7.h"
#include "store/file_private.h"
#include "store/folder_private.h"
#include "store/name_private.h"
#include "sys/directory.h"

static bool is_hidden(const struct store *store, const char *folder)
{
	struct buf name = BUF_INIT(STORE_NAME_MAX);
	bool hidden = folder[0] == '.' && strcmp(folder, ".") != 0 && strcmp(folder, "..") != 0
		&& !name_from_folder(span_from_cstr(folder), &name)
		&& tree_has_mailbox(store->root_fd, folder);
	buf_done(&name);
	return hidden;
}

static void look_at(struct store *store, const char *folder, bool rename,
	void (*tell)(const char *folder, struct span name, int error))
{
	struct buf to = BUF_INIT(STORE_NAME_MAX), name = BUF_INIT(STORE_NAME_MAX);
	int error = 0;
	buf_append_char(&to, '.');
	bool has_name = imap_utf7_encode(span_from_cstr(folder + 1), &to) && !to.overflow
		&& name_from_folder(buf_span(&to), &name);
	if (has_name && rename && renameat2(store->root_fd, folder, store->root_fd,
		buf_cstr(&to), RENAME_NOREPLACE) != 0)
		error = -errno;
	tell(folder, has_name ? buf_span(&name) : SPAN_EMPTY, error);
	buf_done(&to);
	buf_done(&name);
}

int store_hidden(struct store *store, bool rename,
	void (*tell)(const char *folder, struct span name, int error))
{
	int error = tree_lock(store);
	if (error != 0)
		return error;
	DIR *dir = directory_open(store->root_fd, ".");
	struct dirent *entry;
	error = dir == NULL ? -errno : 0;
	while (error == 0 && (entry = readdir(dir)) != NULL)
		if (is_hidden(store, entry->d_name))
			look_at(store, entry->d_name, rename, tell);
	if (dir != NULL)
		(void)closedir(dir);
	if (error == 0 && rename)
		error = file_sync_dir_at(store->root_fd, ".");
	tree_unlock(store);
	return error;
}
