/* The short way of a delivery: its row waits among the mailbox's arrivals, the index is only asked
 * whether the message is there already. Whatever is unusual takes the long way (append.c). Order: a
 * UID whose mark is durable, the record, the rename, the mtime of new/ that the record names, the
 * folder's flush. A crash leaves a file under tmp/, or a record whose file never came: the row that
 * it becomes is removed by the next scan.
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
	return options->is_delivery && options->base.len > 0 && options->keyword_count == 0
		&& (options->flags & MESSAGE_FLAGS_SYSTEM) == 0;
}

/* The mailbox's row, when it has no message of that name. */
static int look_into_index(struct folder *folder, struct span unique, struct index_folder *ret_row)
{
	struct index_txn txn;
	if (index_begin(folder->store->index, false, &txn) != 0)
		return LONG_WAY;
	bool good = index_get_folder(&txn, folder_dir(folder), ret_row)
		&& index_find_name(&txn, ret_row->id, unique) == 0;
	index_abort(&txn);
	return good && txn.error == 0 ? 0 : LONG_WAY;
}

/* Arrivals, and a record that fits them. While the index says what it said, the record does up to
 * the mark: whoever begins a new life or names a keyword changes the mailbox's row as well. */
static bool load(struct folder *folder, const struct index_folder *row)
{
	const struct arrivals *arrivals = &folder->arrivals;
	bool is_known = arrivals->fd >= 0 && memcmp(&arrivals->base, row, sizeof(*row)) == 0;
	if (arrivals_load(folder, row) != 0)
		return false;
	is_known = is_known && arrivals->uidnext < folder->record.uidnext_mark;
	return (is_known || folder_load_record(folder) == 0)
		&& row->uidvalidity == folder->record.uidvalidity;
}

/* Is nothing in new/ that neither the index nor the arrivals know? If there is, it may be from
 * records that were lost, and have the next UIDs in its names: a scan looks. */
static bool is_complete(const struct folder *folder)
{
	const struct arrivals *arrivals = &folder->arrivals;
	return arrivals->new_mtime != 0 && folder_mtime(folder, "new") == arrivals->new_mtime;
}

/* Room for one more, and a UID that may be given out. */
static int prepare(struct append *append, struct span unique)
{
	struct folder *folder = append->folder;
	struct arrivals *arrivals = &folder->arrivals;
	struct index_folder row;
	for (int attempt = 0; attempt < 2; attempt++) {
		if (look_into_index(folder, unique, &row) != 0 || !load(folder, &row)
			|| arrivals_may_have(arrivals, unique) || !is_complete(folder))
			return LONG_WAY;
		if (!arrivals_are_full(arrivals))
			break;
		/* Those of another process, or our own that did not go into the index then. */
		if (attempt > 0 || arrivals_fold(folder) != 0)
			return LONG_WAY;
	}
	row.uidnext = arrivals->uidnext;
	return folder_reserve_uids(folder, &row, 1);
}

static int put_and_rename(struct append *append)
{
	struct folder *folder = append->folder;
	struct arrivals *arrivals = &folder->arrivals;
	size_t end = arrivals->end;
	struct arrival arrival = {
		.uid = append->uid, .internaldate = append->internaldate, .size = append->size,
		.crlf_size = append->crlf_size, .name = buf_span(&append->name),
		.cache = append->cache.overflow ? SPAN_EMPTY : buf_span(&append->cache),
	};
	/* Only when nothing foreign came meanwhile: otherwise the difference must stay. */
	if (is_complete(folder)) {
		arrival.mtime_before = arrivals->new_mtime;
		arrival.mtime_after = file_now_ns();
	}
	int error = arrivals_add(folder, &arrival);
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
		arrivals_cut(folder, end);
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

static int put_locked(struct append *append)
{
	struct folder *folder = append->folder;
	struct filename parsed;
	if (!filename_parse(append->options->base, &parsed))
		return LONG_WAY;
	int error = prepare(append, parsed.unique);
	if (error != 0)
		return error;
	append->uid = folder->arrivals.uidnext;
	append_make_name(append, folder->record.uidvalidity, NULL, 0);
	if (append->name.overflow)
		return -ENAMETOOLONG;
	error = put_and_rename(append);
	if (error < 0)
		take_away(append);
	/* What does not go into the index now goes with the next. */
	if (error == 0 && arrivals_are_full(&folder->arrivals))
		(void)arrivals_fold(folder);
	return error;
}

int append_arrival(struct append *append, struct append_result *ret_result)
{
	struct folder *folder = append->folder;
	if (!is_plain(append->options) || folder_lock_for_arrival(folder) != 0)
		return LONG_WAY;
	int error = put_locked(append);
	if (error == 0)
		*ret_result = (struct append_result){folder->record.uidvalidity, append->uid, false};
	folder_unlock(folder);
	return error;
}
