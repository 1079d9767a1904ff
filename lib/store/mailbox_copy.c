/* COPY and MOVE; see mailbox.h. A copy is a hard link under a new name: content never changes, so
 * nothing is read or written. Only the destination is locked while linking; for a move the source
 * is locked afterwards, so two locks are never held together. A crash in between leaves two copies.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/change_private.h"
#include "store/file_private.h"
#include "store/filename.h"
#include "store/keyword_log_private.h"
#include "store/mailbox_private.h"

#define ARENA_MAX (1UL << 30)
#define PIECE 200
#define RECENT_S 600       /* a file that changed in this time may not be on disk */
#define FLUSH_EACH_MAX 16  /* more than that: the file system as a whole */

struct item {
	struct change source;  /* its row */
	uint32_t uid;          /* in the destination */
	struct span name;
	uint16_t *keywords;
	uint16_t keyword_count;
	bool is_linked;
};

struct copying {
	struct mailbox *mailbox;
	struct folder *to;
	struct arena arena;
	struct item *items;
	size_t count;
	struct index_folder row;  /* of the destination */
	uint64_t opening;         /* of the index that has it */
	uint16_t numbers[STORE_KEYWORDS_MAX]; /* source number -> destination number, or UINT16_MAX */
	bool skip_missing;
};

void copy_result_done(struct copy_result *result)
{
	free(result->source_uids);
	free(result->uids);
	result->source_uids = result->uids = NULL;
	result->count = 0;
}

static int load_items(struct copying *copying, const uint32_t *uids, size_t count)
{
	struct change *changes = arena_array(&copying->arena, PIECE, sizeof(*changes));
	copying->items = arena_array(&copying->arena, count + 1, sizeof(*copying->items));
	if (changes == NULL || copying->items == NULL)
		return -ENOMEM;
	for (size_t at = 0; at < count; at += PIECE) {
		size_t piece = count - at < PIECE ? count - at : PIECE;
		struct index_folder row;
		for (size_t i = 0; i < piece; i++)
			changes[i] = (struct change){.uid = uids[at + i]};
		int error = change_load(copying->mailbox->folder, &copying->arena, changes, piece, &row);
		if (error != 0)
			return error;
		if (row.uidvalidity != copying->mailbox->uidvalidity)
			return -ESTALE;
		error = mailbox_check_missing(copying->mailbox, changes, piece);
		if (error != 0)
			return error;
		for (size_t i = 0; i < piece; i++)
			if (changes[i].found)
				copying->items[copying->count++].source = changes[i];
		if (task_self() != NULL && at + piece < count && task_yield() != 0)
			return -ECANCELED;
	}
	return 0;
}

/* Keywords that the messages have, by name, get numbers in the destination. */
static int map_keywords(struct copying *copying)
{
	struct span *names = memory_zalloc(STORE_KEYWORDS_MAX, sizeof(*names));
	uint16_t *unused = memory_zalloc(STORE_KEYWORDS_MAX, sizeof(*unused));
	size_t count = 0, unused_count = 0;
	struct mailbox *mailbox = copying->mailbox;
	memset(copying->numbers, 0xff, sizeof(copying->numbers));
	for (size_t i = 0; i < copying->count; i++) {
		const struct index_row *row = &copying->items[i].source.old;
		for (size_t k = 0; k < row->keyword_count; k++)
			if (row->keywords[k] < mailbox->keyword_count)
				copying->numbers[row->keywords[k]] = 0;
	}
	for (size_t number = 0; number < mailbox->keyword_count; number++)
		if (copying->numbers[number] == 0 && mailbox->keywords[number] != NULL)
			names[count++] = span_from_cstr(mailbox->keywords[number]);
	int error = count == 0 ? 0
		: change_keywords(copying->to, names, count, true, unused, &unused_count);
	for (size_t number = 0; error == 0 && number < mailbox->keyword_count; number++)
		if (copying->numbers[number] == 0) {
			size_t found = mailbox->keywords[number] == NULL ? SIZE_MAX
				: record_keyword_find(&copying->to->record,
					span_from_cstr(mailbox->keywords[number]));
			copying->numbers[number] = found == SIZE_MAX ? UINT16_MAX : (uint16_t)found;
		}
	free(names);
	free(unused);
	return error;
}

static int compare_numbers(const void *left, const void *right)
{
	return (int)*(const uint16_t *)left - (int)*(const uint16_t *)right;
}

