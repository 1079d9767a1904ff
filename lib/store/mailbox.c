/* A session's view of a mailbox: opening, closing, looking at it, refreshing; see mailbox.h.
 * SPDX-License-Identifier: ISC */
#include "store/mailbox_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "store/file_private.h"
#include "store/name_private.h"

#define POP3_LOCK_FILE "tambo-pop3-lock"
#define RESULT_MAX (256UL << 20)
/* Even when the mtimes agree: a change of another program in the very moment of our own is found at
 * the latest when a mailbox is opened that was not read in full for so long. */
#define FULL_SCAN_SECONDS 600

static int take_pop3_lock(struct mailbox *mailbox)
{
	mailbox->pop3_lock_fd = openat(mailbox->folder->dir_fd, POP3_LOCK_FILE,
		O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (mailbox->pop3_lock_fd < 0)
		return errno == EROFS ? 0 : -errno;
	int error = file_try_lock(mailbox->pop3_lock_fd);
	return error == -EAGAIN ? -EBUSY : error;
}

static bool is_scan_old(struct mailbox *mailbox, int64_t scanned_since)
{
	struct index_txn txn;
	struct index_folder row;
	if (index_begin(mailbox->store->index, false, &txn) != 0)
		return true;
	bool known = index_get_folder(&txn, folder_dir(mailbox->folder), &row);
	index_abort(&txn);
	return !known || row.scanned < scanned_since;
}

/* Makes sure that the life has begun and the index is right. */
static int prepare(struct mailbox *mailbox)
{
	struct folder *folder = mailbox->folder;
	int64_t scanned_since = file_now_ns() / 1000000000 - FULL_SCAN_SECONDS;
	bool is_settled = folder_is_settled(folder, scanned_since);
	int error = is_settled ? 0 : folder_lock(folder);
	if (error != 0)
		return error;
	mailbox->uidvalidity = folder->record.uidvalidity;
	if (is_settled)
		return 0;
	bool is_old = is_scan_old(mailbox, scanned_since);
	error = folder_sync(folder, is_old);
	folder_unlock(folder);
	if (error == 0 && is_old)
		folder_clean(folder);
	return error;
}

static int refresh_view(struct mailbox *mailbox, bool allow_expunge,
	const struct mailbox_changes **ret_changes);

int mailbox_open(
	struct store *store, struct span name, unsigned flags, struct mailbox **ret_mailbox)
{
	struct folder *folder;
	int error = folder_get_by_name(store, name, &folder);
	if (error != 0)
		return error;
	struct mailbox *mailbox = NEW(struct mailbox);
	mailbox->store = store;
	mailbox->folder = folder;
	store->refs++;
	list_append(&folder->views, &mailbox->folder_node);
	buf_init(&mailbox->name, STORE_NAME_MAX);
	(void)store_name_check(name, &mailbox->name);
	mailbox->read_only = (flags & MAILBOX_READ_ONLY) != 0;
	mailbox->is_pop3 = (flags & MAILBOX_POP3) != 0;
	mailbox->pop3_lock_fd = mailbox->event_fd = -1;
	table_init(&mailbox->keyword_sets);
	table_init(&mailbox->uidls);
	buf_init(&mailbox->expunged, RESULT_MAX);
	buf_init(&mailbox->expunged_uids, RESULT_MAX);
	buf_init(&mailbox->changed, RESULT_MAX);
	if (mailbox->is_pop3)
		error = take_pop3_lock(mailbox);
	if (error == 0)
		error = prepare(mailbox);
	const struct mailbox_changes *unused;
	if (error == 0)
		view_spare_take(mailbox);
	if (error == 0)
		error = refresh_view(mailbox, true, &unused);
	if (error != 0) {
		mailbox_close(mailbox);
		return error == -ESTALE ? -ENOENT : error;
	}
	mailbox->told_keywords = mailbox->keyword_count;
	*ret_mailbox = mailbox;
	return 0;
}

static void free_keywords(struct mailbox *mailbox)
{
	for (size_t i = 0; i < mailbox->keyword_count; i++)
		free(mailbox->keywords[i]);
	free(mailbox->keywords);
	mailbox->keywords = NULL;
	mailbox->keyword_count = 0;
}

void mailbox_close(struct mailbox *mailbox)
{
	if (mailbox == NULL)
		return;
	list_remove(&mailbox->folder_node);
	if (list_is_empty(&mailbox->folder->views))
		watch_remove(mailbox->folder);
	file_close(&mailbox->pop3_lock_fd);
	if (mailbox->event_fd >= 0)
		task_forget_fd(mailbox->event_fd);
	file_close(&mailbox->event_fd);
	view_spare_give(mailbox);
	free(mailbox->messages);
	table_done(&mailbox->keyword_sets, free);
	table_done(&mailbox->uidls, free);
	free_keywords(mailbox);
	buf_done(&mailbox->name);
	buf_done(&mailbox->expunged);
	buf_done(&mailbox->expunged_uids);
	buf_done(&mailbox->changed);
	folder_release(mailbox->folder);
	store_close(mailbox->store);
	free(mailbox);
}

void view_copy_keywords(struct mailbox *mailbox)
{
	const struct record *record = &mailbox->folder->record;
	free_keywords(mailbox);
	mailbox->keywords = memory_zalloc(record->keyword_count + 1, sizeof(char *));
	for (size_t i = 0; i < record->keyword_count; i++)
		if (record->keywords[i] != NULL)
			mailbox->keywords[i] = memory_dup_cstr(record->keywords[i]);
	mailbox->keyword_count = record->keyword_count;
}

struct span mailbox_name(const struct mailbox *mailbox)
{
	return buf_span(&mailbox->name);
}

bool mailbox_is_read_only(const struct mailbox *mailbox)
{
	return mailbox->read_only;
}

int mailbox_check_writable(const struct mailbox *mailbox)
{
	return mailbox->read_only ? -EROFS : 0;
}

uint32_t mailbox_uidvalidity(const struct mailbox *mailbox)
{
	return mailbox->uidvalidity;
}

uint32_t mailbox_uidnext(const struct mailbox *mailbox)
{
	return mailbox->uidnext;
}

uint64_t mailbox_highestmodseq(const struct mailbox *mailbox)
{
	return mailbox->modseq;
}

size_t mailbox_recent(const struct mailbox *mailbox)
{
	size_t recent = 0;
	for (size_t i = 0; mailbox->has_own && i < mailbox->told; i++)
		recent += (mailbox->messages[i].flags & MESSAGE_RECENT) != 0;
	return recent;
}

size_t mailbox_first_unseen(struct mailbox *mailbox)
{
	while (mailbox->seen_below < mailbox->told
		&& (mailbox->messages[mailbox->seen_below].flags & MESSAGE_SEEN) != 0)
		mailbox->seen_below++;
	return mailbox->seen_below;
}

size_t mailbox_count(const struct mailbox *mailbox)
{
	return mailbox->told;
}

const struct message *mailbox_at(const struct mailbox *mailbox, size_t index)
{
	CHECK(index < mailbox->told);
	return &mailbox->messages[index];
}

size_t mailbox_find(const struct mailbox *mailbox, uint32_t uid)
{
	size_t at = view_find(mailbox, uid);
	return at < mailbox->told ? at : mailbox->told;
}

size_t view_find(const struct mailbox *mailbox, uint32_t uid)
{
	size_t low = 0, high = mailbox->count;
	if (high == 0 || mailbox->messages[high - 1].uid < uid)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (mailbox->messages[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t mailbox_keyword_count(const struct mailbox *mailbox)
{
	return mailbox->keyword_count;
}

struct span mailbox_keyword(const struct mailbox *mailbox, size_t number)
{
	if (number >= mailbox->keyword_count)
		return SPAN_EMPTY;
	return span_from_cstr(mailbox->keywords[number]);
}

size_t mailbox_keyword_find(const struct mailbox *mailbox, struct span name)
{
	for (size_t i = 0; i < mailbox->keyword_count; i++)
		if (mailbox->keywords[i] != NULL
			&& span_equal_nocase(span_from_cstr(mailbox->keywords[i]), name))
			return i;
	return SIZE_MAX;
}

bool message_has_keyword(const struct message *message, size_t number)
{
	for (size_t i = 0; i < message->keyword_count; i++)
		if (message->keywords[i] == number)
			return true;
	return false;
}

/* --- refreshing --- */

static void clear_event(struct mailbox *mailbox)
{
	uint64_t count;
	if (mailbox->event_fd >= 0)
		(void)!read(mailbox->event_fd, &count, sizeof(count));
}

void mailbox_signal(struct mailbox *mailbox)
{
	uint64_t one = 1;
	if (mailbox->event_fd >= 0)
		(void)!write(mailbox->event_fd, &one, sizeof(one));
}

int mailbox_event_fd(struct mailbox *mailbox)
{
	if (mailbox->event_fd >= 0)
		return mailbox->event_fd;
	/* Signalled from the start: what came before the watch is not missed. */
	mailbox->event_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (mailbox->event_fd < 0)
		return -errno;
	watch_add(mailbox->folder);
	return mailbox->event_fd;
}

/* INVARIANT: what was never told is not reported as gone either, and goes at any time. */
static void report_expunges(struct mailbox *mailbox, bool allow_expunge)
{
	size_t kept = mailbox->touched_from, told = mailbox->told, end = mailbox->touched_end;
	for (size_t i = kept; i < end; i++) {
		struct message *message = &mailbox->messages[i];
		if (!message->expunged || (i < told && !allow_expunge)) {
			mailbox->messages[kept++] = *message;
			continue;
		}
		if (i >= told)
			continue;
		mailbox->told--;
		uint32_t number = (uint32_t)kept + 1;
		buf_append_bytes(&mailbox->expunged, &number, sizeof(number));
		buf_append_bytes(&mailbox->expunged_uids, &message->uid, sizeof(message->uid));
		if ((message->flags & MESSAGE_RECENT) != 0)
			mailbox->recent_changed = true;
	}
	if (kept == end)
		return;
	memmove(mailbox->messages + kept, mailbox->messages + end,
		(mailbox->count - end) * sizeof(*mailbox->messages));
	mailbox->count -= end - kept;
	mailbox->touched_end = kept;
	if (mailbox->seen_below > mailbox->touched_from)
		mailbox->seen_below = mailbox->touched_from;
}

/* After report_expunges: what is still to be told are changes, and who went and may not be told
 * yet. */
static void report_changes(struct mailbox *mailbox, size_t first_new)
{
	size_t from = mailbox->touched_from, end = mailbox->touched_end;
	mailbox->touched_from = mailbox->touched_end = 0;
	for (size_t i = from; i < end; i++) {
		struct message *message = &mailbox->messages[i];
		uint32_t index = (uint32_t)i;
		if (i < first_new && message->pending && !message->expunged)
			buf_append_bytes(&mailbox->changed, &index, sizeof(index));
		message->pending = false;
		if (message->expunged)
			view_touch(mailbox, i);
	}
}

static void report(struct mailbox *mailbox, bool allow_expunge, size_t keywords_before)
{
	struct mailbox_changes *changes = &mailbox->changes;
	*changes = (struct mailbox_changes){0};
	/* What was read twice may end sooner than it did. */
	if (mailbox->touched_end > mailbox->count)
		mailbox->touched_end = mailbox->count;
	if (mailbox->touched_from < mailbox->touched_end)
		report_expunges(mailbox, allow_expunge);
	changes->first_new = mailbox->told;
	mailbox->told = mailbox->count;
	report_changes(mailbox, changes->first_new);
	changes->expunged = (uint32_t *)(void *)mailbox->expunged.ptr;
	changes->expunged_uids = (uint32_t *)(void *)mailbox->expunged_uids.ptr;
	changes->expunged_count = mailbox->expunged.len / sizeof(uint32_t);
	changes->changed = (uint32_t *)(void *)mailbox->changed.ptr;
	changes->changed_count = mailbox->changed.len / sizeof(uint32_t);
	changes->exists_changed = changes->first_new < mailbox->count;
	changes->recent_changed = mailbox->recent_changed;
	changes->keywords_changed = mailbox->keyword_count != keywords_before;
	mailbox->recent_changed = false;
}

/* The index agrees with the Maildir. */
static int refresh_view(struct mailbox *mailbox, bool allow_expunge,
	const struct mailbox_changes **ret_changes)
{
	int error = 0;
	buf_reset(&mailbox->expunged);
	buf_reset(&mailbox->expunged_uids);
	buf_reset(&mailbox->changed);
	for (int attempt = 0; error == 0 && attempt < 3; attempt++) {
		error = view_load(mailbox);
		if (error != -EIO)
			break;
		/* The index failed: the lock builds it anew. */
		error = folder_refresh(mailbox->folder);
	}
	if (error == 0 && !mailbox->read_only && !mailbox->is_pop3)
		error = view_take_recent(mailbox);
	if (error != 0)
		return error;
	report(mailbox, allow_expunge, mailbox->told_keywords);
	mailbox->told_keywords = mailbox->keyword_count;
	*ret_changes = &mailbox->changes;
	return 0;
}

int mailbox_refresh(struct mailbox *mailbox, bool allow_expunge,
	const struct mailbox_changes **ret_changes)
{
	clear_event(mailbox);
	int error = folder_refresh(mailbox->folder);
	return error != 0 ? error : refresh_view(mailbox, allow_expunge, ret_changes);
}
