/* Rows and the names of their files, changed together; see change_private.h.
 * SPDX-License-Identifier: ISC */
#include "store/change_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/file_private.h"
#include "store/filename.h"
#include "store/keyword_log_private.h"
#include "store/mailbox.h"

uint32_t change_letters(const uint16_t *keywords, size_t count)
{
	uint32_t bits = 0;
	for (size_t i = 0; i < count; i++)
		if (keywords[i] < 26)
			bits |= 1U << keywords[i];
	return bits;
}

bool change_has_more(const uint16_t *keywords, size_t count)
{
	return count > 0 && keywords[count - 1] >= 26;
}

static int compare_numbers(const void *left, const void *right)
{
	return (int)*(const uint16_t *)left - (int)*(const uint16_t *)right;
}

static bool have_room(const struct record *record, const struct span *names, size_t count)
{
	size_t used = 0;
	for (size_t i = 0; i < record->keyword_count; i++)
		used += record->keywords[i] != NULL;
	for (size_t i = 0; i < count; i++)
		used += record_keyword_find(record, names[i]) == SIZE_MAX;
	return used <= STORE_KEYWORDS_MAX;
}

int change_keywords(struct folder *folder, const struct span *names, size_t count, bool create,
	uint16_t *numbers, size_t *ret_count)
{
	bool added = false;
	*ret_count = 0;
	if (count > STORE_KEYWORDS_MAX || (create && !have_room(&folder->record, names, count)))
		return -E2BIG;
	for (size_t i = 0; i < count; i++) {
		if (!record_keyword_is_valid(names[i]))
			return -EINVAL;
		size_t number = record_keyword_find(&folder->record, names[i]);
		if (number == SIZE_MAX && create) {
			number = record_keyword_add(&folder->record, names[i]);
			added = true;
		}
		if (number != SIZE_MAX)
			numbers[(*ret_count)++] = (uint16_t)number;
	}
	qsort(numbers, *ret_count, sizeof(*numbers), compare_numbers);
	size_t kept = 0;
	for (size_t i = 0; i < *ret_count; i++)
		if (kept == 0 || numbers[kept - 1] != numbers[i])
			numbers[kept++] = numbers[i];
	*ret_count = kept;
	/* DURABLE: the name of a number before the number is used. */
	return added ? folder_save_record(folder, 0) : 0;
}

static bool copy_row(struct arena *arena, const struct index_row *from, struct index_row *to)
{
	*to = *from;
	to->name = arena_dup(arena, from->name);
	uint16_t *keywords = arena_array(arena, (size_t)from->keyword_count + 1, sizeof(uint16_t));
	if (keywords == NULL || arena->overflow)
		return false;
	if (from->keyword_count > 0)
		memcpy(keywords, from->keywords, from->keyword_count * sizeof(uint16_t));
	to->keywords = keywords;
	return true;
}

int change_load(struct folder *folder, struct arena *arena, struct change *changes, size_t count,
	struct index_folder *ret_folder)
{
	struct index_txn txn;
	int error = folder_begin(folder, false, &txn, ret_folder);
	if (error != 0)
		return error;
	for (size_t i = 0; i < count && txn.error == 0; i++) {
		struct index_row row;
		changes[i].found = index_get_row(&txn, ret_folder->id, changes[i].uid, &row);
		if (changes[i].found && !copy_row(arena, &row, &changes[i].old))
			txn.error = -ENOMEM;
		changes[i].row = changes[i].old;
	}
	index_abort(&txn);
	return txn.error;
}

/* The name that the new flags and keywords ask for. */
static int make_name(struct arena *arena, struct change *change)
{
	struct filename name;
	struct buf text = BUF_INIT(255);
	if (!filename_parse(change->old.name, &name))
		return -EIO;
	uint32_t known = change_letters(change->old.keywords, change->old.keyword_count);
	/* Letters that mean nothing here belong to another program. */
	name.keywords = (name.keywords & ~known)
		| change_letters(change->row.keywords, change->row.keyword_count);
	name.flags = change->row.flags & MESSAGE_FLAGS_SYSTEM;
	filename_format(&name, !change->row.in_new, &text);
	int error = text.overflow ? -ENAMETOOLONG : 0;
	change->row.name = arena_dup(arena, buf_span(&text));
	buf_done(&text);
	return arena->overflow ? -ENOMEM : error;
}

