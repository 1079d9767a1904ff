/* The folders of a store: list, create, delete, rename, status; see store.h.
 * SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/file_private.h"
#include "store/mailbox_private.h"
#include "store/name_private.h"
#include "store/subscription_private.h"
#include "sys/directory.h"

#define TREE_LOCK_FILE "tambo-lock-tree"
#define DELETED_PREFIX "tambo-deleted-"

int tree_lock(struct store *store)
{
	if (task_self() != NULL) {
		int error = task_lock_take(&store->tree, task_deadline(30000));
		if (error != 0)
			return error;
	}
	store->tree_fd = openat(store->root_fd, TREE_LOCK_FILE,
		O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error = store->tree_fd < 0 ? -errno : file_lock(store->tree_fd);
	if (error != 0) {
		file_close(&store->tree_fd);
		if (task_self() != NULL)
			task_lock_release(&store->tree);
	}
	return error;
}

void tree_unlock(struct store *store)
{
	file_close(&store->tree_fd);
	if (task_self() != NULL)
		task_lock_release(&store->tree);
}

/* --- list --- */

struct list {
	struct arena *arena;
	struct store_entry *entries;
	size_t count, room;
};

static int add_entry(struct list *list, struct span name, uint32_t flags)
{
	if (list->count == list->room) {
		size_t room = list->room == 0 ? 64 : list->room * 2;
		list->entries = arena_grow(list->arena, list->entries, list->count, room,
			sizeof(*list->entries));
		list->room = room;
	}
	if (list->entries == NULL)
		return -ENOMEM;
	list->entries[list->count++] = (struct store_entry){arena_dup(list->arena, name), flags,
		STORE_USE_NONE};
	return list->arena->overflow ? -ENOMEM : 0;
}

/* The levels above name, which exist only through it; duplicates are merged later. */
static int add_parents(struct list *list, struct span name, uint32_t flags)
{
	for (size_t i = 1; i < name.len; i++)
		if (name.ptr[i] == STORE_SEPARATOR) {
			int error = add_entry(list, span_head(name, i), flags);
			if (error != 0)
				return error;
		}
	return 0;
}

/* INBOX first, then by name so that children follow their parent. */
static int compare_names(struct span a, struct span b)
{
	bool a_inbox = span_equal(a, SPAN("INBOX")), b_inbox = span_equal(b, SPAN("INBOX"));
	if (a_inbox != b_inbox)
		return a_inbox ? -1 : 1;
	size_t shorter = a.len < b.len ? a.len : b.len;
	for (size_t i = 0; i < shorter; i++) {
		/* The separator sorts before every other character. */
		int left = a.ptr[i] == STORE_SEPARATOR ? 0 : (unsigned char)a.ptr[i];
		int right = b.ptr[i] == STORE_SEPARATOR ? 0 : (unsigned char)b.ptr[i];
		if (left != right)
			return left - right;
	}
	return a.len < b.len ? -1 : a.len > b.len;
}

static int compare_entries(const void *left, const void *right)
{
	const struct store_entry *a = left, *b = right;
	return compare_names(a->name, b->name);
}

static void merge(struct list *list)
{
	size_t kept = 0;
	if (list->count > 0)
		qsort(list->entries, list->count, sizeof(*list->entries), compare_entries);
	for (size_t i = 0; i < list->count; i++) {
		if (kept > 0 && span_equal(list->entries[kept - 1].name, list->entries[i].name))
			list->entries[kept - 1].flags |= list->entries[i].flags;
		else
			list->entries[kept++] = list->entries[i];
	}
	list->count = kept;
	for (size_t i = 0; i < kept; i++)
		if ((list->entries[i].flags & STORE_EXISTS) != 0)
			list->entries[i].use = name_use(list->entries[i].name);
}

