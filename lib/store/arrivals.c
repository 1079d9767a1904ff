/* Deliveries on their way into the index; see arrivals_private.h.
 * SPDX-License-Identifier: ISC */
#include "store/arrivals_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/memory.h"
#include "base/table.h"
#include "store/file_private.h"
#include "store/filename.h"
#include "store/folder_private.h"
#include "store/mailbox.h"

#define NAME_MAX_LEN 255
#define FIRST_READ 8192

struct head {
	uint32_t checksum; /* of what follows */
	uint32_t length;   /* of head, name and cache */
	uint32_t id, uid;
	uint64_t generation, modseq;
	int64_t internaldate;
	uint64_t size, crlf_size;
	int64_t mtime_before, mtime_after;
	uint32_t name_length, padding;
};

/* --- records: pure --- */

static uint32_t checksum_of(struct span record)
{
	struct span rest = span_skip(record, sizeof(uint32_t));
	return crc32c(0, rest.ptr, rest.len);
}

void arrival_format(const struct index_folder *row, const struct arrival *arrival, struct buf *out)
{
	size_t start = out->len;
	struct head head = {
		.length = (uint32_t)(sizeof(head) + arrival->name.len + arrival->cache.len),
		.id = row->id, .uid = arrival->uid, .generation = row->generation,
		.modseq = row->highestmodseq, .internaldate = arrival->internaldate,
		.size = arrival->size, .crlf_size = arrival->crlf_size,
		.mtime_before = arrival->mtime_before, .mtime_after = arrival->mtime_after,
		.name_length = (uint32_t)arrival->name.len,
	};
	buf_append_bytes(out, &head, sizeof(head));
	buf_append(out, arrival->name);
	buf_append(out, arrival->cache);
	if (out->overflow)
		return;
	head.checksum = checksum_of(span_skip(buf_span(out), start));
	memcpy(out->ptr + start, &head.checksum, sizeof(head.checksum));
}

static bool head_counts(const struct head *head, const struct index_folder *row)
{
	return head->id == row->id && head->generation == row->generation
		&& head->modseq == row->highestmodseq && head->length >= sizeof(*head)
		&& head->length <= ARRIVAL_SIZE_MAX;
}

size_t arrival_parse(struct span bytes, const struct index_folder *row, struct arrival *ret_arrival)
{
	struct head head;
	struct filename parsed;
	if (bytes.len < sizeof(head))
		return 0;
	memcpy(&head, bytes.ptr, sizeof(head));
	if (!head_counts(&head, row) || head.length > bytes.len)
		return 0;
	struct span record = span_head(bytes, head.length);
	struct span rest = span_skip(record, sizeof(head));
	if (checksum_of(record) != head.checksum || head.name_length > rest.len
		|| head.name_length > NAME_MAX_LEN
		|| !filename_parse(span_head(rest, head.name_length), &parsed))
		return 0;
	*ret_arrival = (struct arrival){
		.uid = head.uid, .internaldate = head.internaldate, .size = head.size,
		.crlf_size = head.crlf_size, .mtime_before = head.mtime_before,
		.mtime_after = head.mtime_after, .name = span_head(rest, head.name_length),
		.cache = span_skip(rest, head.name_length),
	};
	return head.length;
}

/* --- what the deliverer knows --- */

void arrivals_init(struct arrivals *arrivals)
{
	*arrivals = (struct arrivals){.fd = -1};
}

void arrivals_done(struct arrivals *arrivals)
{
	file_close(&arrivals->fd);
	free(arrivals->names);
	arrivals_init(arrivals);
}

static int open_file(struct folder *folder, uint32_t id, int flags)
{
	char name[32];
	(void)snprintf(name, sizeof(name), "arrivals-%u", id);
	int fd = openat(index_folder_fd(folder->store->index), name,
		O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600);
	return fd < 0 ? -errno : fd;
}

static void begin_at(struct arrivals *arrivals, const struct index_folder *row)
{
	arrivals->base = *row;
	arrivals->uidnext = row->uidnext;
	arrivals->new_mtime = row->new_mtime;
	arrivals->end = arrivals->count = 0;
}

static int ensure_open(struct folder *folder, const struct index_folder *row)
{
	struct arrivals *arrivals = &folder->arrivals;
	uint64_t opening = index_opening(folder->store->index);
	if (arrivals->fd >= 0 && arrivals->opening == opening && arrivals->base.id == row->id)
		return 0;
	arrivals_done(arrivals);
	int fd = open_file(folder, row->id, O_CREAT);
	if (fd < 0)
		return fd;
	arrivals->fd = fd;
	arrivals->opening = opening;
	arrivals->names = memory_alloc(ARRIVALS_MAX * sizeof(*arrivals->names));
	begin_at(arrivals, row);
	return 0;
}

static void take_note(struct arrivals *arrivals, const struct arrival *arrival, size_t length)
{
	struct filename parsed;
	struct span unique = filename_parse(arrival->name, &parsed) ? parsed.unique : arrival->name;
	arrivals->names[arrivals->count++] = table_hash(unique);
	arrivals->uidnext = arrival->uid + 1;
	arrivals->end += length;
	if (arrival->mtime_before != 0 && arrival->mtime_before == arrivals->new_mtime)
		arrivals->new_mtime = arrival->mtime_after;
}