static int rename_file(struct folder *folder, const struct change *change)
{
	if (change->old.in_new == change->row.in_new
		&& span_equal(change->old.name, change->row.name))
		return 0;
	struct buf from = BUF_INIT(300), to = BUF_INIT(300);
	folder_path(change->old.in_new, change->old.name, &from);
	folder_path(change->row.in_new, change->row.name, &to);
	int error = renameat(folder->dir_fd, buf_cstr(&from), folder->dir_fd, buf_cstr(&to)) == 0 ? 0
		: -errno;
	buf_done(&from);
	buf_done(&to);
	return error;
}

static bool has_keyword(const struct index_row *row, uint16_t number)
{
	for (size_t i = 0; i < row->keyword_count; i++)
		if (row->keywords[i] == number)
			return true;
	return false;
}

/* Of now those that were not to go, and those that were to come. out has room for all of now and
 * wanted; ascending. */
static uint16_t merge_keywords(const struct index_row *now, const struct index_row *before,
	const struct index_row *wanted, uint16_t *out)
{
	uint16_t count = 0;
	for (size_t i = 0; i < now->keyword_count; i++)
		if (has_keyword(wanted, now->keywords[i]) || !has_keyword(before, now->keywords[i]))
			out[count++] = now->keywords[i];
	for (size_t i = 0; i < wanted->keyword_count; i++)
		if (!has_keyword(before, wanted->keywords[i]) && !has_keyword(now, wanted->keywords[i]))
			out[count++] = wanted->keywords[i];
	qsort(out, count, sizeof(*out), compare_numbers);
	return count;
}

/* Another program has changed flags or keywords, too: only what was to be changed of them is, as if
 * it had been asked for just after. */
static int want_again(struct arena *arena, struct change *change, const struct index_row *before,
	const struct index_row *wanted)
{
	uint32_t removed = before->flags & ~wanted->flags, added = wanted->flags & ~before->flags;
	uint16_t *keywords = arena_array(arena, (size_t)change->old.keyword_count
		+ wanted->keyword_count + 1, sizeof(uint16_t));
	if (keywords == NULL)
		return -ENOMEM;
	change->row = *wanted;
	change->row.flags = (change->old.flags & ~removed) | added;
	change->row.keywords = keywords;
	change->row.keyword_count = merge_keywords(&change->old, before, wanted, keywords);
	change->row.in_new = wanted->in_new && change->old.in_new;
	return 0;
}

/* The file is not where the index says: another program moved it. Take its present name. */
static int find_again(struct folder *folder, struct arena *arena, struct change *change)
{
	struct index_folder unused;
	struct index_row before = change->old, wanted = change->row;
	int error = folder_sync(folder, true);
	if (error == 0)
		error = change_load(folder, arena, change, 1, &unused);
	if (error != 0)
		return error;
	if (!change->found)
		return -ENOENT;
	error = want_again(arena, change, &before, &wanted);
	if (error == 0)
		error = make_name(arena, change);
	return error != 0 ? error : rename_file(folder, change);
}

struct renaming {
	struct folder *folder;
	struct arena *arena;
	struct change *changes;
	size_t at, count;
	int error;
};

/* From at on, until one fails: at is that one's. */
static void rename_in_pool(void *arg)
{
	struct renaming *renaming = arg;
	for (; renaming->at < renaming->count; renaming->at++) {
		struct change *change = &renaming->changes[renaming->at];
		if (!change->found || !change->wanted)
			continue;
		renaming->error = make_name(renaming->arena, change);
		if (renaming->error == 0)
			renaming->error = rename_file(renaming->folder, change);
		if (renaming->error != 0)
			return;
	}
	renaming->error = 0;
}

