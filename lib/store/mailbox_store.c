/* STORE and EXPUNGE on a view; see mailbox.h.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/change_private.h"
#include "store/file_private.h"
#include "store/mailbox_private.h"

#define ARENA_MAX (1UL << 24)

struct storing {
	struct mailbox *mailbox;
	const struct store_request *request;
	uint16_t numbers[STORE_KEYWORDS_MAX];
	size_t number_count;
	struct buf *modified;
};

static bool has_number(const uint16_t *numbers, size_t count, uint16_t number)
{
	for (size_t i = 0; i < count; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

/* What the keywords become, ascending, into out. */
static uint16_t new_keywords(
	const struct storing *storing, const struct index_row *old, uint16_t *out)
{
	const struct store_request *request = storing->request;
	const uint16_t *wanted = storing->numbers;
	size_t a = 0, b = 0;
	uint16_t count = 0;
	if (request->operation == STORE_SET) {
		memcpy(out, wanted, storing->number_count * sizeof(*out));
		return (uint16_t)storing->number_count;
	}
	if (request->operation == STORE_REMOVE) {
		for (; a < old->keyword_count; a++)
			if (!has_number(wanted, storing->number_count, old->keywords[a]))
				out[count++] = old->keywords[a];
		return count;
	}
	while ((a < old->keyword_count || b < storing->number_count) && count < STORE_KEYWORDS_MAX) {
		if (b == storing->number_count
			|| (a < old->keyword_count && old->keywords[a] <= wanted[b])) {
			if (b < storing->number_count && old->keywords[a] == wanted[b])
				b++;
			out[count++] = old->keywords[a++];
		} else {
			out[count++] = wanted[b++];
		}
	}
	return count;
}

static uint32_t new_flags(const struct store_request *request, uint32_t old)
{
	uint32_t asked = request->flags & MESSAGE_FLAGS_SYSTEM;
	switch (request->operation) {
	case STORE_SET:
		return asked | (old & MESSAGE_RECENT);
	case STORE_ADD:
		return old | asked;
	case STORE_REMOVE:
		return old & ~asked;
	}
	return old;
}

static void decide(const struct storing *storing, struct arena *arena, struct change *change)
{
	const struct store_request *request = storing->request;
	if (!change->found)
		return;
	if (request->has_unchanged_since && change->old.modseq > request->unchanged_since) {
		if (storing->modified != NULL)
			buf_append_bytes(storing->modified, &change->uid, sizeof(change->uid));
		change->found = false;
		change->refused = true;
		return;
	}
	uint16_t *keywords = arena_array(arena, (size_t)change->old.keyword_count
		+ storing->number_count + 1, sizeof(uint16_t));
	if (keywords == NULL)
		return;
	change->row.flags = new_flags(request, change->old.flags);
	change->row.keywords = keywords;
	change->row.keyword_count = new_keywords(storing, &change->old, keywords);
	/* A file in new/ bears no flags. */
	change->row.in_new = change->old.in_new
		&& (change->row.flags & MESSAGE_FLAGS_SYSTEM) == 0 && change->row.keyword_count == 0;
	bool same_keywords = change->row.keyword_count == change->old.keyword_count
		&& (change->row.keyword_count == 0
			|| memcmp(keywords, change->old.keywords,
				change->row.keyword_count * sizeof(uint16_t)) == 0);
	change->wanted = change->touch = change->row.flags != change->old.flags || !same_keywords;
	change->log_keywords = !same_keywords
		&& (change_has_more(keywords, change->row.keyword_count)
			|| change_has_more(change->old.keywords, change->old.keyword_count));
}

/* Tells the view what became of it; also where nothing had to change. */
static void show(struct storing *storing, const struct change *changes, size_t count)
{
	struct mailbox *mailbox = storing->mailbox;
	for (size_t i = 0; i < count; i++) {
		size_t at = view_find(mailbox, changes[i].uid);
		if (!changes[i].found || at == mailbox->count
			|| mailbox->messages[at].uid != changes[i].uid)
			continue;
		struct index_row row = changes[i].row;
		row.flags &= ~(uint32_t)MESSAGE_RECENT;
		view_put_row(mailbox, &row, !storing->request->silent);
		/* RFC 3501 6.4.6: the client is told the flags even when they were so before. */
		mailbox->messages[at].pending = mailbox->messages[at].pending
			|| (!storing->request->silent && !changes[i].wanted);
	}
}

