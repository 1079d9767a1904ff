/* The begin of a mailbox's life with us, or its recovery: what UIDVALIDITY and which UIDs it has
 * when tambo-mailbox is missing. In order: the files of Dovecot or Courier (takeover), the UIDs
 * that the file names carry, the index, else a new UIDVALIDITY. The folder is locked.
 *
 * INVARIANT: a UID is never given out twice in one UIDVALIDITY. Where the mark was lost together
 * with the index, UIDs go on far above the greatest one in a file name.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/memory.h"
#include "store/file_private.h"
#include "store/keyword_log_private.h"
#include "store/scan_private.h"
#include "store/uidl_private.h"
#include "store/uidlist_private.h"

#define LOST_MARK_GAP 1000000

struct life {
	struct folder *folder;
	struct inherited inherited;
	uint32_t uidvalidity, uidnext; /* 0: not found yet */
	uint64_t modseq;
};

/* The greatest UID of the UIDVALIDITY that most file names carry. */
struct names_claim {
	uint32_t uidvalidity, uid_max;
	size_t votes;
	uint32_t letters; /* keywords that names carry */
};

static void unique_of(struct span name, struct span *ret_unique)
{
	struct filename parsed;
	*ret_unique = filename_parse(name, &parsed) ? parsed.unique : SPAN_EMPTY;
}

static void put_uid(const struct uidlist_entry *entry, void *arg)
{
	struct life *life = arg;
	struct span unique;
	unique_of(entry->name, &unique);
	if (unique.len == 0)
		return;
	(void)table_put(&life->inherited.uids, unique, (void *)(uintptr_t)entry->uid);
	if (entry->uidl.len > 0)
		free(table_put(&life->inherited.uidls, unique, span_dup_cstr(entry->uidl)));
}

static void put_uidl(const struct uidlist_entry *entry, void *arg)
{
	struct life *life = arg;
	struct span unique;
	unique_of(entry->name, &unique);
	if (unique.len > 0)
		free(table_put(&life->inherited.uidls, unique, span_dup_cstr(entry->uidl)));
}

static void put_keyword(size_t number, struct span name, void *arg)
{
	struct life *life = arg;
	(void)record_keyword_put(&life->folder->record, number, name);
}

static void put_message_keywords(struct span name, uint32_t keywords, void *arg)
{
	struct life *life = arg;
	struct span unique;
	unique_of(name, &unique);
	if (unique.len > 0)
		(void)table_put(&life->inherited.keywords, unique, (void *)(uintptr_t)keywords);
}

static void take_uidlist(struct life *life, struct span text)
{
	struct uidlist_head head;
	if (life->uidvalidity != 0 || !uidlist_parse(text, put_uid, life, &head))
		return;
	life->uidvalidity = head.uidvalidity;
	life->uidnext = head.uidnext;
}

static void take_keywords(struct life *life, struct span text)
{
	uidlist_parse_keywords(text, put_keyword, life);
}

static void take_courier_keywords(struct life *life, struct span text)
{
	uidlist_parse_courier_keywords(text, put_keyword, put_message_keywords, life);
}

static void take_courier_uidls(struct life *life, struct span text)
{
	(void)uidlist_parse_courier_pop3(text, put_uidl, life);
}

/* A file that is there and cannot be read now may be read later: its UIDs are not given up. */
static int take_over(struct life *life)
{
	static const struct {
		const char *name;
		void (*take)(struct life *life, struct span text);
	} files[] = {
		{"dovecot-uidlist", take_uidlist}, {"dovecot-keywords", take_keywords},
		{"courierimapuiddb", take_uidlist},
		{"courierimapkeywords/:list", take_courier_keywords},
		{"courierpop3dsizelist", take_courier_uidls},
	};
	struct buf text = BUF_INIT(UIDLIST_SIZE_MAX);
	int error = 0;
	for (size_t i = 0; error == 0 && i < sizeof(files) / sizeof(files[0]); i++) {
		buf_reset(&text);
		error = file_read_present_at(life->folder->dir_fd, files[i].name, &text);
		if (error == 0)
			files[i].take(life, buf_span(&text));
		if (error == -ENOENT)
			error = 0;
	}
	buf_done(&text);
	return error;
}

