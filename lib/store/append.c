/* Putting a message into a mailbox; see append.h. Order: the file (append_open.c; flushed when
 * durable), a UID whose mark is durable, the index row, the rename, the folder's flush. A crash
 * leaves a file under tmp/, or a row whose file never came: the next scan removes the row.
 * SPDX-License-Identifier: ISC */
#include "store/append_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "store/cache_private.h"
#include "store/change_private.h"
#include "store/file_private.h"
#include "store/filename.h"
#include "store/keyword_log_private.h"

int append_begin(struct store *store, struct span mailbox, const struct append_options *options,
	struct append **ret_append)
{
	struct folder *folder;
	int error = folder_get_by_name(store, mailbox, &folder);
	if (error != 0)
		return error;
	struct append *append = NEW(struct append);
	append->folder = folder;
	append->options = options;
	buf_init(&append->text, APPEND_PIECE);
	buf_init(&append->cache, CACHE_SIZE_MAX + 1024);
	buf_init(&append->name, 255);
	error = append_open_file(append);
	if (error != 0) {
		append_abort(append);
		return error;
	}
	*ret_append = append;
	return 0;
}

/* What another attempt wrote may not be on disk, and nobody will ask for it again: DURABLE: flushed
 * now. -ENOENT: it is not there. */
static int flush_file(struct folder *folder, const char *path)
{
	int fd = openat(folder->dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	int error = file_sync(fd);
	(void)close(fd);
	if (error == 0)
		error = file_sync_dir_at(folder->dir_fd, path[0] == 'n' ? "new" : "cur");
	return error;
}

/* Ours takes the place of a file of the same size, under its name, times and UID: a power cut may
 * have kept the size and lost the bytes, a failed write-back may have been told to somebody
 * else. */
static int replace_file(struct append *append, const char *path, const struct stat *st)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st->st_mtim};
	int dir = append->folder->dir_fd;
	if (append->tmp_path[0] == '\0')
		return flush_file(append->folder, path); /* done by an attempt whose index failed */
	/* DURABLE: content, name. */
	int error = futimens(append->fd, times) != 0 ? -errno : file_sync(append->fd);
	if (error == 0 && renameat(dir, append->tmp_path, dir, path) != 0)
		error = -errno;
	if (error != 0)
		return error;
	append->tmp_path[0] = '\0';
	return file_sync_dir_at(dir, path[0] == 'n' ? "new" : "cur");
}

/* Makes sure of the file that an earlier attempt left. -ENOENT: it is not there, or was no whole
 * message (a power cut keeps names and loses bytes) and has been removed; then the index is to be
 * looked after. */
static int keep_or_replace(struct append *append, const char *path, uint64_t named_size)
{
	struct stat st;
	int dir = append->folder->dir_fd;
	if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -errno;
	uint64_t size = (uint64_t)st.st_size;
	if (!S_ISREG(st.st_mode))
		return flush_file(append->folder, path);
	if (size == append->size)
		return replace_file(append, path, &st);
	bool whole = named_size == FILENAME_UNKNOWN ? size > 0 : size == named_size;
	if (whole)
		return flush_file(append->folder, path);
	return unlinkat(dir, path, 0) != 0 && errno != ENOENT ? -errno : -ENOENT;
}

/* Is the message of an earlier attempt there? */
static int find_duplicate(struct append *append, const struct index_folder *row, uint32_t *ret_uid)
{
	struct folder *folder = append->folder;
	struct filename parsed, there_parsed;
	*ret_uid = 0;
	if (append->options->base.len == 0 || !filename_parse(append->options->base, &parsed))
		return 0;
	for (int attempt = 0; attempt < 2; attempt++) {
		struct index_txn txn;
		struct index_row found;
		struct buf path = BUF_INIT(300);
		uint64_t named_size = FILENAME_UNKNOWN;
		int error = index_begin(folder->store->index, false, &txn);
		if (error != 0)
			return error;
		uint32_t uid = index_find_name(&txn, row->id, parsed.unique);
		if (uid != 0 && index_get_row(&txn, row->id, uid, &found)) {
			folder_path(found.in_new, found.name, &path);
			if (filename_parse(found.name, &there_parsed))
				named_size = there_parsed.size;
		}
		index_abort(&txn);
		bool named = path.len > 0;
		error = named ? keep_or_replace(append, buf_cstr(&path), named_size) : 0;
		bool there = named && error == 0;
		buf_done(&path);
		if (there || !named || error != -ENOENT) {
			*ret_uid = there ? uid : 0;
			return error;
		}
		/* A row without its file: moved by another program, never come, or torn. */
		error = folder_sync(folder, true);
		if (error != 0)
			return error;
	}
	return 0;
}