bool tree_has_mailbox(int root_fd, const char *dir)
{
	struct stat st;
	char path[300];
	(void)snprintf(path, sizeof(path), "%s/cur", dir);
	return fstatat(root_fd, dir, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)
		&& fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int list_folders(struct store *store, struct list *list)
{
	DIR *dir = directory_open(store->root_fd, ".");
	if (dir == NULL)
		return -errno;
	int error = add_entry(list, SPAN("INBOX"), STORE_EXISTS);
	struct dirent *entry;
	size_t found = 0;
	while (error == 0 && (entry = readdir(dir)) != NULL) {
		struct buf name = BUF_INIT(STORE_NAME_MAX);
		if (entry->d_name[0] == '.' && name_from_folder(span_from_cstr(entry->d_name), &name)
			&& tree_has_mailbox(store->root_fd, entry->d_name)) {
			error = ++found > STORE_MAILBOXES_MAX ? -E2BIG
				: add_entry(list, buf_span(&name), STORE_EXISTS);
			if (error == 0)
				error = add_parents(list, buf_span(&name), STORE_HAS_CHILDREN);
		}
		buf_done(&name);
	}
	(void)closedir(dir);
	return error;
}

static int list_subscribed(struct store *store, struct list *list)
{
	struct subscriptions s;
	int error = subscriptions_load(store, list->arena, &s);
	for (size_t i = 0; error == 0 && i < s.count; i++) {
		error = add_entry(list, s.names[i], STORE_SUBSCRIBED);
		if (error == 0)
			error = add_parents(list, s.names[i], STORE_CHILD_SUBSCRIBED);
	}
	return error;
}

int store_list(struct store *store, struct arena *arena, struct store_entry **ret_entries,
	size_t *ret_count)
{
	struct list list = {.arena = arena};
	int error = list_folders(store, &list);
	if (error == 0)
		error = list_subscribed(store, &list);
	if (error != 0)
		return error;
	merge(&list);
	*ret_entries = list.entries;
	*ret_count = list.count;
	return 0;
}

/* --- create --- */

static struct span without_separator(struct span name)
{
	if (name.len > 1 && name.ptr[name.len - 1] == STORE_SEPARATOR)
		name.len--;
	return name;
}

static int to_folder(struct span name, struct buf *dir)
{
	return name_to_folder(without_separator(name), dir) ? 0 : -EINVAL;
}

int store_exists(struct store *store, struct span name)
{
	struct buf dir = BUF_INIT(STORE_NAME_MAX);
	int error = to_folder(name, &dir);
	if (error == 0 && dir.len > 0 && !tree_has_mailbox(store->root_fd, buf_cstr(&dir)))
		error = -ENOENT;
	buf_done(&dir);
	return error;
}

static int count_folders(struct store *store, size_t *ret_count)
{
	DIR *dir = directory_open(store->root_fd, ".");
	struct dirent *entry;
	if (dir == NULL)
		return -errno;
	*ret_count = 0;
	while ((entry = readdir(dir)) != NULL)
		*ret_count += entry->d_name[0] == '.';
	(void)closedir(dir);
	return 0;
}

/* Built under another name, then renamed: a mailbox is whole or not there. */
static int make_folder(struct store *store, const char *dir)
{
	static const char *const subs[] = {"", "/tmp", "/new", "/cur"};
	char path[300], temporary[64];
	(void)snprintf(temporary, sizeof(temporary), "tambo-making-%d", (int)getpid());
	int error = 0;
	for (size_t i = 0; error == 0 && i < 4; i++) {
		(void)snprintf(path, sizeof(path), "%s%s", temporary, subs[i]);
		if (mkdirat(store->root_fd, path, 0700) != 0 && errno != EEXIST)
			error = -errno;
	}
	(void)snprintf(path, sizeof(path), "%s/maildirfolder", temporary);
	int fd = error != 0 ? -1 : openat(store->root_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (error == 0 && fd < 0)
		error = -errno;
	if (fd >= 0)
		(void)close(fd);
	if (error == 0 &&
		renameat2(store->root_fd, temporary, store->root_fd, dir, RENAME_NOREPLACE) != 0)
		error = -errno;
	/* DURABLE: the new mailbox before OK. */
	if (error == 0)
		error = file_sync(store->root_fd);
	return error;
}

/* A UIDVALIDITY of its own, above that of a mailbox of this name that was deleted. */
static int begin(struct store *store, struct span dir)
{
	struct folder *folder;
	int error = folder_get(store, dir, &folder);
	if (error != 0)
		return error;
	/* An index that fails is dropped, and does not know the folder any more. */
	error = -EIO;
	for (int attempt = 0; attempt < 3 && error == -EIO; attempt++) {
		struct index_txn txn;
		error = index_begin(store->index, true, &txn);
		if (error == 0) {
			index_delete_folder(&txn, dir);
			error = index_commit(&txn);
		}
	}
	if (error == 0)
		error = folder_lock(folder);
	if (error == 0)
		folder_unlock(folder);
	folder_release(folder);
	return error;
}

/* A mailbox whose begin failed (a full disk) is not there: the next CREATE makes it anew. What has
 * come into it meanwhile stays. */
static void take_back(struct store *store, const char *dir)
{
	static const char *const subs[] = {"new", "cur", "tmp"};
	char path[300];
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, subs[i]);
		if (unlinkat(store->root_fd, path, AT_REMOVEDIR) != 0)
			return;
	}
	folder_remove(store->root_fd, dir);
}

