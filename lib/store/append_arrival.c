/* The short way of a delivery: its row waits among the mailbox's arrivals, and mostly nobody asks
 * the index. Only for the first attempt: a repeated one may find its message there, which the index
 * knows. Whatever is unusual takes the long way (append.c). Order: a UID below a durable mark, the
 * record among the arrivals, the rename, the mtime of new/ that the record names, the folder's
 * flush. A crash leaves a file under tmp/, or a record whose file never came: the row that it
 * becomes is removed by the next scan.
 * SPDX-License-Identifier: ISC */
#include "store/append_private.h"

#include <errno.h>
#include <unistd.h>

#include "store/file_private.h"
#include "store/filename.h"
#include "store/mailbox.h"

#define LONG_WAY 1

static bool is_plain(const struct append_options *options)
{
	return options->is_delivery && options->first_ms > 0 && options->base.len > 0
		&& options->keyword_count == 0 && (options->flags & MESSAGE_FLAGS_SYSTEM) == 0;
}

static int put_and_rename(struct append *append, struct arrivals_head *head)
{
	struct folder *folder = append->folder;
	struct arrivals_head before = *head;
	struct arrival arrival = {
		.uid = append->uid, .internaldate = append->internaldate, .size = append->size,
		.crlf_size = append->crlf_size, .name = buf_span(&append->name),
		.cache = append->cache.overflow ? SPAN_EMPTY : buf_span(&append->cache),
	};
	/* Only when nothing foreign waits to be noticed: otherwise the difference must stay. */
	if (head->new_mtime != 0) {
		arrival.mtime_before = head->new_mtime;
		arrival.mtime_after = file_now_ns();
	}
	int error = arrivals_add(folder, head, &arrival);
	if (error == -E2BIG)
		return LONG_WAY;
	if (error == 0)
		error = append_rename(append);
	if (error == 0 && arrival.mtime_after != 0)
		(void)file_set_mtime_at(folder->dir_fd, "new", arrival.mtime_after);
	/* DURABLE: the name, after the rename. */
	if (error == 0 && append->options->durability == APPEND_DURABLE)
		error = file_sync_dir_at(folder->dir_fd, "new");
	if (error != 0)
		arrivals_take_back(folder, &before);
	return error;
}

static void take_away(struct append *append)
{
	struct buf path = BUF_INIT(300);
	folder_path(true, buf_span(&append->name), &path);
	if (append->is_renamed)
		(void)unlinkat(append->folder->dir_fd, buf_cstr(&path), 0);
	append->is_renamed = false;
	buf_done(&path);
}

/* A first attempt may come late, behind one that repeated it because nobody knew what had become of
 * it. That one went the long way, where a UID strikes out the head: only before a younger head has
 * it to be looked for, in the index. */
static bool may_be_late(const struct append *append, const struct arrivals_head *head)
{
	return head->id != 0
		&& (uint64_t)append->options->first_ms <= head->life / UINT64_C(1000000);
}

static int look_into_index(struct folder *folder, struct span unique)
{
	struct index_txn txn;
	struct index_folder row;
	if (folder_begin(folder, false, &txn, &row) != 0)
		return LONG_WAY;
	bool is_there = index_find_name(&txn, row.id, unique) != 0;
	index_abort(&txn);
	return is_there || txn.error != 0 ? LONG_WAY : 0;
}

/* Room for one more, and a UID that may be given out. */
static int prepare(struct append *append, struct arrivals_head *head)
{
	struct folder *folder = append->folder;
	struct filename parsed;
	if (!filename_parse(append->options->base, &parsed))
		return LONG_WAY;
	int error = arrivals_ready(folder, head);
	/* A file that the index does not know may have the next UID in its name: a scan looks. */
	if (error > 0)
		error = folder_enter(folder) != 0 || folder_sync(folder, false) != 0 ? LONG_WAY
			: arrivals_begin(folder, head);
	if (error == 0 && may_be_late(append, head))
		error = look_into_index(folder, parsed.unique);
	return error == -EIO ? LONG_WAY : error;
}

static int put_locked(struct append *append, struct append_result *ret_result)
{
	struct arrivals_head head;
	int error = prepare(append, &head);
	if (error != 0)
		return error;
	append->uid = head.uidnext;
	append_make_name(append, head.uidvalidity, NULL, 0);
	if (append->name.overflow)
		return -ENAMETOOLONG;
	error = put_and_rename(append, &head);
	if (error < 0)
		take_away(append);
	if (error == 0)
		*ret_result = (struct append_result){head.uidvalidity, append->uid, false};
	return error;
}

int append_arrival(struct append *append, struct append_result *ret_result)
{
	if (!is_plain(append->options) || folder_lock_for_arrival(append->folder) != 0)
		return LONG_WAY;
	int error = put_locked(append, ret_result);
	folder_unlock(append->folder);
	return error;
}