void append_make_name(struct append *append, uint32_t uidvalidity, const uint16_t *keywords,
	size_t keyword_count)
{
	const struct append_options *options = append->options;
	struct buf unique = BUF_INIT(200);
	if (options->base.len > 0)
		buf_append(&unique, options->base);
	else
		append_unique_name(&unique);
	struct filename name = {
		.unique = buf_span(&unique), .base = buf_span(&unique), .size = append->size,
		.crlf_size = append->crlf_size, .has_uid = true, .uidvalidity = uidvalidity,
		.uid = append->uid, .flags = options->flags & MESSAGE_FLAGS_SYSTEM,
		.keywords = change_letters(keywords, keyword_count), .rest = SPAN_EMPTY,
	};
	buf_reset(&append->name);
	filename_format(&name, !options->is_delivery, &append->name);
	buf_done(&unique);
}

struct commit {
	struct folder *folder;
	struct append **appends;
	size_t count;
	struct append_result *results;
	struct index_folder row;
	uint64_t opening; /* of the index that has it */
	uint16_t keywords[STORE_KEYWORDS_MAX];
	struct folder_touch touch;
	bool extended;
};

static int get_folder_row(struct folder *folder, struct index_folder *ret_row)
{
	struct index_txn txn;
	int error = index_begin(folder->store->index, false, &txn);
	if (error != 0)
		return error;
	bool known = index_get_folder(&txn, folder_dir(folder), ret_row);
	index_abort(&txn);
	return txn.error != 0 ? txn.error : known ? 0 : -EIO;
}

static int put_one(struct commit *commit, struct index_txn *txn, struct append *append,
	struct buf *log)
{
	const struct append_options *options = append->options;
	struct folder *folder = commit->folder;
	size_t keyword_count = 0;
	int error = change_keywords(folder, options->keywords, options->keyword_count, false,
		commit->keywords, &keyword_count);
	if (error != 0)
		return error;
	append->uid = commit->row.uidnext++;
	append_make_name(append, commit->row.uidvalidity, commit->keywords, keyword_count);
	if (append->name.overflow)
		return -ENAMETOOLONG;
	struct index_row row = {
		.uid = append->uid,
		.flags = (options->flags & MESSAGE_FLAGS_SYSTEM) | MESSAGE_RECENT,
		.internaldate = append->internaldate, .size = append->size, .crlf_size = append->crlf_size,
		.in_new = options->is_delivery, .keywords = commit->keywords,
		.keyword_count = (uint16_t)keyword_count, .name = buf_span(&append->name),
	};
	index_put_row(txn, &commit->row, NULL, &row, true);
	if (append->cache.len > 0 && !append->cache.overflow)
		index_put_cache(txn, commit->row.id, append->uid, buf_span(&append->cache));
	if (change_has_more(commit->keywords, keyword_count)) {
		keyword_log_format(&folder->record, append->uid, commit->keywords, keyword_count, log);
		commit->extended = true;
	}
	return 0;
}

static int put_rows(struct commit *commit)
{
	struct index_txn txn;
	struct buf log = BUF_INIT(1UL << 20);
	struct folder *folder = commit->folder;
	int error = index_continue(folder->store->index, commit->opening, &txn);
	if (error != 0)
		return error;
	bool any_new = false, any_cur = false;
	index_next_modseq(&commit->row);
	for (size_t i = 0; error == 0 && i < commit->count; i++) {
		if (commit->appends[i]->is_duplicate)
			continue;
		error = put_one(commit, &txn, commit->appends[i], &log);
		any_new = any_new || commit->appends[i]->options->is_delivery;
		any_cur = any_cur || !commit->appends[i]->options->is_delivery;
	}
	if (error == 0 && log.len > 0)
		error = file_append_at(folder->dir_fd, KEYWORD_LOG_FILE, buf_span(&log));
	buf_done(&log);
	if (error != 0) {
		index_abort(&txn);
		return error;
	}
	folder_touch_begin(folder, &commit->row, any_new, any_cur, &commit->touch);
	index_put_folder(&txn, folder_dir(folder), &commit->row);
	return index_commit(&txn);
}

/* After a failure behind the index's commit: files and rows go again. */
static void undo(struct commit *commit)
{
	struct index_txn txn;
	for (size_t i = 0; i < commit->count; i++) {
		struct append *append = commit->appends[i];
		struct buf path = BUF_INIT(300);
		folder_path(append->options->is_delivery, buf_span(&append->name), &path);
		if (append->is_renamed)
			(void)unlinkat(append->folder->dir_fd, buf_cstr(&path), 0);
		buf_done(&path);
	}
	if (index_continue(commit->folder->store->index, commit->opening, &txn) != 0)
		return;
	index_next_modseq(&commit->row);
	for (size_t i = 0; i < commit->count; i++) {
		struct index_row row;
		if (!commit->appends[i]->is_duplicate
			&& index_get_row(&txn, commit->row.id, commit->appends[i]->uid, &row))
			index_delete_row(&txn, &commit->row, &row);
	}
	index_put_folder(&txn, folder_dir(commit->folder), &commit->row);
	(void)index_commit(&txn);
}

static int check_duplicates(struct commit *commit, uint32_t *ret_new_count)
{
	*ret_new_count = 0;
	for (size_t i = 0; i < commit->count; i++) {
		uint32_t uid = 0;
		int error = find_duplicate(commit->appends[i], &commit->row, &uid);
		if (error != 0)
			return error;
		commit->appends[i]->uid = uid;
		commit->appends[i]->is_duplicate = uid != 0;
		*ret_new_count += uid == 0;
	}
	return 0;
}

