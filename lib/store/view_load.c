/* Reading what changed in the index into a view, and taking \Recent messages.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "store/change_private.h"
#include "store/filename.h"
#include "store/mailbox_private.h"

#define ROWS_PIECE 5000
#define RECENT_PIECE 200

const uint16_t *view_keywords(struct mailbox *mailbox, const uint16_t *keywords, size_t count)
{
	if (count == 0)
		return NULL;
	struct span key = span_new(keywords, count * sizeof(uint16_t));
	uint16_t *set = table_get(&mailbox->keyword_sets, key);
	if (set == NULL) {
		set = memory_zalloc(count, sizeof(uint16_t));
		memcpy(set, keywords, key.len);
		(void)table_put(&mailbox->keyword_sets, key, set);
	}
	return set;
}

static void make_room(struct mailbox *mailbox, size_t room)
{
	if (room <= mailbox->room)
		return;
	mailbox->messages = memory_resize(mailbox->messages, room, sizeof(struct message));
	mailbox->room = room;
}

static struct message *append_message(struct mailbox *mailbox, uint32_t uid)
{
	/* A session may be idle for hours: it gets little more than it needs. */
	if (mailbox->count == mailbox->room)
		make_room(mailbox, mailbox->room + mailbox->room / 8 + 8);
	struct message *message = &mailbox->messages[mailbox->count++];
	*message = (struct message){.uid = uid};
	return message;
}

void view_touch(struct mailbox *mailbox, size_t at)
{
	if (mailbox->touched_end == 0 || at < mailbox->touched_from)
		mailbox->touched_from = at;
	if (at >= mailbox->touched_end)
		mailbox->touched_end = at + 1;
	mailbox->has_own = true;
}

void view_expunge(struct mailbox *mailbox, size_t at)
{
	struct message *message = &mailbox->messages[at];
	view_touch(mailbox, at);
	if (!message->expunged)
		mailbox->sum -= index_row_sum(message->uid, message->modseq);
	message->expunged = true;
}

static bool names_are_missing(const struct mailbox *mailbox, const struct index_row *row)
{
	if (row->keyword_count == 0)
		return false;
	uint16_t last = row->keywords[row->keyword_count - 1];
	return last >= mailbox->keyword_count || mailbox->keywords[last] == NULL;
}

void view_put_row(struct mailbox *mailbox, const struct index_row *row, bool pending)
{
	size_t at = view_find(mailbox, row->uid);
	struct message *message;
	uint32_t recent = row->flags & MESSAGE_RECENT;
	if (at < mailbox->count && mailbox->messages[at].uid == row->uid) {
		message = &mailbox->messages[at];
		if (message->modseq == row->modseq && !message->expunged)
			pending = message->pending;
		recent |= message->flags & MESSAGE_RECENT;
		if (!message->expunged)
			mailbox->sum -= index_row_sum(message->uid, message->modseq);
	} else if (at == mailbox->count) {
		message = append_message(mailbox, row->uid);
		mailbox->recent_changed = mailbox->recent_changed || recent != 0;
	} else {
		/* Below what this session was told: UIDs only grow, so it cannot be shown. */
		mailbox->has_gaps = true;
		return;
	}
	view_touch(mailbox, at);
	if ((row->flags & MESSAGE_SEEN) == 0 && at < mailbox->seen_below)
		mailbox->seen_below = at;
	mailbox->keywords_behind = mailbox->keywords_behind || names_are_missing(mailbox, row);
	mailbox->sum += index_row_sum(row->uid, row->modseq);
	message->flags = (row->flags & MESSAGE_FLAGS_SYSTEM) | recent;
	message->modseq = row->modseq;
	message->internaldate = row->internaldate;
	message->size = row->crlf_size == FILENAME_UNKNOWN ? UINT64_MAX : row->crlf_size;
	message->keywords = view_keywords(mailbox, row->keywords, row->keyword_count);
	message->keyword_count = row->keyword_count;
	message->expunged = false;
	message->pending = pending;
}

/* --- everything: at open, or when the index was built anew --- */

struct load {
	struct mailbox *mailbox;
	size_t left;
	uint32_t next;
	uint64_t sum;
};

static bool load_row(const struct index_row *row, void *arg)
{
	struct load *load = arg;
	if (load->left-- == 0)
		return false;
	struct mailbox *mailbox = load->mailbox;
	/* Messages between the last one seen and this one are gone. */
	for (size_t i = view_find(mailbox, load->next);
		i < mailbox->count && mailbox->messages[i].uid < row->uid; i++)
		view_expunge(mailbox, i);
	view_put_row(mailbox, row, true);
	load->next = row->uid + 1;
	load->sum += index_row_sum(row->uid, row->modseq);
	return true;
}