static int try_piece(struct storing *storing, const uint32_t *uids, size_t count)
{
	struct folder *folder = storing->mailbox->folder;
	struct arena arena;
	struct index_folder row;
	arena_init(&arena, ARENA_MAX);
	struct change *changes = arena_array(&arena, count, sizeof(*changes));
	int error = changes == NULL ? -ENOMEM : folder_lock(folder);
	if (error == 0) {
		for (size_t i = 0; i < count; i++)
			changes[i].uid = uids[i];
		error = folder_sync(folder, false);
		if (error == 0)
			error = change_load(folder, &arena, changes, count, &row);
		if (error == 0 && row.uidvalidity != storing->mailbox->uidvalidity)
			error = -ESTALE;
		for (size_t i = 0; error == 0 && i < count; i++)
			decide(storing, &arena, &changes[i]);
		if (error == 0)
			error = change_apply(folder, &arena, changes, count);
		folder_unlock(folder);
	}
	if (error == 0)
		error = mailbox_check_missing(storing->mailbox, changes, count);
	if (error == 0)
		show(storing, changes, count);
	arena_done(&arena);
	return error;
}

/* An index that fails is dropped; the next attempt builds it anew. What the first one did stays
 * done. */
static int store_piece(struct storing *storing, const uint32_t *uids, size_t count)
{
	int error = -EIO;
	for (int attempt = 0; attempt < 3 && error == -EIO; attempt++)
		error = try_piece(storing, uids, count);
	return error;
}

static int create_keywords(struct storing *storing)
{
	const struct store_request *request = storing->request;
	struct mailbox *mailbox = storing->mailbox;
	if (request->keyword_count == 0)
		return 0;
	int error = folder_lock(mailbox->folder);
	if (error != 0)
		return error;
	error = change_keywords(mailbox->folder, request->keywords, request->keyword_count,
		request->operation != STORE_REMOVE, storing->numbers, &storing->number_count);
	view_copy_keywords(mailbox);
	folder_unlock(mailbox->folder);
	return error;
}

int mailbox_store(struct mailbox *mailbox, const struct store_request *request,
	struct buf *ret_modified)
{
	struct storing *storing;
	int error = mailbox_check_writable(mailbox);
	if (error != 0)
		return error;
	if (request->keyword_count > STORE_KEYWORDS_MAX)
		return -E2BIG;
	storing = calloc(1, sizeof(*storing));
	if (storing == NULL)
		return -ENOMEM;
	*storing = (struct storing){.mailbox = mailbox, .request = request, .modified = ret_modified};
	error = create_keywords(storing);
	for (size_t at = 0; error == 0 && at < request->uid_count; at += CHANGE_PIECE) {
		size_t count = request->uid_count - at < CHANGE_PIECE ? request->uid_count - at
			: CHANGE_PIECE;
		error = store_piece(storing, request->uids + at, count);
		if (error == 0 && task_self() != NULL && at + count < request->uid_count)
			error = task_yield();
	}
	free(storing);
	return error;
}

/* --- expunge --- */

struct expunge {
	struct mailbox *mailbox;
	bool only_deleted;
	bool any_new, any_cur; /* which folders must be flushed */
	size_t done;
};