static int compare_u32(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return a < b ? -1 : a > b;
}

static int claim_of_names(struct folder *folder, struct names_claim *claim)
{
	struct listing listing;
	listing_init(&listing);
	*claim = (struct names_claim){0};
	int error = listing_read(folder, &listing);
	uint32_t *values = error != 0 ? NULL : memory_zalloc(listing.count + 1, sizeof(*values));
	size_t count = 0;
	for (size_t i = 0; error == 0 && i < listing.count; i++) {
		claim->letters |= listing.items[i].parsed.keywords;
		if (listing.items[i].parsed.has_uid)
			values[count++] = listing.items[i].parsed.uidvalidity;
	}
	if (count > 0)
		qsort(values, count, sizeof(*values), compare_u32);
	for (size_t i = 0, start = 0; i < count; i++) {
		if (values[i] != values[start])
			start = i;
		if (i - start + 1 > claim->votes) {
			claim->votes = i - start + 1;
			claim->uidvalidity = values[i];
		}
	}
	for (size_t i = 0; error == 0 && i < listing.count; i++) {
		const struct filename *parsed = &listing.items[i].parsed;
		if (parsed->has_uid && parsed->uidvalidity == claim->uidvalidity
			&& parsed->uid > claim->uid_max)
			claim->uid_max = parsed->uid;
	}
	free(values);
	listing_done(&listing);
	return error;
}

/* Letters whose names were lost get a name that says so: the next new keyword must not become
 * theirs. Names beyond the alphabet stand in tambo-keywords. */
static int recover_keywords(struct folder *folder, uint32_t letters)
{
	struct keyword_log log;
	for (unsigned i = 0; i < 26; i++) {
		char name[] = "Keyword-a";
		name[sizeof(name) - 2] = (char)('a' + i);
		if ((letters & (1U << i)) != 0)
			(void)record_keyword_put(&folder->record, i, span_from_cstr(name));
	}
	keyword_log_init(&log);
	int error = file_read_present_at(folder->dir_fd, KEYWORD_LOG_FILE, &log.text);
	if (error == 0) {
		struct span rest = buf_span(&log.text);
		while (rest.len > 0) {
			struct span line = span_split(&rest, '\n');
			if (rest.ptr == NULL)
				break; /* torn */
			(void)span_split(&line, ' ');
			while (line.ptr != NULL) {
				size_t number = folder->record.keyword_count;
				(void)record_keyword_put(&folder->record, number < 26 ? 26 : number,
					span_split(&line, ' '));
			}
		}
	}
	keyword_log_done(&log);
	return error == -ENOENT ? 0 : error;
}

static void forget_uids(struct life *life)
{
	table_done(&life->inherited.uids, NULL);
	table_init(&life->inherited.uids);
}

static void begin_at(struct life *life, uint32_t uidvalidity, uint32_t uidnext)
{
	if (life->uidvalidity != uidvalidity)
		forget_uids(life);
	else if (life->uidnext > uidnext)
		uidnext = life->uidnext;
	life->uidvalidity = uidvalidity;
	life->uidnext = uidnext;
}

/* Rows speak of keywords by number, and the numbers were lost: the scan makes them anew. */
static int forget_rows(struct folder *folder)
{
	struct index_txn txn;
	int error = index_begin(folder->store->index, true, &txn);
	if (error != 0)
		return error;
	index_delete_folder(&txn, folder_dir(folder));
	return index_commit(&txn);
}

static bool is_no_room(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -EROFS || error == -EFBIG;
}

