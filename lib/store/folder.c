/* One mailbox of this process: opening, locking, its record; see folder_private.h. Scanning is in
 * scan.c, the begin of a life in folder_life.c.
 * SPDX-License-Identifier: ISC */
#include "store/folder_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "store/file_private.h"
#include "store/filename.h"
#include "store/mailbox_private.h"
#include "store/name_private.h"
#include "store/scan_private.h"

#define IDLE_FOLDERS_MAX 16
#define UID_BLOCK 256
#define ARRIVALS_FLAGS (O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
#define LOCK_DEADLINE_MS 30000

struct span folder_dir(const struct folder *folder)
{
	return span_from_cstr(folder->dir);
}

static void free_folder(struct folder *folder)
{
	watch_remove(folder);
	view_spare_free(folder);
	list_remove(&folder->node);
	if (!folder->is_root)
		file_close(&folder->dir_fd);
	if (folder->arrivals_fd != folder->lock_fd)
		file_close(&folder->arrivals_fd);
	file_close(&folder->lock_fd);
	record_done(&folder->record);
	free(folder->dir);
	free(folder);
}

/* Folders nobody uses are kept for the next delivery, but not too many. */
static void trim_idle(struct store *store)
{
	size_t idle = 0;
	LIST_FOREACH(node, &store->folders) {
		struct folder *folder = LIST_ENTRY(node, struct folder, node);
		if (folder->refs == 0 && ++idle > IDLE_FOLDERS_MAX)
			free_folder(folder);
	}
}

void folder_release(struct folder *folder)
{
	if (folder == NULL)
		return;
	CHECK(folder->refs > 0);
	if (--folder->refs > 0)
		return;
	struct store *store = folder->store;
	if (store == NULL) {
		free_folder(folder);
		return;
	}
	list_remove(&folder->node);
	list_prepend(&store->folders, &folder->node);
	trim_idle(store);
}

static const char *path_of(const char *dir)
{
	return dir[0] == '\0' ? "." : dir;
}

static bool is_current(const struct folder *folder)
{
	struct stat st;
	/* The root is what root_fd says, wherever it stands now. */
	if (folder->dir[0] == '\0')
		return true;
	return fstatat(folder->store->root_fd, path_of(folder->dir), &st, AT_SYMLINK_NOFOLLOW) == 0
		&& S_ISDIR(st.st_mode) && st.st_ino == folder->inode;
}