/* Looks up new/ or cur/ once, not again for each file: *dir is -1 until then. */
static int unlink_in(struct folder *folder, const struct index_row *row, int *dir)
{
	if (*dir < 0) {
		*dir = openat(folder->dir_fd, row->in_new ? "new" : "cur",
			O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (*dir < 0)
			return -errno;
	}
	struct buf name = BUF_INIT(300);
	buf_append(&name, row->name);
	int error = unlinkat(*dir, buf_cstr(&name), 0) == 0 ? 0 : -errno;
	buf_done(&name);
	return error;
}

static int unlink_file(struct folder *folder, const struct index_row *row)
{
	int dir = -1;
	int error = unlink_in(folder, row, &dir);
	if (dir >= 0)
		close(dir);
	return error;
}

struct unlinking {
	struct folder *folder;
	const struct change *changes;
	size_t at, count;
	int error;
};

/* From at on, until one fails: at is that one's. */
static void unlink_in_pool(void *arg)
{
	struct unlinking *unlinking = arg;
	int dirs[2] = {-1, -1}; /* cur/ and new/ */
	unlinking->error = 0;
	for (; unlinking->at < unlinking->count; unlinking->at++) {
		const struct change *change = &unlinking->changes[unlinking->at];
		if (!change->wanted)
			continue;
		unlinking->error = unlink_in(
			unlinking->folder, &change->old, &dirs[change->old.in_new]);
		if (unlinking->error != 0)
			break;
	}
	for (size_t i = 0; i < 2; i++)
		if (dirs[i] >= 0)
			close(dirs[i]);
}

static bool is_to_go(const struct expunge *expunge, const struct change *change)
{
	return change->found &&
		(!expunge->only_deleted || (change->old.flags & MESSAGE_DELETED) != 0);
}

/* Removes the files; one that another program renamed is looked for once more: it may have taken
 * \Deleted back. */
static int unlink_all(
	struct expunge *expunge, struct arena *arena, struct change *changes, size_t count)
{
	struct folder *folder = expunge->mailbox->folder;
	struct index_folder row;
	struct unlinking unlinking = {folder, changes, 0, count, 0};
	for (; unlinking.at < count; unlinking.at++) {
		file_change_names(count - unlinking.at, unlink_in_pool, &unlinking);
		struct change *change = &changes[unlinking.at];
		int error = unlinking.error;
		if (error == -ENOENT) {
			error = folder_sync(folder, true);
			if (error == 0)
				error = change_load(folder, arena, change, 1, &row);
			change->wanted = error == 0 && is_to_go(expunge, change);
			if (change->wanted)
				error = unlink_file(folder, &change->old);
		}
		if (error != 0) {
			for (; unlinking.at < count; unlinking.at++)
				changes[unlinking.at].wanted = false;
			return error;
		}
	}
	return 0;
}

static int delete_rows(struct folder *folder, const struct change *changes, size_t count,
	const struct folder_touch *touch)
{
	struct index_txn txn;
	struct index_folder row;
	uint32_t uids[CHANGE_PIECE];
	size_t gone = 0;
	int error = folder_begin(folder, true, &txn, &row);
	if (error != 0)
		return error;
	for (size_t i = 0; i < count; i++)
		if (changes[i].wanted)
			uids[gone++] = changes[i].uid;
	index_next_modseq(&row);
	index_delete_rows(&txn, &row, uids, gone);
	if (touch->new_dir)
		row.new_mtime = touch->when;
	if (touch->cur_dir)
		row.cur_mtime = touch->when;
	index_put_folder(&txn, folder_dir(folder), &row);
	return index_commit(&txn);
}

static int expunge_locked(struct expunge *expunge, struct arena *arena, struct change *changes,
	size_t count)
{
	struct folder *folder = expunge->mailbox->folder;
	struct index_folder row;
	struct folder_touch touch;
	bool any_new = false, any_cur = false;
	int error = folder_sync(folder, false);
	if (error == 0)
		error = change_load(folder, arena, changes, count, &row);
	if (error == 0 && row.uidvalidity != expunge->mailbox->uidvalidity)
		error = -ESTALE;
	if (error != 0)
		return error;
	for (size_t i = 0; i < count; i++) {
		changes[i].wanted = is_to_go(expunge, &changes[i]);
		any_new = any_new || (changes[i].wanted && changes[i].old.in_new);
		any_cur = any_cur || (changes[i].wanted && !changes[i].old.in_new);
	}
	if (!any_new && !any_cur)
		return 0;
	folder_touch_begin(folder, &row, any_new, any_cur, &touch);
	error = unlink_all(expunge, arena, changes, count);
	int written = delete_rows(folder, changes, count, &touch);
	if (written == 0)
		folder_touch_end(folder, &touch);
	else if (written == -EIO)
		written = folder_sync(folder, true);
	folder_signal(folder);
	expunge->any_new = expunge->any_new || any_new;
	expunge->any_cur = expunge->any_cur || any_cur;
	for (size_t i = 0; i < count; i++)
		expunge->done += changes[i].wanted;
	return error != 0 ? error : written;
}

static int try_expunge(struct expunge *expunge, const uint32_t *uids, size_t count)
{
	struct folder *folder = expunge->mailbox->folder;
	struct arena arena;
	arena_init(&arena, ARENA_MAX);
	struct change *changes = arena_array(&arena, count, sizeof(*changes));
	int error = changes == NULL ? -ENOMEM : folder_lock(folder);
	if (error == 0) {
		for (size_t i = 0; i < count; i++)
			changes[i].uid = uids[i];
		error = expunge_locked(expunge, &arena, changes, count);
		folder_unlock(folder);
	}
	if (error == 0)
		error = mailbox_check_missing(expunge->mailbox, changes, count);
	arena_done(&arena);
	return error;
}

static int expunge_piece(struct expunge *expunge, const uint32_t *uids, size_t count)
{
	int error = -EIO;
	for (int attempt = 0; attempt < 3 && error == -EIO; attempt++)
		error = try_expunge(expunge, uids, count);
	return error;
}

int mailbox_expunge(struct mailbox *mailbox, const uint32_t *uids, size_t uid_count,
	bool only_deleted, size_t *ret_count)
{
	struct expunge expunge = {.mailbox = mailbox, .only_deleted = only_deleted};
	int error = mailbox_check_writable(mailbox);
	for (size_t at = 0; error == 0 && at < uid_count; at += CHANGE_PIECE) {
		size_t count = uid_count - at < CHANGE_PIECE ? uid_count - at : CHANGE_PIECE;
		error = expunge_piece(&expunge, uids + at, count);
		if (error == 0 && task_self() != NULL && at + count < uid_count)
			error = task_yield();
	}
	/* DURABLE: what the client was told is gone does not come back. */
	if (error == 0 && expunge.any_new)
		error = file_sync_dir_at(mailbox->folder->dir_fd, "new");
	if (error == 0 && expunge.any_cur)
		error = file_sync_dir_at(mailbox->folder->dir_fd, "cur");
	if (ret_count != NULL)
		*ret_count = expunge.done;
	return error;
}