static ssize_t read_from(int fd, size_t at, char *bytes, size_t size)
{
	ssize_t n;
	do
		n = pread(fd, bytes, size, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

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

static bool next_record(struct reader *reader, const struct index_folder *row,
	struct arrival *ret_arrival, size_t *ret_length)
{
	struct head head;
	if (!fill(reader, sizeof(head)))
		return false;
	memcpy(&head, reader->ahead.ptr, sizeof(head));
	if (!head_counts(&head, row) || !fill(reader, head.length))
		return false;
	*ret_length = arrival_parse(reader->ahead, row, ret_arrival);
	reader->ahead = span_skip(reader->ahead, *ret_length);
	reader->at += *ret_length;
	return *ret_length > 0;
}

/* Is there a record that counts? Mostly not: one short read says so. */
static bool begins_record(int fd, size_t at, const struct index_folder *row)
{
	struct head head;
	return read_from(fd, at, (char *)&head, sizeof(head)) == (ssize_t)sizeof(head)
		&& head_counts(&head, row);
}

/* Calls visit for each record from there on, until it answers false. */
static int each_record(int fd, const struct index_folder *row, size_t at,
	bool (*visit)(const struct arrival *arrival, size_t length, void *arg), void *arg)
{
	if (!begins_record(fd, at, row))
		return 0;
	struct reader reader = {.fd = fd, .at = at, .bytes = memory_alloc(ARRIVAL_SIZE_MAX),
		.ahead = SPAN_EMPTY, .window = FIRST_READ};
	struct arrival arrival;
	size_t length;
	uint32_t uidnext = row->uidnext;
	/* UIDs only grow: anything else is none of ours. */
	while (next_record(&reader, row, &arrival, &length) && arrival.uid >= uidnext
		&& arrival.uid != UINT32_MAX && visit(&arrival, length, arg))
		uidnext = arrival.uid + 1;
	free(reader.bytes);
	return reader.error;
}

static bool visit_to_note(const struct arrival *arrival, size_t length, void *arg)
{
	struct arrivals *arrivals = arg;
	if (arrivals->count == ARRIVALS_MAX || arrival->uid < arrivals->uidnext)
		return false;
	take_note(arrivals, arrival, length);
	return true;
}

int arrivals_load(struct folder *folder, const struct index_folder *row)
{
	struct arrivals *arrivals = &folder->arrivals;
	int error = ensure_open(folder, row);
	if (error != 0)
		return error;
	if (memcmp(&arrivals->base, row, sizeof(*row)) != 0)
		begin_at(arrivals, row);
	return each_record(arrivals->fd, row, arrivals->end, visit_to_note, arrivals);
}

bool arrivals_may_have(const struct arrivals *arrivals, struct span unique)
{
	uint64_t hash = table_hash(unique);
	for (size_t i = 0; i < arrivals->count; i++)
		if (arrivals->names[i] == hash)
			return true;
	return false;
}

bool arrivals_are_full(const struct arrivals *arrivals)
{
	return arrivals->count == ARRIVALS_MAX
		|| arrivals->end > ARRIVALS_SIZE_MAX - ARRIVAL_SIZE_MAX;
}

int arrivals_add(struct folder *folder, const struct arrival *arrival)
{
	struct arrivals *arrivals = &folder->arrivals;
	struct buf record = BUF_INIT(ARRIVAL_SIZE_MAX);
	arrival_format(&arrivals->base, arrival, &record);
	int error = record.overflow ? -E2BIG : 0;
	ssize_t n = error != 0 ? 0
		: pwrite(arrivals->fd, record.ptr, record.len, (off_t)arrivals->end);
	if (error == 0 && n != (ssize_t)record.len)
		error = n < 0 ? -errno : -ENOSPC;
	if (error == 0)
		take_note(arrivals, arrival, record.len);
	buf_done(&record);
	return error;
}

void arrivals_cut(struct folder *folder, size_t end)
{
	static const struct head none;
	struct arrivals *arrivals = &folder->arrivals;
	/* Where that fails too, the record leads to a row whose file never came; a scan removes it. */
	(void)!pwrite(arrivals->fd, &none, sizeof(none), (off_t)end);
	begin_at(arrivals, &(struct index_folder){.id = arrivals->base.id});
}

/* --- into the index --- */

struct fold {
	struct index_txn *txn;
	struct index_folder row;
	size_t count;
};

static bool fold_one(const struct arrival *arrival, size_t length, void *arg)
{
	struct fold *fold = arg;
	struct index_row row = {
		.uid = arrival->uid, .flags = MESSAGE_RECENT, .internaldate = arrival->internaldate,
		.size = arrival->size, .crlf_size = arrival->crlf_size, .in_new = true,
		.name = arrival->name,
	};
	(void)length;
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

static int fold_file(struct folder *folder, int fd)
{
	struct index_txn txn;
	struct fold fold = {.txn = &txn};
	int error = index_begin(folder->store->index, true, &txn);
	if (error != 0)
		return error;
	if (index_get_folder(&txn, folder_dir(folder), &fold.row)) {
		struct index_folder before = fold.row;
		error = each_record(fd, &before, 0, fold_one, &fold);
	}
	if (error != 0 || fold.count == 0) {
		index_abort(&txn);
		return txn.error != 0 ? txn.error : error;
	}
	index_put_folder(&txn, folder_dir(folder), &fold.row);
	return index_commit(&txn);
}

int arrivals_fold(struct folder *folder)
{
	struct index_txn txn;
	struct index_folder row;
	int error = index_begin(folder->store->index, false, &txn);
	if (error != 0)
		return error;
	bool known = index_get_folder(&txn, folder_dir(folder), &row);
	index_abort(&txn);
	if (!known)
		return txn.error;
	int fd = open_file(folder, row.id, 0);
	/* Anything but a lack of descriptors is there to stay: the next scan finds the files. */
	if (fd < 0)
		return fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM ? fd : 0;
	if (begins_record(fd, 0, &row))
		error = fold_file(folder, fd);
	(void)close(fd);
	return error;
}