int store_create(struct store *store, struct span name)
{
	struct buf dir = BUF_INIT(STORE_NAME_MAX);
	size_t count = 0;
	int error = to_folder(name, &dir);
	if (error == 0 && dir.len == 0)
		error = -EEXIST;
	if (error == 0)
		error = tree_lock(store);
	if (error == 0) {
		error = count_folders(store, &count);
		if (error == 0 && count >= STORE_MAILBOXES_MAX)
			error = -E2BIG;
		if (error == 0)
			error = make_folder(store, buf_cstr(&dir));
		if (error == 0) {
			error = begin(store, buf_span(&dir));
			if (error != 0)
				take_back(store, buf_cstr(&dir));
		}
		tree_unlock(store);
	}
	buf_done(&dir);
	return error;
}

/* --- delete --- */

static int empty_folder(int dir_fd, unsigned depth)
{
	DIR *dir = fdopendir(dir_fd);
	struct dirent *entry;
	int error = 0;
	if (dir == NULL) {
		(void)close(dir_fd);
		return -ENOMEM;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) == 0)
			continue;
		int sub = errno == EISDIR || errno == EPERM ? openat(dirfd(dir), entry->d_name,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
		if (sub < 0 || depth == 0) {
			error = -EIO;
			if (sub >= 0)
				(void)close(sub);
			continue;
		}
		int failed = empty_folder(sub, depth - 1);
		if (failed != 0 || unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) != 0)
			error = failed != 0 ? failed : -errno;
	}
	(void)closedir(dir);
	return error;
}

struct removal {
	int root_fd;
	const char *name;
};

void folder_remove(int root_fd, const char *name)
{
	int fd = openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && empty_folder(fd, 4) == 0)
		(void)unlinkat(root_fd, name, AT_REMOVEDIR);
}

static void remove_in_pool(void *arg)
{
	const struct removal *removal = arg;
	folder_remove(removal->root_fd, removal->name);
}

static int delete_locked(struct store *store, struct span dir_span, const char *dir)
{
	char away[64];
	struct folder *folder;
	/* Who works in the mailbox finishes first; afterwards it finds the folder gone. */
	int error = folder_get(store, dir_span, &folder);
	if (error != 0)
		return error;
	error = folder_lock(folder);
	if (error == 0) {
		(void)snprintf(away, sizeof(away), DELETED_PREFIX "%lld-%d",
			(long long)file_now_ns(), (int)getpid());
		if (renameat(store->root_fd, dir, store->root_fd, away) != 0)
			error = -errno;
		folder_signal(folder);
		folder_unlock(folder);
	}
	folder_release(folder);
	if (error != 0)
		return error;
	error = file_sync(store->root_fd);
	struct index_txn txn;
	struct index_folder row;
	if (index_begin(store->index, true, &txn) == 0) {
		if (index_get_folder(&txn, dir_span, &row))
			(void)index_wipe(&txn, row.id, 10000);
		index_delete_folder(&txn, dir_span);
		(void)index_commit(&txn);
	}
	struct removal removal = {store->root_fd, away};
	task_offload(remove_in_pool, &removal);
	return error;
}

int store_delete(struct store *store, struct span name)
{
	struct buf dir = BUF_INIT(STORE_NAME_MAX);
	int error = to_folder(name, &dir);
	if (error == 0 && dir.len == 0)
		error = -EPERM;
	if (error == 0)
		error = tree_lock(store);
	if (error == 0) {
		error = tree_has_mailbox(store->root_fd, buf_cstr(&dir))
			? delete_locked(store, buf_span(&dir), buf_cstr(&dir)) : -ENOENT;
		tree_unlock(store);
	}
	buf_done(&dir);
	return error;
}

/* --- rename --- */

static int rename_one(struct store *store, const char *from, const char *to)
{
	struct folder *folder;
	int error = folder_get(store, span_from_cstr(from), &folder);
	if (error != 0)
		return error;
	error = folder_lock(folder);
	if (error == 0) {
		if (renameat2(store->root_fd, from, store->root_fd, to, RENAME_NOREPLACE) != 0)
			error = -errno;
		folder_signal(folder);
		folder_unlock(folder);
	}
	folder_release(folder);
	struct index_txn txn;
	struct index_folder row;
	if (error == 0 && index_begin(store->index, true, &txn) == 0) {
		if (index_get_folder(&txn, span_from_cstr(from), &row)) {
			index_delete_folder(&txn, span_from_cstr(from));
			index_put_folder(&txn, span_from_cstr(to), &row);
		}
		(void)index_commit(&txn);
	}
	return error;
}

