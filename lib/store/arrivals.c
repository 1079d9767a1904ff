/* Deliveries on their way into the index; see arrivals_private.h.
 * SPDX-License-Identifier: ISC */
#include "store/arrivals_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/table.h"
#include "store/file_private.h"
#include "store/folder_private.h"
#include "store/mailbox.h"
#include "sys/directory.h"

#define FIRST_READ 8192
#define FIRST_PAGE 4096
/* Generations where there is no row. */
#define UNSEEN 0
#define TOLD 1

/* Of this boot of the machine; 0: not to be had. */
static uint64_t own_boot(void)
{
	static uint64_t boot;
	struct buf text = BUF_INIT(256);
	if (boot == 0 && file_read_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &text) == 0)
		boot = table_hash(buf_span(&text));
	buf_done(&text);
	return boot;
}

static ssize_t read_from(int fd, size_t at, char *bytes, size_t size)
{
	ssize_t n;
	do
		n = pread(fd, bytes, size, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int write_at(int fd, size_t at, struct span bytes)
{
	ssize_t n;
	do
		n = pwrite(fd, bytes.ptr, bytes.len, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)bytes.len ? 0 : n < 0 ? -errno : -ENOSPC;
}

/* --- the head --- */

/* -ENOENT: there is none. */
static int load_head(const struct folder *folder, struct arrivals_head *ret_head)
{
	char bytes[ARRIVALS_START];
	ssize_t n = folder->arrivals_fd < 0 ? 0
		: read_from(folder->arrivals_fd, 0, bytes, sizeof(bytes));
	if (n < 0)
		return (int)n;
	return arrivals_head_parse(span_new(bytes, (size_t)n), ret_head)
		&& ret_head->file_inode == folder->lock_inode ? 0 : -ENOENT;
}

static int write_head(const struct folder *folder, const struct arrivals_head *head)
{
	struct buf bytes = BUF_INIT(ARRIVALS_START);
	arrivals_head_format(head, &bytes);
	int error = write_at(folder->lock_fd, 0, buf_span(&bytes));
	buf_done(&bytes);
	return error;
}

/* Without records. */
static void restart(const struct folder *folder, struct arrivals_head *head)
{
	head->boot = own_boot();
	head->file_inode = folder->lock_inode;
	head->life = (uint64_t)file_now_ns();
	head->count = 0;
	head->end = ARRIVALS_START;
}

static int strike_out(const struct folder *folder)
{
	static const char nothing[ARRIVALS_START];
	int error = write_at(folder->lock_fd, 0, span_new(nothing, sizeof(nothing)));
	/* A full disk may refuse even that. */
	return error != 0 && ftruncate(folder->lock_fd, 0) != 0 ? -errno : 0;
}

int arrivals_end(struct folder *folder)
{
	struct arrivals_head head;
	int error = folder->lock_fd < 0 ? -ENOENT : load_head(folder, &head);
	if (error == 0 && head.id != 0)
		error = strike_out(folder);
	return error == -ENOENT ? 0 : error;
}

int arrivals_end_unless(struct folder *folder, uint32_t uidnext)
{
	struct arrivals_head head;
	int error = load_head(folder, &head);
	if (error == 0 && head.uidnext != uidnext)
		error = arrivals_end(folder);
	return error == -ENOENT ? 0 : error;
}

/* --- what a delivery needs --- */

static bool is_the_record(const struct folder *folder, const struct arrivals_head *head)
{
	struct stat st;
	if (fstatat(folder->dir_fd, RECORD_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT && head->id == 0;
	return head->id != 0 && head->record_inode == st.st_ino
		&& head->record_mtime == file_mtime_ns(&st);
}

/* A Maildir as it was made: no message, nothing of another server's, of ours but this file. */
static bool is_untouched(const struct folder *folder)
{
	static const char *const of_root[] = {"cur", "new", "tmp", ARRIVALS_FILE, NULL};
	static const char *const nothing[] = {NULL};
	int dir = folder->dir_fd;
	char byte;
	return folder->dir[0] == '\0' && folder->lock_fd >= 0
		&& read_from(folder->lock_fd, 0, &byte, 1) == 0
		&& directory_has_only(dir, "new", nothing)
		&& directory_has_only(dir, "cur", nothing) && directory_has_only(dir, ".", of_root);
}

static int begin_unseen(const struct folder *folder, struct arrivals_head *ret_head)
{
	if (!is_untouched(folder))
		return 1;
	*ret_head = (struct arrivals_head){.uidnext = 1, .mark = 1 + ARRIVALS_MAX,
		.uidvalidity = (uint32_t)(file_now_ns() / 1000000000)};
	restart(folder, ret_head);
	return 0;
}

int arrivals_ready(struct folder *folder, struct arrivals_head *ret_head)
{
	struct arrivals_head *head = ret_head;
	int error = load_head(folder, head);
	if (error != 0)
		return error == -ENOENT ? begin_unseen(folder, head) : error;
	/* What was not flushed may be of an earlier time. Of an unseen mailbox no UID was shown. */
	bool known = (head->id == 0 ? head->generation == UNSEEN : head->boot == own_boot())
		&& is_the_record(folder, head);
	bool room = head->count < ARRIVALS_MAX && head->uidnext < head->mark
		&& head->end <= ARRIVALS_SIZE_MAX - ARRIVAL_SIZE_MAX;
	bool agrees = head->new_mtime == 0 || head->new_mtime == folder_mtime(folder, "new");
	return known && room && agrees ? 0 : 1;
}

int arrivals_begin(struct folder *folder, struct arrivals_head *ret_head)
{
	struct index_txn txn;
	struct index_folder row;
	if (folder->lock_fd < 0 || own_boot() == 0)
		return 1;
	int error = folder_begin(folder, false, &txn, &row);
	if (error != 0)
		return error;
	index_abort(&txn);
	if (index_is_in_memory(folder->store->index))
		return 1;
	error = folder_reserve_uids(folder, &row, 1);
	if (error != 0)
		return error;
	if (row.new_mtime == 0 || row.new_mtime != folder_mtime(folder, "new"))
		return 1;
	*ret_head = (struct arrivals_head){.id = row.id, .generation = row.generation,
		.uidvalidity = row.uidvalidity, .uidnext = row.uidnext,
		.mark = folder->record.uidnext_mark, .record_inode = folder->record_inode,
		.record_mtime = folder->record_mtime, .new_mtime = row.new_mtime};
	restart(folder, ret_head);
	return 0;
}

/* The first record stands behind the head: both are one write, within one page. */
static int write_both(struct folder *folder, const struct arrivals_head *head,
	const struct buf *record)
{
	struct buf bytes = BUF_INIT(FIRST_READ);
	arrivals_head_format(head, &bytes);
	while (bytes.len < ARRIVALS_START)
		buf_append_char(&bytes, '\0');
	buf_append(&bytes, buf_span(record));
	int error = write_at(folder->lock_fd, 0, buf_span(&bytes));
	buf_done(&bytes);
	return error;
}

int arrivals_add(struct folder *folder, struct arrivals_head *head, const struct arrival *arrival)
{
	struct arrivals_head after = *head;
	struct buf record = BUF_INIT(ARRIVAL_SIZE_MAX);
	arrival_format(head->life, arrival, &record);
	bool both = head->end == ARRIVALS_START && record.len <= FIRST_PAGE - ARRIVALS_START;
	int error = record.overflow ? -E2BIG : both ? 0
		: write_at(folder->lock_fd, head->end, buf_span(&record));
	after.end += (uint32_t)record.len;
	after.count++;
	after.uidnext = arrival->uid + 1;
	if (arrival->mtime_before != 0 && arrival->mtime_before == head->new_mtime)
		after.new_mtime = arrival->mtime_after;
	if (error == 0)
		error = both ? write_both(folder, &after, &record) : write_head(folder, &after);
	buf_done(&record);
	if (error == 0)
		*head = after;
	return error;
}

void arrivals_take_back(struct folder *folder, const struct arrivals_head *head)
{
	/* Where that fails, the record leads to a row whose file never came; a scan removes it. */
	(void)write_head(folder, head);
}

/* --- records --- */

/* Reads ahead a little at first: often there is one record. */
struct reader {
	int fd;
	size_t at;         /* of the next record */
	char *bytes;       /* ARRIVAL_SIZE_MAX */
	struct span ahead; /* what was read from there on */
	size_t window;
	int error;
};

static bool fill(struct reader *reader, size_t need)
{
	if (reader->ahead.len >= need)
		return true;
	while (reader->window < need)
		reader->window *= 2;
	ssize_t n = read_from(reader->fd, reader->at, reader->bytes, reader->window);
	reader->error = n < 0 ? (int)n : 0;
	reader->ahead = span_new(reader->bytes, n > 0 ? (size_t)n : 0);
	if (reader->window < ARRIVAL_SIZE_MAX)
		reader->window *= 2;
	return reader->ahead.len >= need;
}

static bool next_record(struct reader *reader, uint64_t life, struct arrival *ret_arrival)
{
	(void)fill(reader, FIRST_READ);
	size_t length = arrival_length(reader->ahead, life);
	if (length == 0 || !fill(reader, length))
		return false;
	length = arrival_parse(reader->ahead, life, ret_arrival);
	reader->ahead = span_skip(reader->ahead, length);
	reader->at += length;
	return length > 0;
}

/* Calls visit for each record that counts, until it answers false. */
static int each_record(const struct folder *folder, const struct arrivals_head *head,
	bool (*visit)(const struct arrival *arrival, void *arg), void *arg)
{
	struct reader reader = {.fd = folder->lock_fd, .at = ARRIVALS_START,
		.bytes = memory_alloc(ARRIVAL_SIZE_MAX), .ahead = SPAN_EMPTY, .window = FIRST_READ};
	struct arrival arrival;
	uint32_t uidnext = 1;
	/* UIDs only grow: anything else is none of ours. */
	for (uint32_t i = 0; i < head->count && next_record(&reader, head->life, &arrival); i++) {
		if (arrival.uid < uidnext || arrival.uid >= head->uidnext || !visit(&arrival, arg))
			break;
		uidnext = arrival.uid + 1;
	}
	free(reader.bytes);
	return reader.error;
}

struct fold {
	struct index_txn *txn;
	struct index_folder row;
	size_t count;
};

static bool fold_one(const struct arrival *arrival, void *arg)
{
	struct fold *fold = arg;
	struct index_row row = {
		.uid = arrival->uid, .flags = MESSAGE_RECENT, .internaldate = arrival->internaldate,
		.size = arrival->size, .crlf_size = arrival->crlf_size, .in_new = true,
		.name = arrival->name,
	};
	if (arrival->uid < fold->row.uidnext)
		return true;
	if (fold->count++ == 0)
		index_next_modseq(&fold->row);
	index_put_row(fold->txn, &fold->row, NULL, &row, true);
	if (arrival->cache.len > 0)
		index_put_cache(fold->txn, fold->row.id, arrival->uid, arrival->cache);
	fold->row.uidnext = arrival->uid + 1;
	if (arrival->mtime_before != 0 && arrival->mtime_before == fold->row.new_mtime)
		fold->row.new_mtime = arrival->mtime_after;
	return fold->txn->error == 0;
}

/* 1: the head is not of this row, or not all records could be read. */
static int fold_records(struct folder *folder, struct arrivals_head *head)
{
	struct index_txn txn;
	struct fold fold = {.txn = &txn};
	int error = index_begin(folder->store->index, true, &txn);
	if (error != 0)
		return error;
	bool same = index_get_folder(&txn, folder_dir(folder), &fold.row) && fold.row.id == head->id
		&& fold.row.generation == head->generation
		&& fold.row.uidvalidity == head->uidvalidity;
	error = same ? each_record(folder, head, fold_one, &fold) : 0;
	if (error != 0 || fold.count == 0) {
		index_abort(&txn);
		if (txn.error != 0 || error != 0)
			return txn.error != 0 ? txn.error : error;
	} else {
		index_put_folder(&txn, folder_dir(folder), &fold.row);
		error = index_commit(&txn);
		if (error != 0)
			return error;
	}
	/* A record that could not be read: its UID stays given, a scan finds the file. */
	if (!same || fold.row.uidnext != head->uidnext)
		return 1;
	/* A time that new/ never has: the next delivery asks the index. */
	head->new_mtime = fold.row.new_mtime != 0 ? fold.row.new_mtime : 1;
	restart(folder, head);
	/* Where that fails the old one stays: its records are below uidnext now. */
	(void)write_head(folder, head);
	return 0;
}

int arrivals_fold(struct folder *folder)
{
	struct arrivals_head head;
	int error = folder->lock_fd < 0 ? -ENOENT : load_head(folder, &head);
	if (error != 0)
		return error == -ENOENT ? 0 : error;
	/* Of an unseen mailbox they wait for the begin of its life (folder_life.c), which may have
	 * been interrupted at its very end. */
	if (head.id == 0)
		return is_the_record(folder, &head) ? 0 : arrivals_end_unseen(folder);
	if (head.count == 0)
		return 0;
	bool lost = head.boot != own_boot();
	if (!lost) {
		error = fold_records(folder, &head);
		lost = error > 0;
	}
	if (lost)
		error = arrivals_end(folder);
	return error == 0 && lost ? 1 : error;
}

/* --- the begin of a mailbox's life --- */

int arrivals_unseen(struct folder *folder, struct arrivals_head *ret_head)
{
	int error = load_head(folder, ret_head);
	if (error == 0 && (ret_head->id != 0 || !is_the_record(folder, ret_head)))
		error = -ENOENT;
	return error;
}

int arrivals_end_unseen(struct folder *folder)
{
	/* DURABLE: nothing says any more that no UID was shown. */
	int error = strike_out(folder);
	return error == 0 ? file_sync(folder->lock_fd) : error;
}

int arrivals_tell(struct folder *folder)
{
	struct arrivals_head head = {.generation = TOLD, .uidvalidity = folder->record.uidvalidity,
		.uidnext = folder->record.uidnext_mark, .mark = folder->record.uidnext_mark};
	if (folder->lock_fd < 0)
		return 0;
	restart(folder, &head);
	/* DURABLE: UIDVALIDITY and mark, before a UID is shown. */
	int error = write_head(folder, &head);
	return error == 0 ? file_sync(folder->lock_fd) : error;
}

int arrivals_told(struct folder *folder, struct arrivals_head *ret_head)
{
	int error = arrivals_unseen(folder, ret_head);
	/* Nobody can change a read-only one: what its names say stays. */
	if (error == 0 && ret_head->generation != TOLD && folder->lock_fd >= 0)
		error = -ENOENT;
	return error;
}

static bool put_cache(const struct arrival *arrival, void *arg)
{
	struct fold *fold = arg;
	struct index_row row;
	if (arrival->cache.len > 0 && index_get_row(fold->txn, fold->row.id, arrival->uid, &row)
		&& span_equal(row.name, arrival->name))
		index_put_cache(fold->txn, fold->row.id, arrival->uid, arrival->cache);
	return fold->txn->error == 0;
}

int arrivals_put_caches(struct folder *folder, const struct arrivals_head *head)
{
	struct index_txn txn;
	struct fold fold = {.txn = &txn};
	int error = folder_begin(folder, true, &txn, &fold.row);
	if (error != 0)
		return error;
	error = each_record(folder, head, put_cache, &fold);
	if (error == 0)
		return index_commit(&txn);
	index_abort(&txn);
	return error;
}
