/* Comparing what new/ and cur/ hold with what the index says, and making the index right. The
 * folder is locked: only programs of others move files meanwhile, so a message counts as gone only
 * when a second reading misses it too (readdir may skip a file that is being renamed).
 * SPDX-License-Identifier: ISC */
#include "store/scan_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/memory.h"
#include "store/file_private.h"
#include "store/keyword_log_private.h"
#include "store/mailbox.h"

#define PIECE 500 /* rows of one transaction */
#define ROWS_PIECE 5000

/* A row of the index, and what became of it. */
struct known {
	struct index_row row; /* name and keywords in the arena */
	struct found *found;
};

struct scan {
	struct folder *folder;
	const struct inherited *inherited;
	struct index_folder row;  /* of the mailbox */
	uint64_t opening;         /* of the index */
	bool rebuilding;          /* no rows were there */
	uint64_t sum;             /* of the rows that were found */
	struct listing listing;
	struct known *known;
	size_t known_count, known_room;
	struct found **added;     /* not in the index */
	size_t added_count;
	size_t missing;
	struct keyword_log log;
};

static uint32_t inherited_uid(const struct inherited *inherited, const struct filename *filename)
{
	if (inherited == NULL)
		return 0;
	return (uint32_t)(uintptr_t)table_get(&inherited->uids, filename->unique);
}

/* --- what the index has --- */

struct load {
	struct scan *scan;
	size_t left;
	uint32_t next;
	bool failed;
};

static bool load_row(const struct index_row *row, void *arg)
{
	struct load *load = arg;
	struct scan *scan = load->scan;
	struct arena *arena = &scan->listing.arena;
	if (load->left-- == 0)
		return false;
	if (scan->known_count == scan->known_room) {
		size_t room = scan->known_room == 0 ? 256 : scan->known_room * 2;
		scan->known = arena_grow(arena, scan->known, scan->known_count, room,
			sizeof(struct known));
		scan->known_room = room;
	}
	if (scan->known == NULL)
		return false;
	struct known *known = &scan->known[scan->known_count];
	*known = (struct known){.row = *row};
	known->row.name = arena_dup(arena, row->name);
	uint16_t *keywords = arena_array(arena, row->keyword_count, sizeof(uint16_t));
	if (arena->overflow || (keywords == NULL && row->keyword_count > 0))
		return false;
	if (row->keyword_count > 0)
		memcpy(keywords, row->keywords, row->keyword_count * sizeof(uint16_t));
	known->row.keywords = keywords;
	scan->sum += index_row_sum(row->uid, row->modseq);
	scan->known_count++;
	load->next = row->uid + 1;
	return true;
}

static int load_rows(struct scan *scan)
{
	uint32_t from = 1;
	for (;;) {
		struct index_txn txn;
		int error = index_begin(scan->folder->store->index, false, &txn);
		if (error != 0)
			return error;
		struct load load = {scan, ROWS_PIECE, from, false};
		index_each_row(&txn, scan->row.id, from, load_row, &load);
		index_abort(&txn);
		if (txn.error != 0)
			return txn.error;
		if (scan->listing.arena.overflow)
			return -ENOMEM;
		if (load.left != SIZE_MAX)
			break;
		from = load.next;
		if (task_self() != NULL && task_yield() != 0)
			return -ECANCELED;
	}
	if (scan->sum == scan->row.sum)
		return 0;
	/* Rows are missing, or are of another time. */
	index_distrust(scan->folder->store->index);
	return -EIO;
}