/* The Maildir itself: a descriptor and its inode. */
static int open_dir(const struct store *store, const char *dir, ino_t *ret_inode)
{
	struct stat st;
	int fd;
	if (dir[0] == '\0') {
		/* It was looked at when the store was opened. */
		*ret_inode = store->inode;
		return store->root_fd;
	}
	/* O_NOFOLLOW: a link could lead into another person's mail. */
	fd = openat(store->root_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? -ENOENT : -errno;
	if (fstat(fd, &st) != 0 || faccessat(fd, "cur", F_OK, 0) != 0) {
		int error = -errno;
		(void)close(fd);
		return error;
	}
	/* A copy of a Maildir may be without its empty folders. Where they cannot be made, what needs
	 * them says so. */
	(void)store_make_maildir(fd);
	*ret_inode = st.st_ino;
	return fd;
}

static int open_folder(struct store *store, const char *dir, struct folder **ret_folder)
{
	ino_t inode = 0;
	struct stat st = {0};
	int fd = open_dir(store, dir, &inode);
	if (fd < 0)
		return fd;
	int lock_fd = openat(fd, ARRIVALS_FILE, ARRIVALS_FLAGS | O_RDWR | O_CREAT, 0600);
	/* Where nobody can write, nobody needs to be kept out. */
	if ((lock_fd < 0 && errno != EROFS) || (lock_fd >= 0 && fstat(lock_fd, &st) != 0)) {
		int error = -errno;
		file_close(&lock_fd);
		if (dir[0] != '\0')
			(void)close(fd);
		return error;
	}
	int arrivals_fd = lock_fd >= 0 ? lock_fd : openat(fd, ARRIVALS_FILE, ARRIVALS_FLAGS);
	if (lock_fd < 0 && arrivals_fd >= 0 && fstat(arrivals_fd, &st) != 0)
		file_close(&arrivals_fd);
	struct folder *folder = NEW(struct folder);
	folder->store = store;
	folder->dir = memory_dup_cstr(dir);
	folder->dir_fd = fd;
	folder->is_root = dir[0] == '\0';
	folder->lock_fd = lock_fd;
	folder->arrivals_fd = arrivals_fd;
	folder->lock_inode = st.st_ino;
	folder->inode = inode;
	folder->watch_new = folder->watch_cur = -1;
	record_init(&folder->record);
	task_lock_init(&folder->busy);
	list_init(&folder->views);
	list_init(&folder->unwatched);
	list_append(&store->folders, &folder->node);
	*ret_folder = folder;
	return 0;
}

int folder_get(struct store *store, struct span dir, struct folder **ret_folder)
{
	LIST_FOREACH(node, &store->folders) {
		struct folder *folder = LIST_ENTRY(node, struct folder, node);
		if (span_equal(folder_dir(folder), dir) && is_current(folder)) {
			folder->refs++;
			*ret_folder = folder;
			return 0;
		}
	}
	char *name = span_dup_cstr(dir);
	struct folder *folder = NULL;
	int error = open_folder(store, name, &folder);
	free(name);
	if (error == 0) {
		folder->refs = 1;
		*ret_folder = folder;
	}
	return error;
}

int folder_get_by_name(struct store *store, struct span name, struct folder **ret_folder)
{
	struct buf dir = BUF_INIT(STORE_NAME_MAX);
	int error = -EINVAL;
	if (name_to_folder(name, &dir))
		error = folder_get(store, buf_span(&dir), ret_folder);
	buf_done(&dir);
	return error;
}

/* Where there was no room for tambo-mailbox. */
static int load_told(struct folder *folder)
{
	struct arrivals_head head;
	int error = arrivals_told(folder, &head);
	if (error != 0)
		return error;
	record_done(&folder->record);
	folder->record.uidvalidity = head.uidvalidity;
	folder->record.uidnext_mark = head.uidnext;
	folder->record_inode = 0;
	folder->is_told = true;
	return 0;
}

/* There may be room now. */
static void save_told(struct folder *folder)
{
	struct index_folder row;
	bool known = folder_read_row(folder, &row) == 0;
	if (folder_save_record(folder, known ? row.highestmodseq : 0) == 0)
		(void)arrivals_end_unseen(folder);
}

static bool is_record_current(const struct folder *folder, const struct stat *st)
{
	return folder->record.uidvalidity != 0 && st->st_ino == folder->record_inode
		&& file_mtime_ns(st) == folder->record_mtime;
}

int folder_load_record(struct folder *folder)
{
	struct stat st;
	folder->is_told = false;
	if (fstatat(folder->dir_fd, RECORD_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? load_told(folder) : -errno;
	if (is_record_current(folder, &st))
		return 0;
	struct buf text = BUF_INIT(RECORD_SIZE_MAX);
	int error = file_read_at(folder->dir_fd, RECORD_FILE, &text);
	if (error == 0 && !record_parse(buf_span(&text), &folder->record))
		error = -ENOENT;
	buf_done(&text);
	/* One that could not be read is not what was read before. */
	folder->record_inode = error == 0 ? st.st_ino : 0;
	folder->record_mtime = file_mtime_ns(&st);
	return error;
}

int folder_save_record(struct folder *folder, uint64_t highestmodseq)
{
	struct stat st;
	struct buf text = BUF_INIT(RECORD_SIZE_MAX);
	if (highestmodseq > folder->record.modseq_mark)
		folder->record.modseq_mark = highestmodseq;
	record_format(&folder->record, &text);
	int error = text.overflow ? -E2BIG
		: file_replace_at(folder->dir_fd, RECORD_FILE, buf_span(&text));
	buf_done(&text);
	if (error == 0 && fstatat(folder->dir_fd, RECORD_FILE, &st, 0) == 0) {
		folder->record_inode = st.st_ino;
		folder->record_mtime = file_mtime_ns(&st);
	} else if (error != 0) {
		/* Memory says more than the disk: read it again before it is believed. */
		folder->record_inode = 0;
	}
	return error;
}

int folder_reserve_uids(struct folder *folder, struct index_folder *row, uint32_t count)
{
	/* In memory: those below the mark may be another process's, and the file that never hears
	 * of these must not be believed again. None is kept for later: by then there may be a new
	 * file. */
	bool in_memory = count > 0 && index_is_in_memory(folder->store->index);
	if (in_memory && row->uidnext < folder->record.uidnext_mark)
		row->uidnext = folder->record.uidnext_mark;
	/* The last numbers stay unused: a mark must fit above every UID. */
	if (row->uidnext > UINT32_MAX - 2 * UID_BLOCK - count)
		return -EOVERFLOW;
	/* Deliveries do not go on where others were given. */
	int error = folder->beginning ? 0
		: count > 0 ? arrivals_end(folder) : arrivals_end_unless(folder, row->uidnext);
	if (error != 0)
		return error;
	if (row->uidnext + count <= folder->record.uidnext_mark)
		return 0;
	uint32_t old = folder->record.uidnext_mark;
	folder->record.uidnext_mark = row->uidnext + count + (in_memory ? 0 : UID_BLOCK);
	error = in_memory ? index_remove_file(folder->store->index) : 0;
	/* DURABLE: the mark is on disk before the first UID above the old one is given out. */
	if (error == 0 && !folder->beginning)
		error = folder_save_record(folder, row->highestmodseq);
	if (error != 0)
		folder->record.uidnext_mark = old;
	row->mark = folder->record.uidnext_mark;
	return error;
}

int folder_begin(struct folder *folder, bool write, struct index_txn *ret_txn,
	struct index_folder *ret_row)
{
	int error = index_begin(folder->store->index, write, ret_txn);
	if (error != 0 || index_get_folder(ret_txn, folder_dir(folder), ret_row))
		return error;
	index_abort(ret_txn);
	return ret_txn->error != 0 ? ret_txn->error : -EIO;
}

int folder_read_row(struct folder *folder, struct index_folder *ret_row)
{
	struct index_txn txn;
	int error = index_begin(folder->store->index, false, &txn);
	if (error != 0)
		return error;
	bool known = index_get_folder(&txn, folder_dir(folder), ret_row);
	index_abort(&txn);
	return txn.error != 0 ? txn.error : known ? 0 : -ENOENT;
}

/* Does the index know this life of the mailbox, and every UID that was given out in it? One in
 * memory does not know those of other processes: they have moved the mark. */
static int check_index(struct folder *folder)
{
	struct index_folder row;
	int error = folder_read_row(folder, &row);
	bool known = error == 0 && row.uidvalidity == folder->record.uidvalidity
		&& (row.mark == folder->record.uidnext_mark
			|| !index_is_in_memory(folder->store->index));
	return error == 0 && !known ? -ENOENT : error;
}

int folder_enter(struct folder *folder)
{
	int error = -EIO;
	bool lost = false;
	if (!is_current(folder))
		return -ESTALE;
	/* An index that fails is dropped; the next attempt builds it anew. First the arrivals: a
	 * life that is begun goes on where the index ends. */
	for (int attempt = 0; attempt < 3 && error == -EIO; attempt++) {
		error = arrivals_fold(folder);
		lost = lost || error > 0;
		if (error >= 0)
			error = folder_load_record(folder);
		if (error == 0 && folder->is_told && folder->lock_fd >= 0)
			save_told(folder);
		if (error == -ENOENT)
			error = folder_begin_life(folder);
		if (error == 0)
			error = check_index(folder);
		if (error == -ENOENT || (error == 0 && lost))
			error = scan_folder(folder, NULL);
	}
	return error;
}

static int enter_for_arrival(struct folder *folder)
{
	return is_current(folder) ? 0 : -ESTALE;
}

static void unlock_file(const struct folder *folder)
{
	if (folder->lock_fd >= 0)
		file_unlock(folder->lock_fd);
}

static int lock_and(struct folder *folder, int (*enter_it)(struct folder *folder))
{
	if (task_self() != NULL) {
		int error = task_lock_take(&folder->busy, task_deadline(LOCK_DEADLINE_MS));
		if (error != 0)
			return error;
	}
	int error = folder->lock_fd < 0 ? 0 : file_lock(folder->lock_fd);
	if (error == 0) {
		error = enter_it(folder);
		if (error == 0)
			return 0;
		unlock_file(folder);
	}
	if (task_self() != NULL)
		task_lock_release(&folder->busy);
	return error;
}

int folder_lock(struct folder *folder)
{
	return lock_and(folder, folder_enter);
}

int folder_lock_for_arrival(struct folder *folder)
{
	return lock_and(folder, enter_for_arrival);
}

void folder_unlock(struct folder *folder)
{
	unlock_file(folder);
	if (task_self() != NULL)
		task_lock_release(&folder->busy);
}

int64_t folder_mtime(const struct folder *folder, const char *sub)
{
	struct stat st;
	if (fstatat(folder->dir_fd, sub, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	return file_mtime_ns(&st);
}

static bool agrees(const struct folder *folder, const struct index_folder *row)
{
	return row->new_mtime == folder_mtime(folder, "new")
		&& row->cur_mtime == folder_mtime(folder, "cur");
}

/* 1: the index is behind; 0: it agrees; -errno. */
static int is_behind(struct folder *folder)
{
	struct index_folder row;
	int error = folder_read_row(folder, &row);
	if (error != 0 && error != -ENOENT)
		return error;
	return error == -ENOENT || !agrees(folder, &row);
}

bool folder_is_settled(struct folder *folder, int64_t scanned_since)
{
	struct stat st;
	struct index_folder row;
	/* Another task may be changing the record. */
	return !folder->busy.held && !folder->is_told && is_current(folder)
		&& fstatat(folder->dir_fd, RECORD_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0
		&& is_record_current(folder, &st) && folder_read_row(folder, &row) == 0
		&& row.uidvalidity == folder->record.uidvalidity && row.scanned >= scanned_since
		&& agrees(folder, &row) && !index_is_in_memory(folder->store->index);
}

int folder_sync(struct folder *folder, bool full)
{
	int behind = full ? 1 : is_behind(folder);
	for (int attempt = 0; behind == -EIO && attempt < 2; attempt++)
		behind = is_behind(folder);
	if (behind <= 0)
		return behind;
	return scan_folder(folder, NULL);
}

int folder_refresh(struct folder *folder)
{
	int behind = is_behind(folder);
	if (behind == 0)
		return 0;
	int error = folder_lock(folder);
	if (error != 0)
		return error;
	error = folder_sync(folder, false);
	folder_unlock(folder);
	return error;
}

void folder_touch_begin(struct folder *folder, struct index_folder *row, bool new_dir, bool cur_dir,
	struct folder_touch *ret_touch)
{
	ret_touch->when = file_now_ns();
	/* Only when nothing foreign waits to be noticed: otherwise the difference must stay. */
	ret_touch->new_dir = new_dir && folder_mtime(folder, "new") == row->new_mtime;
	ret_touch->cur_dir = cur_dir && folder_mtime(folder, "cur") == row->cur_mtime;
	if (ret_touch->new_dir)
		row->new_mtime = ret_touch->when;
	if (ret_touch->cur_dir)
		row->cur_mtime = ret_touch->when;
}

void folder_touch_end(struct folder *folder, const struct folder_touch *touch)
{
	if (touch->new_dir)
		(void)file_set_mtime_at(folder->dir_fd, "new", touch->when);
	if (touch->cur_dir)
		(void)file_set_mtime_at(folder->dir_fd, "cur", touch->when);
}

void folder_path(bool in_new, struct span name, struct buf *out)
{
	buf_append_cstr(out, in_new ? "new/" : "cur/");
	buf_append(out, name);
}

void folder_signal(struct folder *folder)
{
	LIST_FOREACH(node, &folder->views)
		mailbox_signal(LIST_ENTRY(node, struct mailbox, folder_node));
}
