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
	} else if (at == mailbox->count) {
		message = append_message(mailbox, row->uid);
		mailbox->recent_changed = mailbox->recent_changed || recent != 0;
	} else {
		return; /* below what this session was told: UIDs only grow, so it cannot be shown */
	}
	mailbox->touched = mailbox->has_own = true;
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
		mailbox->messages[i].expunged = true;
	view_put_row(mailbox, row, true);
	load->next = row->uid + 1;
	return true;
}

static int load_all(struct mailbox *mailbox)
{
	uint32_t next = 1;
	for (;;) {
		struct index_txn txn;
		int error = index_begin(mailbox->store->index, false, &txn);
		if (error != 0)
			return error;
		struct load load = {mailbox, ROWS_PIECE, next};
		index_each_row(&txn, mailbox->id, next, load_row, &load);
		index_abort(&txn);
		if (txn.error != 0)
			return txn.error;
		next = load.next;
		if (load.left != SIZE_MAX)
			break;
		if (task_self() != NULL && task_yield() != 0)
			return -ECANCELED;
	}
	for (size_t i = view_find(mailbox, next); i < mailbox->count; i++)
		mailbox->messages[i].expunged = true;
	return 0;
}

/* --- what changed since the last time --- */

struct collect {
	struct mailbox *mailbox;
	struct buf uids;
};

static bool collect_change(uint32_t uid, bool expunged, void *arg)
{
	struct collect *collect = arg;
	struct mailbox *mailbox = collect->mailbox;
	if (!expunged) {
		buf_append_bytes(&collect->uids, &uid, sizeof(uid));
		return true;
	}
	size_t at = view_find(mailbox, uid);
	if (at < mailbox->count && mailbox->messages[at].uid == uid)
		mailbox->messages[at].expunged = true;
	return true;
}

static int compare_uids(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return a < b ? -1 : a > b;
}

static int load_changes(struct mailbox *mailbox, struct index_txn *txn)
{
	struct collect collect = {mailbox, BUF_INIT(1UL << 30)};
	index_each_change(txn, mailbox->id, mailbox->modseq, collect_change, &collect);
	size_t count = collect.uids.len / sizeof(uint32_t);
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
	bool behind = mailbox->keyword_count != mailbox->folder->record.keyword_count;
	for (size_t i = 0; !behind && i < mailbox->count; i++) {
		const struct message *message = &mailbox->messages[i];
		if (message->keyword_count > 0
			&& (message->keywords[message->keyword_count - 1] >= mailbox->keyword_count
				|| mailbox->keywords[message->keywords[message->keyword_count - 1]] == NULL))
			behind = true;
	}
	if (!behind)
		return 0;
	int error = folder_lock(mailbox->folder); /* reads the record again */
	if (error != 0)
		return error;
	view_copy_keywords(mailbox);
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
		error = load_changes(mailbox, &txn);
	index_abort(&txn);
	if (error != 0 || none)
		return error;
	mailbox->touched = mailbox->has_own = true;
	mailbox->id = row.id;
	if (all) {
		make_room(mailbox, row.exists);
		error = load_all(mailbox);
	}
	if (error != 0)
		return error;
	mailbox->generation = row.generation;
	mailbox->modseq = row.highestmodseq;
	mailbox->uidnext = row.uidnext;
	return refresh_keywords(mailbox);
}

/* --- \Recent --- */

static int take_piece(struct mailbox *mailbox, const uint32_t *uids, size_t count)
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
	return error;
}