/* folder: as it was when the reading began. */
static int load_all(struct mailbox *mailbox, const struct index_folder *folder)
{
	struct index_folder row = {0};
	struct load load = {.mailbox = mailbox, .next = 1};
	size_t pieces = 0;
	/* What was never told comes again; a reading that failed may have left what is not there. */
	mailbox->count = mailbox->told;
	do {
		struct index_txn txn;
		int error = index_begin(mailbox->store->index, false, &txn);
		if (error != 0)
			return error;
		load.left = ROWS_PIECE;
		pieces++;
		index_each_row(&txn, mailbox->id, load.next, load_row, &load);
		(void)index_get_folder(&txn, folder_dir(mailbox->folder), &row);
		index_abort(&txn);
		if (txn.error != 0)
			return txn.error;
		if (load.left == SIZE_MAX && task_self() != NULL && task_yield() != 0)
			return -ECANCELED;
	} while (load.left == SIZE_MAX);
	for (size_t i = view_find(mailbox, load.next); i < mailbox->count; i++)
		view_expunge(mailbox, i);
	mailbox->sum = load.sum;
	/* With nothing changed meanwhile the rows are those that the mailbox counts. */
	if (load.sum == row.sum || (pieces > 1 && row.sum != folder->sum))
		return 0;
	index_distrust(mailbox->store->index);
	return -EIO;
}

/* --- what changed since the last time --- */

struct collect {
	struct mailbox *mailbox;
	struct buf uids;
	size_t left;
	bool more;
};

static bool collect_change(uint32_t uid, bool expunged, void *arg)
{
	struct collect *collect = arg;
	struct mailbox *mailbox = collect->mailbox;
	collect->more = collect->left == 0;
	if (collect->more)
		return false;
	collect->left--;
	if (!expunged) {
		buf_append_bytes(&collect->uids, &uid, sizeof(uid));
		return true;
	}
	size_t at = view_find(mailbox, uid);
	if (at < mailbox->count && mailbox->messages[at].uid == uid)
		view_expunge(mailbox, at);
	return true;
}

static int compare_uids(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return a < b ? -1 : a > b;
}

/* *ret_all: they are many, everything is to be read, in pieces. */
static int load_changes(struct mailbox *mailbox, struct index_txn *txn, bool *ret_all)
{
	struct collect collect = {mailbox, BUF_INIT(1UL << 20), ROWS_PIECE, false};
	index_each_change(txn, mailbox->id, mailbox->modseq, collect_change, &collect);
	*ret_all = collect.more;
	size_t count = *ret_all ? 0 : collect.uids.len / sizeof(uint32_t);
	uint32_t *uids = (uint32_t *)(void *)collect.uids.ptr;
	/* New messages must come in the order of their UIDs, not of their changes. */
	if (count > 0)
		qsort(uids, count, sizeof(*uids), compare_uids);
	for (size_t i = 0; i < count && txn->error == 0; i++) {
		struct index_row row;
		if (index_get_row(txn, mailbox->id, uids[i], &row))
			view_put_row(mailbox, &row, true);
	}
	buf_done(&collect.uids);
	return txn->error;
}

/* New keyword names stand in the record, which other processes write. */
static int refresh_keywords(struct mailbox *mailbox)
{
	size_t count = mailbox->folder->record.keyword_count;
	if (!mailbox->keywords_behind && mailbox->keyword_count == count)
		return 0;
	int error = folder_lock(mailbox->folder); /* reads the record again */
	if (error != 0)
		return error;
	view_copy_keywords(mailbox);
	mailbox->keywords_behind = false;
	folder_unlock(mailbox->folder);
	return 0;
}

int view_load(struct mailbox *mailbox)
{
	struct index_txn txn;
	struct index_folder row;
	int error = folder_begin(mailbox->folder, false, &txn, &row);
	if (error != 0)
		return error;
	if (row.uidvalidity != mailbox->uidvalidity) {
		index_abort(&txn);
		return -ESTALE;
	}
	bool all = row.generation != mailbox->generation || row.id != mailbox->id
		|| mailbox->modseq < row.floor;
	bool none = !all && row.highestmodseq == mailbox->modseq;
	if (!all && !none)
		error = load_changes(mailbox, &txn, &all);
	index_abort(&txn);
	if (error != 0 || none)
		return error;
	mailbox->id = row.id;
	/* Changes that do not lead to what the mailbox counts: some are missing. */
	if (all || mailbox->sum != row.sum) {
		make_room(mailbox, row.exists);
		error = load_all(mailbox, &row);
	}
	if (error != 0)
		return error;
	mailbox->generation = row.generation;
	mailbox->modseq = row.highestmodseq;
	mailbox->uidnext = row.uidnext;
	return refresh_keywords(mailbox);
}