static int create_keywords(struct commit *commit)
{
	for (size_t i = 0; i < commit->count; i++) {
		const struct append_options *options = commit->appends[i]->options;
		size_t unused;
		int error = options->keyword_count == 0 ? 0 : change_keywords(commit->folder,
			options->keywords, options->keyword_count, true, commit->keywords, &unused);
		if (error != 0)
			return error;
	}
	return 0;
}

static int sync_folders(struct commit *commit)
{
	bool sync_new = false, sync_cur = false;
	for (size_t i = 0; i < commit->count; i++) {
		bool durable = commit->appends[i]->options->durability == APPEND_DURABLE;
		sync_new = sync_new || (durable && commit->appends[i]->options->is_delivery);
		sync_cur = sync_cur || (durable && !commit->appends[i]->options->is_delivery);
	}
	/* DURABLE: the name, after the rename. A duplicate's too: its first attempt may not have
	 * been. */
	int error = sync_new ? file_sync_dir_at(commit->folder->dir_fd, "new") : 0;
	if (error == 0 && sync_cur)
		error = file_sync_dir_at(commit->folder->dir_fd, "cur");
	return error;
}

static int commit_locked(struct commit *commit)
{
	struct folder *folder = commit->folder;
	uint32_t new_count = 0;
	/* A file that the index does not know may have the next UID in its name. */
	int error = folder_sync(folder, false);
	if (error == 0)
		error = get_folder_row(folder, &commit->row);
	if (error == 0)
		error = check_duplicates(commit, &new_count);
	if (error == 0)
		error = create_keywords(commit);
	/* The row again: looking for duplicates may have scanned. */
	if (error == 0)
		error = get_folder_row(folder, &commit->row);
	commit->opening = index_opening(folder->store->index);
	if (error == 0)
		error = folder_reserve_uids(folder, &commit->row, new_count);
	if (error == 0 && new_count > 0)
		error = put_rows(commit);
	if (error != 0)
		return error;
	for (size_t i = 0; error == 0 && i < commit->count; i++)
		if (!commit->appends[i]->is_duplicate)
			error = append_rename(commit->appends[i]);
	if (new_count > 0)
		folder_touch_end(folder, &commit->touch);
	if (error == 0)
		error = sync_folders(commit);
	if (error != 0)
		undo(commit);
	return error;
}

static int commit_once(struct commit *commit)
{
	int error = 0;
	/* It may have to take the place of a file that is there. */
	for (size_t i = 0; error == 0 && i < commit->count; i++)
		error = append_name_file(commit->appends[i]);
	if (error == 0)
		error = folder_lock(commit->folder);
	if (error != 0)
		return error == -ESTALE ? -ENOENT : error;
	error = commit_locked(commit);
	folder_unlock(commit->folder);
	return error;
}

/* Locks, and adds them by way of the index. */
static int commit_all(struct append **appends, size_t count, struct append_result *ret_results)
{
	int error = 0;
	struct commit *commit = NEW(struct commit);
	*commit = (struct commit){.folder = appends[0]->folder, .appends = appends, .count = count};
	/* An index that fails is dropped; the next attempt builds it anew. */
	for (int attempt = 0; attempt < 3; attempt++) {
		error = commit_once(commit);
		if (error != -EIO || appends[0]->is_renamed)
			break;
	}
	for (size_t i = 0; error == 0 && i < count; i++)
		ret_results[i] = (struct append_result){commit->row.uidvalidity, appends[i]->uid,
			appends[i]->is_duplicate};
	free(commit);
	return error;
}

int append_commit_all(struct append **appends, size_t count, struct append_result *ret_results)
{
	CHECK(count > 0);
	int error = 0;
	for (size_t i = 0; error == 0 && i < count; i++) {
		CHECK(appends[i]->folder == appends[0]->folder);
		error = append_finish_file(appends[i]);
	}
	bool long_way = count > 1;
	if (error == 0 && !long_way) {
		error = append_arrival(appends[0], ret_results);
		long_way = error > 0;
	}
	if (error >= 0 && long_way)
		error = commit_all(appends, count, ret_results);
	if (error == 0)
		folder_signal(appends[0]->folder);
	for (size_t i = 0; i < count; i++) {
		if (appends[i]->is_renamed)
			appends[i]->tmp_path[0] = '\0';
		append_abort(appends[i]);
	}
	return error;
}

int append_commit(struct append *append, struct append_result *ret_result)
{
	return append_commit_all(&append, 1, ret_result);
}

void append_abort(struct append *append)
{
	if (append == NULL)
		return;
	if (append->tmp_path[0] != '\0')
		(void)unlinkat(append->folder->dir_fd, append->tmp_path, 0);
	file_close(&append->fd);
	append_drop_text(append);
	buf_done(&append->cache);
	buf_done(&append->name);
	folder_release(append->folder);
	free(append);
}