/* The mailbox's row; a new one, without rows, when the index does not know this life of it. */
static int load_folder(struct scan *scan)
{
	struct folder *folder = scan->folder;
	struct index_txn txn;
	int error = index_begin(folder->store->index, true, &txn);
	if (error != 0)
		return error;
	scan->opening = index_opening(folder->store->index);
	bool known = index_get_folder(&txn, folder_dir(folder), &scan->row);
	if (known && scan->row.uidvalidity == folder->record.uidvalidity) {
		index_abort(&txn);
		return txn.error;
	}
	uint64_t before = known ? scan->row.highestmodseq : 0;
	/* The old rows have an id that is never asked for again: they go when the index is next
	 * dropped; most of them now. */
	if (known)
		(void)index_wipe(&txn, scan->row.id, 10000);
	scan->row = (struct index_folder){.id = index_new_id(&txn),
		.uidvalidity = folder->record.uidvalidity, .uidnext = 1,
		.highestmodseq = folder->record.modseq_mark > before ? folder->record.modseq_mark : before,
		.generation = (uint64_t)file_now_ns()};
	index_next_modseq(&scan->row);
	scan->row.floor = scan->row.highestmodseq;
	scan->rebuilding = true;
	/* Not put yet: a crash before the scan's end leaves it unknown. */
	return index_commit(&txn);
}

/* --- matching --- */

static int compare_found(const void *left, const void *right)
{
	const struct found *a = *(struct found *const *)left;
	const struct found *b = *(struct found *const *)right;
	if (a->uid != b->uid)
		return a->uid < b->uid ? -1 : 1;
	return span_compare(a->name, b->name);
}