static bool is_missing(const struct mailbox *mailbox, const struct change *change)
{
	size_t at = view_find(mailbox, change->uid);
	return !change->found && !change->refused && at < mailbox->count
		&& mailbox->messages[at].uid == change->uid && !mailbox->messages[at].expunged;
}

int mailbox_check_missing(struct mailbox *mailbox, const struct change *changes, size_t count)
{
	bool looked = false;
	for (size_t i = 0; i < count; i++) {
		if (!is_missing(mailbox, &changes[i]))
			continue;
		/* Expunged by another session, as a rule. */
		int error = looked ? 0 : view_load(mailbox);
		looked = true;
		if (error != 0)
			return error;
		if (is_missing(mailbox, &changes[i])) {
			index_distrust(mailbox->store->index);
			return -EIO;
		}
	}
	return 0;
}

/* --- \Recent --- */

static int try_piece(struct mailbox *mailbox, const uint32_t *uids, size_t count)
{
	struct arena arena;
	struct index_folder row;
	arena_init(&arena, 1UL << 22);
	struct change *changes = arena_array(&arena, count, sizeof(*changes));
	int error = changes == NULL ? -ENOMEM : folder_lock(mailbox->folder);
	if (error == 0) {
		for (size_t i = 0; i < count; i++)
			changes[i].uid = uids[i];
		error = change_load(mailbox->folder, &arena, changes, count, &row);
		for (size_t i = 0; error == 0 && i < count; i++) {
			changes[i].wanted = changes[i].found
				&& (changes[i].old.flags & MESSAGE_RECENT) != 0;
			changes[i].row.flags &= ~(uint32_t)MESSAGE_RECENT;
			changes[i].row.in_new = false;
		}
		if (error == 0)
			error = change_apply(mailbox->folder, &arena, changes, count);
		folder_unlock(mailbox->folder);
	}
	for (size_t i = 0; error == 0 && i < count; i++) {
		size_t at = view_find(mailbox, uids[i]);
		if (at == mailbox->count || mailbox->messages[at].uid != uids[i])
			continue;
		mailbox->messages[at].claimed = true;
		/* Another session was quicker: it has \Recent, we have not. */
		if (!changes[i].wanted)
			mailbox->messages[at].flags &= ~(uint32_t)MESSAGE_RECENT;
	}
	arena_done(&arena);
	return error;
}

static int take_piece(struct mailbox *mailbox, const uint32_t *uids, size_t count)
{
	int error = -EIO;
	for (int attempt = 0; attempt < 3 && error == -EIO; attempt++)
		error = try_piece(mailbox, uids, count);
	return error;
}

static int count_recent(struct mailbox *mailbox, uint32_t *ret_recent)
{
	struct index_txn txn;
	struct index_folder row = {0};
	int error = index_begin(mailbox->store->index, false, &txn);
	if (error != 0)
		return error;
	(void)index_get_folder(&txn, folder_dir(mailbox->folder), &row);
	index_abort(&txn);
	*ret_recent = row.recent;
	return 0;
}

int view_take_recent(struct mailbox *mailbox)
{
	uint32_t recent = 0;
	uint32_t uids[RECENT_PIECE];
	int error = count_recent(mailbox, &recent);
	for (size_t i = 0; error == 0 && recent > 0 && i < mailbox->count;) {
		size_t count = 0;
		for (; i < mailbox->count && count < RECENT_PIECE; i++) {
			const struct message *message = &mailbox->messages[i];
			if ((message->flags & MESSAGE_RECENT) != 0 && !message->claimed)
				uids[count++] = message->uid;
		}
		if (count > 0)
			error = take_piece(mailbox, uids, count);
		if (error == 0 && task_self() != NULL)
			error = task_yield();
	}
	/* Mail can be read where nothing can be written: then \Recent is nobody's. */
	return error == -ENOSPC || error == -EDQUOT || error == -EROFS ? 0 : error;
}