/* unseen: the arrivals' head when nobody has looked into the mailbox, or NULL. */
static int decide(struct life *life, const struct arrivals_head *unseen)
{
	struct names_claim claim;
	uint32_t wanted = 0;
	struct index_folder row;
	int error = claim_of_names(life->folder, &claim);
	if (error == 0)
		error = take_over(life);
	if (error == 0)
		error = recover_keywords(life->folder, claim.letters);
	if (error != 0)
		return error;
	if (folder_read_row(life->folder, &row) == 0) {
		/* We know this mailbox: only its record was lost. */
		life->modseq = row.highestmodseq;
		begin_at(life, row.uidvalidity, row.uidnext);
		error = forget_rows(life->folder);
		if (error != 0)
			return error;
	} else if (unseen != NULL) {
		/* What deliveries put into names was told to nobody: another server's list comes first. */
		wanted = unseen->uidvalidity;
		life->uidnext = life->uidvalidity == 0 ? unseen->uidnext : life->uidnext;
	} else if (claim.votes > 0 && life->uidvalidity != claim.uidvalidity
		&& claim.uid_max < UINT32_MAX - 2 * LOST_MARK_GAP) {
		/* Our own names outvote another server's old list: we were here after it. */
		begin_at(life, claim.uidvalidity, claim.uid_max + LOST_MARK_GAP);
	}
	if (life->uidvalidity == 0) {
		error = store_new_uidvalidity(life->folder->store, wanted, &life->uidvalidity);
		if (wanted != 0 && is_no_room(error))
			life->uidvalidity = wanted;
		else if (error != 0)
			return error;
		if (wanted == 0 || life->uidvalidity != wanted)
			life->uidnext = 1;
	}
	if (life->uidvalidity == claim.uidvalidity && life->uidnext <= claim.uid_max)
		life->uidnext = claim.uid_max + 1;
	return 0;
}

/* POP3 UIDLs of other servers, now that every message has its UID. */
struct uidl_list {
	struct life *life;
	struct index_txn *txn;
	uint32_t id;
	struct buf text;
};

static bool add_uidl(struct span unique, void *value, void *arg)
{
	struct uidl_list *list = arg;
	uint32_t uid = index_find_name(list->txn, list->id, unique);
	if (uid != 0)
		uidl_format(uid, span_from_cstr(value), &list->text);
	return true;
}

static int save_uidls(struct life *life)
{
	struct index_txn txn;
	struct index_folder row;
	if (life->inherited.uidls.count == 0)
		return 0;
	struct uidl_list list = {life, &txn, 0, BUF_INIT(UIDL_FILE_MAX)};
	int error = index_begin(life->folder->store->index, false, &txn);
	if (error != 0)
		return error;
	if (index_get_folder(&txn, folder_dir(life->folder), &row)) {
		list.id = row.id;
		table_each(&life->inherited.uidls, add_uidl, &list);
	}
	index_abort(&txn);
	error = txn.error != 0 ? txn.error
		: file_replace_at(life->folder->dir_fd, UIDL_FILE, buf_span(&list.text));
	buf_done(&list.text);
	return error;
}

int folder_begin_life(struct folder *folder)
{
	struct life life = {.folder = folder};
	struct arrivals_head unseen;
	int error = arrivals_unseen(folder, &unseen);
	bool is_unseen = error == 0;
	if (error != 0 && error != -ENOENT)
		return error;
	record_done(&folder->record);
	table_init(&life.inherited.uids);
	table_init(&life.inherited.keywords);
	table_init(&life.inherited.uidls);
	error = decide(&life, is_unseen ? &unseen : NULL);
	if (error == 0) {
		folder->record.uidvalidity = life.uidvalidity;
		folder->record.uidnext_mark = life.uidnext;
		folder->record.modseq_mark = life.modseq;
		folder->beginning = true;
		error = scan_folder(folder, &life.inherited);
		folder->beginning = false;
	}
	if (error == 0 && is_unseen)
		error = arrivals_put_caches(folder, &unseen);
	if (error == 0)
		error = save_uidls(&life);
	/* The record last: until it is there, an interrupted begin is begun again and finds the names
	 * that it gave out. */
	if (error == 0)
		error = folder_save_record(folder, life.modseq);
	if (error == 0 && is_unseen)
		error = arrivals_end_unseen(folder);
	else if (is_unseen && is_no_room(error))
		error = arrivals_tell(folder);
	if (error != 0)
		record_done(&folder->record);
	table_done(&life.inherited.uids, NULL);
	table_done(&life.inherited.keywords, NULL);
	table_done(&life.inherited.uidls, free);
	return error;
}