static struct known *find_known(struct scan *scan, uint32_t uid)
{
	size_t low = 0, high = scan->known_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (scan->known[middle].row.uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < scan->known_count && scan->known[low].row.uid == uid ? &scan->known[low] : NULL;
}

/* The UID that the name claims in this life of the mailbox; 0: none. */
static uint32_t claimed_uid(const struct scan *scan, const struct found *found)
{
	if (found->parsed.has_uid && found->parsed.uidvalidity == scan->row.uidvalidity)
		return found->parsed.uid;
	return inherited_uid(scan->inherited, &found->parsed);
}

static bool same_unique(struct span name, const struct found *found)
{
	struct filename parsed;
	return filename_parse(name, &parsed) && span_equal(parsed.unique, found->parsed.unique);
}

/* Several files with one UID: the one that the index knows keeps it. */
static struct found *choose(struct found **group, size_t count, const struct known *known)
{
	for (size_t i = 0; known != NULL && i < count; i++)
		if (span_equal(group[i]->name, known->row.name))
			return group[i];
	for (size_t i = 0; known != NULL && i < count; i++)
		if (same_unique(known->row.name, group[i]))
			return group[i];
	return known == NULL ? group[0] : NULL;
}

static void match_group(struct scan *scan, struct found **group, size_t count)
{
	uint32_t uid = group[0]->uid;
	struct known *known = uid == 0 ? NULL : find_known(scan, uid);
	struct found *keeps = uid == 0 ? NULL : choose(group, count, known);
	/* An UID below UIDNEXT without a row: that message was expunged. A name that brings it back is
	 * a new message, its UID is not used again. An index in memory does not know all that other
	 * processes gave out. */
	if (known == NULL && !scan->rebuilding && uid < scan->row.uidnext
		&& !index_is_in_memory(scan->folder->store->index))
		keeps = NULL;
	for (size_t i = 0; i < count; i++) {
		if (group[i] == keeps && known != NULL) {
			known->found = group[i];
			continue;
		}
		if (group[i] != keeps) {
			group[i]->uid = 0;
			group[i]->is_new_message = true;
		}
		scan->added[scan->added_count++] = group[i];
	}
}

static int match(struct scan *scan)
{
	size_t count = scan->listing.count;
	struct found **sorted = arena_array(&scan->listing.arena, count + 1, sizeof(*sorted));
	scan->added = arena_array(&scan->listing.arena, count + 1, sizeof(*scan->added));
	if (sorted == NULL || scan->added == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		sorted[i] = &scan->listing.items[i];
		sorted[i]->uid = claimed_uid(scan, sorted[i]);
	}
	qsort(sorted, count, sizeof(*sorted), compare_found);
	for (size_t i = 0; i < count;) {
		size_t end = i + 1;
		while (end < count && sorted[end]->uid == sorted[i]->uid)
			end++;
		match_group(scan, sorted + i, end - i);
		i = end;
	}
	for (size_t i = 0; i < scan->known_count; i++)
		scan->missing += scan->known[i].found == NULL;
	return 0;
}

/* --- new messages: what the files say, UIDs, names --- */

static void stat_in_pool(void *arg)
{
	struct scan *scan = arg;
	for (size_t i = 0; i < scan->added_count; i++) {
		struct found *found = scan->added[i];
		struct buf path = BUF_INIT(300);
		struct stat st;
		folder_path(found->in_new, found->name, &path);
		if (fstatat(scan->folder->dir_fd, buf_cstr(&path), &st, AT_SYMLINK_NOFOLLOW) == 0
			&& S_ISREG(st.st_mode)) {
			found->has_stat = true;
			found->mtime = st.st_mtim.tv_sec;
			found->size = st.st_size;
		}
		buf_done(&path);
	}
}

static int compare_age(const void *left, const void *right)
{
	const struct found *a = *(struct found *const *)left;
	const struct found *b = *(struct found *const *)right;
	/* Those that have a UID come first, in its order. */
	if ((a->uid == 0) != (b->uid == 0))
		return a->uid == 0 ? 1 : -1;
	if (a->uid != b->uid)
		return a->uid < b->uid ? -1 : 1;
	if (a->mtime != b->mtime)
		return a->mtime < b->mtime ? -1 : 1;
	return span_compare(a->name, b->name);
}

static void rename_in_pool(void *arg)
{
	struct scan *scan = arg;
	for (size_t i = 0; i < scan->added_count; i++) {
		struct found *found = scan->added[i];
		if (found->new_name.ptr == NULL)
			continue;
		struct buf from = BUF_INIT(300), to = BUF_INIT(300);
		folder_path(found->in_new, found->name, &from);
		folder_path(found->in_new, found->new_name, &to);
		if (renameat(scan->folder->dir_fd, buf_cstr(&from), scan->folder->dir_fd, buf_cstr(&to))
			!= 0)
			found->error = -errno;
		buf_done(&from);
		buf_done(&to);
	}
}

static void drop_vanished(struct scan *scan)
{
	size_t kept = 0;
	for (size_t i = 0; i < scan->added_count; i++)
		if (scan->added[i]->has_stat && scan->added[i]->error == 0)
			scan->added[kept++] = scan->added[i];
	scan->added_count = kept;
}

static void raise_uidnext(struct scan *scan)
{
	for (size_t i = 0; i < scan->added_count; i++)
		if (scan->added[i]->uid >= scan->row.uidnext)
			scan->row.uidnext = scan->added[i]->uid + 1;
	/* With no rows to know better, or in memory when another process has moved it, the mark:
	 * UIDs up to it may have been seen. */
	uint32_t mark = scan->folder->record.uidnext_mark;
	bool is_behind = scan->row.mark != mark && index_is_in_memory(scan->folder->store->index);
	if ((scan->rebuilding || is_behind) && scan->row.uidnext < mark)
		scan->row.uidnext = mark;
	scan->row.mark = mark;
}

/* The name that carries the UID. Where the old name is too long to bear it, a short one is made. */
static bool new_name(struct scan *scan, struct found *found)
{
	struct filename filename = found->parsed;
	struct buf name = BUF_INIT(255);
	filename.has_uid = true;
	filename.uidvalidity = scan->row.uidvalidity;
	filename.uid = found->uid;
	if (filename.size == FILENAME_UNKNOWN)
		filename.size = (uint64_t)found->size;
	filename_format(&filename, filename.has_info || !found->in_new, &name);
	if (name.overflow) {
		struct buf unique = BUF_INIT(64);
		buf_append_format(&unique, "%lld.F%uV%u.renamed", (long long)found->mtime, found->uid,
			scan->row.uidvalidity);
		buf_reset(&name);
		filename.unique = filename.base = buf_span(&unique);
		filename.rest = SPAN_EMPTY;
		filename_format(&filename, filename.has_info || !found->in_new, &name);
		buf_done(&unique);
	}
	bool good = !name.overflow;
	if (good && !span_equal(buf_span(&name), found->name))
		found->new_name = arena_dup(&scan->listing.arena, buf_span(&name));
	buf_done(&name);
	return good;
}

static int give_uids(struct scan *scan)
{
	uint32_t count = 0;
	task_offload(stat_in_pool, scan);
	drop_vanished(scan);
	qsort(scan->added, scan->added_count, sizeof(*scan->added), compare_age);
	raise_uidnext(scan);
	for (size_t i = 0; i < scan->added_count; i++)
		count += scan->added[i]->uid == 0;
	int error = folder_reserve_uids(scan->folder, &scan->row, count);
	if (error != 0)
		return error;
	for (size_t i = 0; i < scan->added_count; i++) {
		struct found *found = scan->added[i];
		if (found->uid == 0)
			found->uid = scan->row.uidnext++;
		if (scan->inherited != NULL)
			found->parsed.keywords |= (uint32_t)(uintptr_t)table_get(&scan->inherited->keywords,
				found->parsed.unique);
		if (!found->is_new_message && found->parsed.has_uid
			&& found->parsed.uidvalidity == scan->row.uidvalidity)
			continue;
		if (!new_name(scan, found))
			found->error = -ENAMETOOLONG;
	}
	return 0;
}

/* --- writing rows --- */

/* Keywords of a row from letters of the name and numbers beyond the alphabet. */
static uint16_t merge_keywords(const struct scan *scan, uint32_t letters, const uint16_t *more,
	size_t more_count, uint16_t *out)
{
	uint16_t count = 0;
	const struct record *record = &scan->folder->record;
	for (uint16_t i = 0; i < 26 && i < record->keyword_count; i++)
		if ((letters & (1U << i)) != 0 && record->keywords[i] != NULL)
			out[count++] = i;
	for (size_t i = 0; i < more_count && count < STORE_KEYWORDS_MAX; i++)
		if (more[i] >= 26)
			out[count++] = more[i];
	return count;
}

static void put_added(struct scan *scan, struct index_txn *txn, struct found *found)
{
	uint16_t keywords[STORE_KEYWORDS_MAX], logged[STORE_KEYWORDS_MAX];
	size_t logged_count = 0;
	if (!found->is_new_message)
		logged_count = keyword_log_get(&scan->log, &scan->folder->record, found->uid, logged);
	struct index_row row = {
		.uid = found->uid,
		.flags = found->parsed.flags | (found->in_new ? MESSAGE_RECENT : 0U),
		.internaldate = found->mtime,
		.size = (uint64_t)found->size,
		.crlf_size = found->parsed.size == (uint64_t)found->size ? found->parsed.crlf_size
			: FILENAME_UNKNOWN,
		.in_new = found->in_new,
		.keywords = keywords,
		.name = found->new_name.ptr != NULL ? found->new_name : found->name,
	};
	row.keyword_count =
		merge_keywords(scan, found->parsed.keywords, logged, logged_count, keywords);
	struct index_row old;
	bool has_old = index_get_row(txn, scan->row.id, row.uid, &old);
	index_put_row(txn, &scan->row, has_old ? &old : NULL, &row, true);
}

static bool same_keywords(const struct index_row *a, const struct index_row *b)
{
	return a->keyword_count == b->keyword_count
		&& (a->keyword_count == 0
			|| memcmp(a->keywords, b->keywords, a->keyword_count * sizeof(uint16_t)) == 0);
}

static void put_known(struct scan *scan, struct index_txn *txn, const struct known *known)
{
	uint16_t keywords[STORE_KEYWORDS_MAX];
	const struct found *found = known->found;
	if (found == NULL) {
		index_delete_row(txn, &scan->row, &known->row);
		return;
	}
	struct index_row row = known->row;
	row.name = found->name;
	row.in_new = found->in_new;
	row.flags = found->parsed.flags
		| (found->in_new ? known->row.flags & MESSAGE_RECENT : 0U);
	row.keywords = keywords;
	row.keyword_count = merge_keywords(scan, found->parsed.keywords, known->row.keywords,
		known->row.keyword_count, keywords);
	bool touch = (row.flags & MESSAGE_FLAGS_SYSTEM) != (known->row.flags & MESSAGE_FLAGS_SYSTEM)
		|| !same_keywords(&row, &known->row);
	index_put_row(txn, &scan->row, &known->row, &row, touch);
}

static bool is_unchanged(const struct known *known)
{
	return known->found != NULL && known->found->in_new == known->row.in_new
		&& span_equal(known->found->name, known->row.name);
}

/* One transaction: up to PIECE changes from position *at of the known rows, then the added. */
static int write_piece(struct scan *scan, size_t *at, bool *ret_done)
{
	struct index_txn txn;
	int error = index_continue(scan->folder->store->index, scan->opening, &txn);
	if (error != 0)
		return error;
	size_t written = 0, total = scan->known_count + scan->added_count;
	for (; *at < total && written < PIECE && txn.error == 0; (*at)++) {
		if (*at >= scan->known_count)
			put_added(scan, &txn, scan->added[*at - scan->known_count]);
		else if (!is_unchanged(&scan->known[*at]))
			put_known(scan, &txn, &scan->known[*at]);
		else
			continue;
		written++;
	}
	*ret_done = *at >= total;
	if (*ret_done) {
		scan->row.new_mtime = scan->listing.new_mtime;
		scan->row.cur_mtime = scan->listing.cur_mtime;
		scan->row.scanned = file_now_ns() / 1000000000;
	}
	/* A row unfinished when rebuilding must not be taken for whole: it is put at the end only. */
	if (*ret_done || !scan->rebuilding)
		index_put_folder(&txn, folder_dir(scan->folder), &scan->row);
	return index_commit(&txn);
}

static bool has_changes(const struct scan *scan)
{
	for (size_t i = 0; i < scan->known_count; i++)
		if (!is_unchanged(&scan->known[i]))
			return true;
	return scan->added_count > 0;
}

static int write_rows(struct scan *scan)
{
	size_t at = 0;
	bool done = false;
	bool changed = has_changes(scan);
	if (changed)
		index_next_modseq(&scan->row);
	while (!done) {
		int error = write_piece(scan, &at, &done);
		if (error != 0)
			return error;
		if (!done && task_self() != NULL)
			(void)task_yield();
	}
	if (changed)
		folder_signal(scan->folder);
	return 0;
}

/* --- the whole --- */

static bool needs_rename(const struct scan *scan)
{
	for (size_t i = 0; i < scan->added_count; i++)
		if (scan->added[i]->new_name.ptr != NULL)
			return true;
	return false;
}

static int read_and_match(struct scan *scan)
{
	int error = listing_read(scan->folder, &scan->listing);
	if (error == 0)
		error = load_rows(scan);
	if (error == 0)
		error = match(scan);
	return error;
}

static void reset_for_second_reading(struct scan *scan)
{
	listing_done(&scan->listing);
	listing_init(&scan->listing);
	scan->known = NULL;
	scan->known_count = scan->known_room = 0;
	scan->added_count = scan->missing = 0;
	scan->sum = 0;
}

static int run(struct scan *scan)
{
	int error = load_folder(scan);
	if (error == 0)
		error = read_and_match(scan);
	if (error == 0 && scan->missing > 0) {
		reset_for_second_reading(scan);
		error = read_and_match(scan);
	}
	if (error == 0)
		error = give_uids(scan);
	if (error == 0 && needs_rename(scan)) {
		/* Our own renames move the mtimes: the next look reads once more, once. */
		scan->listing.new_mtime = scan->listing.cur_mtime = 0;
		task_offload(rename_in_pool, scan);
		drop_vanished(scan);
	}
	if (error == 0 && scan->rebuilding)
		error = keyword_log_load(scan->folder->dir_fd, &scan->log);
	if (error == 0)
		error = write_rows(scan);
	return error;
}

int scan_folder(struct folder *folder, const struct inherited *inherited)
{
	int error = -EIO;
	/* An index that fails is dropped and begun anew by the next transaction. */
	for (int attempt = 0; attempt < 3 && error == -EIO; attempt++) {
		struct scan *scan = NEW(struct scan);
		scan->folder = folder;
		scan->inherited = inherited;
		listing_init(&scan->listing);
		keyword_log_init(&scan->log);
		error = run(scan);
		keyword_log_done(&scan->log);
		listing_done(&scan->listing);
		free(scan);
	}
	return error;
}