static int make_name(struct copying *copying, struct item *item)
{
	const struct index_row *old = &item->source.old;
	struct filename name;
	struct buf unique = BUF_INIT(200), text = BUF_INIT(255);
	static unsigned serial;
	item->keywords = arena_array(&copying->arena, (size_t)old->keyword_count + 1, sizeof(uint16_t));
	if (item->keywords == NULL || !filename_parse(old->name, &name))
		return -ENOMEM;
	for (size_t k = 0; k < old->keyword_count; k++) {
		uint16_t number = old->keywords[k] < STORE_KEYWORDS_MAX
			? copying->numbers[old->keywords[k]] : UINT16_MAX;
		if (number != UINT16_MAX)
			item->keywords[item->keyword_count++] = number;
	}
	qsort(item->keywords, item->keyword_count, sizeof(uint16_t), compare_numbers);
	int64_t now = file_now_ns();
	buf_append_format(&unique, "%lld.M%lldP%dC%u.copy", (long long)(now / 1000000000),
		(long long)(now / 1000 % 1000000), (int)getpid(), ++serial);
	name.unique = name.base = buf_span(&unique);
	name.has_uid = true;
	name.uidvalidity = copying->row.uidvalidity;
	name.uid = item->uid;
	name.flags = old->flags & MESSAGE_FLAGS_SYSTEM;
	name.keywords = change_letters(item->keywords, item->keyword_count);
	filename_format(&name, true, &text);
	int error = text.overflow ? -ENAMETOOLONG : 0;
	item->name = arena_dup(&copying->arena, buf_span(&text));
	buf_done(&unique);
	buf_done(&text);
	return copying->arena.overflow ? -ENOMEM : error;
}