/* Moves `from` and what is below it. Targets were found free. */
static int rename_tree(struct store *store, struct span from, struct span to, bool only_check)
{
	DIR *dir = directory_open(store->root_fd, ".");
	struct dirent *entry;
	struct arena arena;
	int error = dir == NULL ? -errno : 0;
	size_t count = 0;
	char *names[1024];
	arena_init(&arena, 1UL << 20);
	while (error == 0 && (entry = readdir(dir)) != NULL) {
		struct span name = span_from_cstr(entry->d_name);
		bool inside = span_starts_with(name, from)
			&& (name.len == from.len || name.ptr[from.len] == '.');
		if (inside && count == 1024)
			error = -E2BIG;
		else if (inside)
			names[count++] = arena_dup_cstr(&arena, name);
	}
	if (dir != NULL)
		(void)closedir(dir);
	if (error == 0 && count == 0)
		error = -ENOENT;
	for (size_t i = 0; error == 0 && i < count; i++) {
		struct buf target = BUF_INIT(STORE_NAME_MAX);
		struct stat st;
		buf_append(&target, to);
		buf_append_cstr(&target, names[i] + from.len);
		if (target.overflow)
			error = -EINVAL;
		else if (only_check)
			error = fstatat(store->root_fd, buf_cstr(&target), &st, AT_SYMLINK_NOFOLLOW) == 0
				? -EEXIST : 0;
		else
			error = rename_one(store, names[i], buf_cstr(&target));
		buf_done(&target);
	}
	arena_done(&arena);
	return error;
}

/* INBOX stays: its messages move (RFC 3501 6.3.5). */
static int rename_inbox(struct store *store, const char *to)
{
	struct mailbox *inbox;
	struct copy_result result;
	struct buf name = BUF_INIT(STORE_NAME_MAX);
	int error = make_folder(store, to);
	if (error == 0)
		error = begin(store, span_from_cstr(to));
	if (error == 0)
		error = mailbox_open(store, SPAN("INBOX"), 0, &inbox);
	if (error != 0)
		return error;
	(void)name_from_folder(span_from_cstr(to), &name);
	size_t count = mailbox_count(inbox);
	uint32_t *uids = memory_zalloc(count + 1, sizeof(*uids));
	for (size_t i = 0; i < count; i++)
		uids[i] = mailbox_at(inbox, i)->uid;
	error = mailbox_copy(inbox, uids, count, buf_span(&name), true, &result);
	if (error == 0)
		copy_result_done(&result);
	free(uids);
	buf_done(&name);
	mailbox_close(inbox);
	return error;
}

static int rename_locked(struct store *store, struct buf *from, struct buf *to)
{
	if (tree_has_mailbox(store->root_fd, buf_cstr(to)))
		return -EEXIST;
	if (from->len == 0)
		return rename_inbox(store, buf_cstr(to));
	int error = rename_tree(store, buf_span(from), buf_span(to), true);
	if (error == 0)
		error = rename_tree(store, buf_span(from), buf_span(to), false);
	/* DURABLE: all names at once. */
	return error != 0 ? error : file_sync(store->root_fd);
}

int store_rename(struct store *store, struct span from_name, struct span to_name)
{
	struct buf from = BUF_INIT(STORE_NAME_MAX), to = BUF_INIT(STORE_NAME_MAX);
	int error = to_folder(from_name, &from);
	if (error == 0)
		error = to_folder(to_name, &to);
	if (error == 0 && to.len == 0)
		error = -EEXIST;
	/* Not into itself. */
	if (error == 0 && from.len > 0 && span_starts_with(buf_span(&to), buf_span(&from))
		&& (to.len == from.len || to.ptr[from.len] == '.'))
		error = to.len == from.len ? -EEXIST : -EINVAL;
	if (error == 0)
		error = tree_lock(store);
	if (error == 0) {
		error = rename_locked(store, &from, &to);
		tree_unlock(store);
	}
	buf_done(&from);
	buf_done(&to);
	return error;
}

/* --- status --- */

static int read_status(struct folder *folder, struct mailbox_status *ret_status)
{
	struct index_folder row;
	int error = folder_read_row(folder, &row);
	if (error != 0)
		return error == -ENOENT ? -EIO : error;
	*ret_status = (struct mailbox_status){
		.exists = row.exists, .recent = row.recent, .unseen = row.unseen,
		.deleted = row.deleted, .uidvalidity = row.uidvalidity, .uidnext = row.uidnext,
		.highestmodseq = row.highestmodseq, .size = row.size, .size_known = row.unsized == 0,
	};
	return 0;
}

int store_status(struct store *store, struct span name, struct mailbox_status *ret_status)
{
	struct folder *folder;
	int error = folder_get_by_name(store, without_separator(name), &folder);
	if (error != 0)
		return error;
	for (int attempt = 0; attempt < 3; attempt++) {
		error = folder_refresh(folder);
		if (error == 0)
			error = read_status(folder, ret_status);
		if (error != -EIO)
			break;
	}
	folder_release(folder);
	return error;
}