static int rename_all(struct folder *folder, struct arena *arena, struct change *changes,
	size_t count)
{
	struct renaming renaming = {folder, arena, changes, 0, count, 0};
	for (; renaming.at < count; renaming.at++) {
		file_change_names(count - renaming.at, rename_in_pool, &renaming);
		int error = renaming.error;
		if (error == -ENOENT)
			error = find_again(folder, arena, &changes[renaming.at]);
		if (error == -ENOENT) {
			changes[renaming.at].found = false;
		} else if (error != 0) {
			/* Neither this one nor those behind it have changed. */
			for (; renaming.at < count; renaming.at++)
				changes[renaming.at].wanted = false;
			return error;
		}
	}
	return 0;
}

static int write_keyword_lines(struct folder *folder, const struct change *changes, size_t count)
{
	struct buf log = BUF_INIT(KEYWORD_LOG_MAX);
	int error = 0;
	for (size_t i = 0; i < count; i++)
		if (changes[i].found && changes[i].wanted && changes[i].log_keywords)
			keyword_log_format(&folder->record, changes[i].uid, changes[i].row.keywords,
				changes[i].row.keyword_count, &log);
	if (log.len > 0)
		error = keyword_log_append(folder, buf_span(&log));
	buf_done(&log);
	return error;
}

/* What the index has at this moment: a scan may have changed it since change_load. */
static void put_change(struct index_txn *txn, struct index_folder *row, struct change *change)
{
	struct index_row now, old;
	uint16_t keywords[STORE_KEYWORDS_MAX];
	char name[256];
	if (!index_get_row(txn, row->id, change->uid, &now) || now.name.len > sizeof(name))
		return;
	old = now;
	memcpy(name, now.name.ptr, now.name.len);
	old.name = span_new(name, now.name.len);
	if (now.keyword_count > 0)
		memcpy(keywords, now.keywords, now.keyword_count * sizeof(uint16_t));
	old.keywords = keywords;
	change->row.size = old.size;
	change->row.crlf_size = old.crlf_size;
	if (!change->touch)
		change->row.modseq = old.modseq;
	index_put_row(txn, row, &old, &change->row, change->touch);
}

static int write_rows(struct folder *folder, struct change *changes, size_t count,
	struct folder_touch *touch)
{
	struct index_txn txn;
	struct index_folder row;
	int error = folder_begin(folder, true, &txn, &row);
	if (error != 0)
		return error;
	index_next_modseq(&row);
	for (size_t i = 0; i < count; i++)
		if (changes[i].found && changes[i].wanted)
			put_change(&txn, &row, &changes[i]);
	if (touch->new_dir)
		row.new_mtime = touch->when;
	if (touch->cur_dir)
		row.cur_mtime = touch->when;
	index_put_folder(&txn, folder_dir(folder), &row);
	return index_commit(&txn);
}

int change_apply(struct folder *folder, struct arena *arena, struct change *changes, size_t count)
{
	struct folder_touch touch;
	struct index_folder row;
	struct change none = {0};
	bool any_new = false, any = false;
	for (size_t i = 0; i < count; i++) {
		any = any || (changes[i].found && changes[i].wanted);
		any_new = any_new || (changes[i].found && changes[i].wanted && changes[i].old.in_new);
	}
	if (!any)
		return 0;
	int error = change_load(folder, arena, &none, 0, &row);
	if (error != 0)
		return error;
	folder_touch_begin(folder, &row, any_new, true, &touch);
	error = write_keyword_lines(folder, changes, count);
	if (error == 0)
		error = rename_all(folder, arena, changes, count);
	int written = write_rows(folder, changes, count, &touch);
	if (written == 0)
		folder_touch_end(folder, &touch);
	else if (written == -EIO)
		written = folder_sync(folder, true); /* the names say what was done */
	folder_signal(folder);
	return error != 0 ? error : written;
}