/* Where a link cannot be made (another file system, another owner): the bytes. */
static int copy_bytes(int from_dir, const char *from, int to_dir, const char *to)
{
	struct stat st;
	int in = openat(from_dir, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (in < 0)
		return -errno;
	int out = openat(to_dir, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error = out < 0 || fstat(in, &st) != 0 ? -errno : 0;
	char piece[8192];
	while (error == 0) {
		ssize_t n = read(in, piece, sizeof(piece));
		if (n <= 0) {
			error = n < 0 ? -errno : 0;
			break;
		}
		if (write(out, piece, (size_t)n) != n)
			error = errno != 0 ? -errno : -ENOSPC;
	}
	if (error == 0) {
		struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st.st_mtim};
		/* DURABLE: the content of a copy that is no link. */
		if (futimens(out, times) != 0 || fsync(out) != 0)
			error = -errno;
	}
	if (out >= 0 && close(out) != 0 && error == 0)
		error = -errno;
	if (error != 0 && out >= 0)
		(void)unlinkat(to_dir, to, 0);
	(void)close(in);
	return error;
}

static bool is_recent(int dir_fd, const char *path)
{
	struct stat st;
	if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	int64_t age = file_now_ns() / 1000000000 - st.st_ctim.tv_sec;
	return age < RECENT_S; /* also when the clock was set back */
}

struct fresh {
	const struct copying *copying;
	size_t items[FLUSH_EACH_MAX], count;
};

/* count: one more than there is room for, when there are more. */
static void find_fresh_in_pool(void *arg)
{
	struct fresh *fresh = arg;
	const struct copying *copying = fresh->copying;
	for (size_t i = 0; i < copying->count && fresh->count <= FLUSH_EACH_MAX; i++) {
		const struct index_row *row = &copying->items[i].source.old;
		struct buf path = BUF_INIT(300);
		folder_path(row->in_new, row->name, &path);
		if (is_recent(copying->mailbox->folder->dir_fd, buf_cstr(&path))) {
			if (fresh->count < FLUSH_EACH_MAX)
				fresh->items[fresh->count] = i;
			fresh->count++;
		}
		buf_done(&path);
	}
}

static int flush_one(const struct copying *copying, const struct item *item)
{
	struct buf path = BUF_INIT(300);
	folder_path(item->source.old.in_new, item->source.old.name, &path);
	int fd = openat(copying->mailbox->folder->dir_fd, buf_cstr(&path),
		O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int error = fd >= 0 ? file_sync(fd) : errno == ENOENT ? 0 : -errno; /* linking tells */
	file_close(&fd);
	buf_done(&path);
	return error;
}

struct flush_all {
	int dir_fd, error;
};

static void flush_all_in_pool(void *arg)
{
	struct flush_all *flush = arg;
	flush->error = syncfs(flush->dir_fd) != 0 ? -errno : 0;
}

/* A flush that failed is not tried again as an index is: the kernel tells of lost bytes once, and
 * the next flush would answer that all is well. */
#define FLUSH_FAILED (-EREMOTEIO)

static int lost(int error)
{
	return error == -EIO ? FLUSH_FAILED : error;
}

/* DURABLE: a link is as durable as what it names, and a delivery waits for the checkpoint of
 * `local`: what is fresh is flushed before it is linked. */
static int flush_sources(struct copying *copying)
{
	struct fresh fresh = {.copying = copying};
	file_change_names(copying->count, find_fresh_in_pool, &fresh);
	if (fresh.count > FLUSH_EACH_MAX) {
		struct flush_all flush = {copying->mailbox->folder->dir_fd, 0};
		task_offload(flush_all_in_pool, &flush);
		return flush.error;
	}
	int error = 0;
	for (size_t i = 0; error == 0 && i < fresh.count; i++)
		error = flush_one(copying, &copying->items[fresh.items[i]]);
	return error;
}

static int link_one(struct copying *copying, struct item *item)
{
	struct buf from = BUF_INIT(300), to = BUF_INIT(300);
	int from_dir = copying->mailbox->folder->dir_fd, to_dir = copying->to->dir_fd;
	folder_path(item->source.old.in_new, item->source.old.name, &from);
	folder_path(false, item->name, &to);
	int error = 0;
	if (linkat(from_dir, buf_cstr(&from), to_dir, buf_cstr(&to), 0) != 0)
		error = -errno;
	if (error == -EXDEV || error == -EPERM || error == -EMLINK)
		error = copy_bytes(from_dir, buf_cstr(&from), to_dir, buf_cstr(&to));
	item->is_linked = error == 0;
	buf_done(&from);
	buf_done(&to);
	return error;
}

struct linking {
	struct copying *copying;
	size_t from, end;
	int error;
};

static void link_in_pool(void *arg)
{
	struct linking *linking = arg;
	struct copying *copying = linking->copying;
	for (size_t i = linking->from; i < linking->end; i++) {
		int error = link_one(copying, &copying->items[i]);
		if (error == -ENOENT && copying->skip_missing)
			continue; /* its UID stays unused */
		linking->error = error;
		if (error != 0)
			return;
	}
}

static int link_all(struct copying *copying)
{
	int error = 0;
	for (size_t at = 0; error == 0 && at < copying->count; at += PIECE) {
		struct linking linking = {copying, at, at, 0};
		size_t end = copying->count - at < PIECE ? copying->count : at + PIECE;
		for (; error == 0 && linking.end < end; linking.end++) {
			copying->items[linking.end].uid = copying->row.uidnext++;
			error = make_name(copying, &copying->items[linking.end]);
		}
		if (error == 0)
			file_change_names(linking.end - at, link_in_pool, &linking);
		if (error == 0)
			error = linking.error;
	}
	return error;
}

static void put_item(struct copying *copying, struct index_txn *txn, struct item *item,
	struct buf *scratch)
{
	const struct index_row *old = &item->source.old;
	struct span cache;
	struct index_row row = {
		.uid = item->uid, .flags = (old->flags & MESSAGE_FLAGS_SYSTEM) | MESSAGE_RECENT,
		.internaldate = old->internaldate, .size = old->size, .crlf_size = old->crlf_size,
		.keywords = item->keywords, .keyword_count = item->keyword_count, .name = item->name,
	};
	index_put_row(txn, &copying->row, NULL, &row, true);
	buf_reset(scratch);
	if (index_get_cache(txn, copying->mailbox->id, old->uid, &cache)) {
		/* A copy first: the page may move under the put. */
		buf_append(scratch, cache);
		if (!scratch->overflow)
			index_put_cache(txn, copying->row.id, item->uid, buf_span(scratch));
	}
}

static int put_all(struct copying *copying)
{
	struct buf scratch = BUF_INIT(8UL << 20), log = BUF_INIT(KEYWORD_LOG_MAX);
	int error = 0;
	for (size_t i = 0; i < copying->count; i++)
		if (copying->items[i].is_linked
			&& change_has_more(copying->items[i].keywords, copying->items[i].keyword_count))
			keyword_log_format(&copying->to->record, copying->items[i].uid,
				copying->items[i].keywords, copying->items[i].keyword_count, &log);
	if (log.len > 0)
		error = keyword_log_append(copying->to, buf_span(&log));
	index_next_modseq(&copying->row);
	for (size_t at = 0; error == 0 && at < copying->count; at += PIECE) {
		struct index_txn txn;
		error = index_continue(copying->to->store->index, copying->opening, &txn);
		if (error != 0)
			break;
		for (size_t i = at; i < copying->count && i < at + PIECE; i++)
			if (copying->items[i].is_linked)
				put_item(copying, &txn, &copying->items[i], &scratch);
		index_put_folder(&txn, folder_dir(copying->to), &copying->row);
		error = index_commit(&txn);
		if (error == 0 && task_self() != NULL)
			(void)task_yield();
	}
	buf_done(&scratch);
	buf_done(&log);
	return error;
}

static void unlink_in_pool(void *arg)
{
	struct copying *copying = arg;
	for (size_t i = 0; i < copying->count; i++) {
		struct buf path = BUF_INIT(300);
		folder_path(false, copying->items[i].name, &path);
		if (copying->items[i].is_linked)
			(void)unlinkat(copying->to->dir_fd, buf_cstr(&path), 0);
		copying->items[i].is_linked = false;
		buf_done(&path);
	}
}

/* Files go; rows that are there already are found without their files by the next scan. */
static void undo(struct copying *copying)
{
	file_change_names(copying->count, unlink_in_pool, copying);
	(void)folder_sync(copying->to, true);
}

static int copy_locked(struct copying *copying)
{
	struct change none = {0};
	struct folder_touch touch;
	int error = folder_sync(copying->to, false);
	if (error == 0)
		error = map_keywords(copying);
	if (error == 0)
		error = change_load(copying->to, &copying->arena, &none, 0, &copying->row);
	copying->opening = index_opening(copying->to->store->index);
	if (error == 0)
		error = folder_reserve_uids(copying->to, &copying->row, (uint32_t)copying->count);
	if (error != 0)
		return error;
	folder_touch_begin(copying->to, &copying->row, false, true, &touch);
	error = link_all(copying);
	if (error == 0)
		error = put_all(copying);
	/* DURABLE: names before OK. */
	if (error == 0)
		error = lost(file_sync_dir_at(copying->to->dir_fd, "cur"));
	folder_touch_end(copying->to, &touch);
	if (error != 0)
		undo(copying);
	folder_signal(copying->to);
	return error;
}

static void take_result(const struct copying *copying, struct copy_result *ret_result)
{
	*ret_result = (struct copy_result){.uidvalidity = copying->row.uidvalidity};
	ret_result->source_uids = memory_zalloc(copying->count + 1, sizeof(uint32_t));
	ret_result->uids = memory_zalloc(copying->count + 1, sizeof(uint32_t));
	for (size_t i = 0; i < copying->count; i++) {
		if (!copying->items[i].is_linked)
			continue;
		ret_result->source_uids[ret_result->count] = copying->items[i].source.uid;
		ret_result->uids[ret_result->count++] = copying->items[i].uid;
	}
}

static int copy_once(struct mailbox *mailbox, struct folder *to, const uint32_t *uids, size_t count,
	struct copy_result *ret_result)
{
	int error = 0;
	for (int attempt = 0; attempt < 2; attempt++) {
		struct copying *copying = NEW(struct copying);
		copying->mailbox = mailbox;
		copying->to = to;
		copying->skip_missing = attempt == 1;
		arena_init(&copying->arena, ARENA_MAX);
		error = load_items(copying, uids, count);
		if (error == 0)
			error = lost(flush_sources(copying));
		if (error == 0) {
			error = folder_lock(to);
			if (error == 0) {
				error = copy_locked(copying);
				folder_unlock(to);
			}
		}
		if (error == 0)
			take_result(copying, ret_result);
		arena_done(&copying->arena);
		free(copying);
		if (error != -ENOENT || attempt == 1)
			break;
		/* A file has moved: look where to, and pass over those that are gone. */
		error = folder_lock(mailbox->folder);
		if (error != 0)
			break;
		error = folder_sync(mailbox->folder, true);
		folder_unlock(mailbox->folder);
		if (error != 0)
			break;
	}
	return error;
}

int mailbox_copy(struct mailbox *mailbox, const uint32_t *uids, size_t uid_count, struct span to,
	bool move, struct copy_result *ret_result)
{
	struct folder *folder;
	int error = move ? mailbox_check_writable(mailbox) : 0;
	if (error == 0)
		error = folder_get_by_name(mailbox->store, to, &folder);
	if (error != 0)
		return error;
	*ret_result = (struct copy_result){0};
	/* An index that fails is dropped; the next attempt builds it anew. */
	error = -EIO;
	for (int attempt = 0; attempt < 3 && error == -EIO; attempt++) {
		error = folder_refresh(mailbox->folder);
		if (error == 0)
			error = copy_once(mailbox, folder, uids, uid_count, ret_result);
	}
	folder_release(folder);
	if (error == FLUSH_FAILED)
		error = -EIO;
	if (error == 0 && move && ret_result->count > 0)
		error = mailbox_expunge(mailbox, ret_result->source_uids, ret_result->count, false, NULL);
	if (error != 0)
		copy_result_done(ret_result);
	return error;
}
