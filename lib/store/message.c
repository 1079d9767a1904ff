/* The content of a message: file, size, cached pieces, POP3 id; see mailbox.h.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/cache_private.h"
#include "store/change_private.h"
#include "store/content.h"
#include "store/file_private.h"
#include "store/filename.h"
#include "store/mailbox_private.h"
#include "store/uidl_private.h"

#define READ_PIECE 65536
#define HEAP_MAX (1UL << 20) /* larger messages are mapped where they must be seen whole */

int mailbox_get_row(
	struct mailbox *mailbox, uint32_t uid, struct index_row *ret_row, struct buf *name)
{
	struct index_txn txn;
	int error = index_begin(mailbox->store->index, false, &txn);
	if (error != 0)
		return error;
	bool known = index_get_row(&txn, mailbox->id, uid, ret_row);
	if (known) {
		buf_reset(name);
		buf_append(name, ret_row->name);
		ret_row->name = buf_span(name);
		ret_row->keywords = NULL;
	}
	index_abort(&txn);
	return txn.error != 0 ? txn.error : known ? 0 : -ENOENT;
}

static int open_regular(int dir_fd, const char *path, uint64_t *ret_size)
{
	struct stat st;
	int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		*ret_size = (uint64_t)st.st_size;
		return fd;
	}
	(void)close(fd);
	return -ENOENT;
}

static int try_open(struct mailbox *mailbox, uint32_t uid, struct index_row *row)
{
	struct buf name = BUF_INIT(255), path = BUF_INIT(300);
	int fd = mailbox_get_row(mailbox, uid, row, &name);
	if (fd == 0) {
		folder_path(row->in_new, row->name, &path);
		fd = open_regular(mailbox->folder->dir_fd, buf_cstr(&path), &row->size);
	}
	row->name = SPAN_EMPTY;
	buf_done(&name);
	buf_done(&path);
	return fd;
}

/* Opens the file; where it moved, after a scan. row->size is what the file has. */
static int open_message(struct mailbox *mailbox, uint32_t uid, struct index_row *row)
{
	struct change missing = {.uid = uid};
	int fd = try_open(mailbox, uid, row);
	for (int attempt = 0; attempt < 3 && (fd == -EIO || fd == -ENOENT); attempt++) {
		if (attempt > 0 && fd == -ENOENT && mailbox_check_missing(mailbox, &missing, 1) == 0)
			return fd;
		int error = folder_lock(mailbox->folder);
		if (error != 0)
			return error;
		error = folder_sync(mailbox->folder, true);
		folder_unlock(mailbox->folder);
		if (error == 0)
			error = view_load(mailbox);
		if (error != 0 && error != -EIO)
			return error;
		fd = try_open(mailbox, uid, row);
	}
	return fd;
}

int mailbox_message_open(struct mailbox *mailbox, uint32_t uid, uint64_t *ret_size)
{
	struct index_row row;
	int fd = open_message(mailbox, uid, &row);
	if (fd >= 0 && ret_size != NULL)
		*ret_size = row.size;
	return fd;
}

struct reading {
	int fd;
	struct buf *out;      /* may be NULL: measure only */
	uint64_t crlf_size;
	int error;
};

static void read_in_pool(void *arg)
{
	struct reading *reading = arg;
	struct content_state measure = {0};
	char *piece = malloc(READ_PIECE);
	if (piece == NULL) {
		reading->error = -ENOMEM;
		return;
	}
	for (;;) {
		ssize_t n = read(reading->fd, piece, READ_PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			reading->error = n < 0 ? -errno : 0;
			break;
		}
		struct span bytes = span_new(piece, (size_t)n);
		reading->crlf_size += content_crlf_length(&measure, bytes);
		if (reading->out != NULL)
			buf_append(reading->out, bytes);
		if (reading->out != NULL && reading->out->overflow) {
			reading->error = -EFBIG;
			break;
		}
	}
	free(piece);
}

/* Writes what was found out about a message into the index and the view. A cache only: failing is
 * no error. */
static void save_facts(struct mailbox *mailbox, uint32_t uid, uint64_t crlf_size, struct span cache)
{
	struct index_txn txn;
	struct index_folder folder;
	struct index_row old;
	uint16_t *keywords = NULL;
	char name[256];
	if (index_begin(mailbox->store->index, true, &txn) != 0)
		return;
	if (!index_get_folder(&txn, folder_dir(mailbox->folder), &folder)
		|| folder.id != mailbox->id || !index_get_row(&txn, folder.id, uid, &old)
		|| old.name.len > sizeof(name)) {
		index_abort(&txn);
		return;
	}
	if (crlf_size != FILENAME_UNKNOWN && old.crlf_size != crlf_size) {
		keywords = memory_zalloc((size_t)old.keyword_count + 1, sizeof(*keywords));
		if (old.keyword_count > 0)
			memcpy(keywords, old.keywords, old.keyword_count * sizeof(*keywords));
		memcpy(name, old.name.ptr, old.name.len);
		old.keywords = keywords;
		old.name = span_new(name, old.name.len);
		struct index_row row = old;
		row.crlf_size = crlf_size;
		index_put_row(&txn, &folder, &old, &row, false);
		index_put_folder(&txn, folder_dir(mailbox->folder), &folder);
		size_t at = view_find(mailbox, uid);
		if (at < mailbox->count && mailbox->messages[at].uid == uid)
			mailbox->messages[at].size = crlf_size;
	}
	if (cache.len > 0)
		index_put_cache(&txn, folder.id, uid, cache);
	(void)index_commit(&txn);
	free(keywords);
}

int mailbox_message_size(struct mailbox *mailbox, uint32_t uid, uint64_t *ret_size)
{
	size_t at = view_find(mailbox, uid);
	if (at < mailbox->count && mailbox->messages[at].uid == uid
		&& mailbox->messages[at].size != UINT64_MAX) {
		*ret_size = mailbox->messages[at].size;
		return 0;
	}
	struct index_row row;
	int fd = open_message(mailbox, uid, &row);
	if (fd < 0)
		return fd;
	struct reading reading = {.fd = fd};
	task_offload(read_in_pool, &reading);
	(void)close(fd);
	if (reading.error != 0)
		return reading.error;
	save_facts(mailbox, uid, reading.crlf_size, SPAN_EMPTY);
	*ret_size = reading.crlf_size;
	return 0;
}

static int take_from_index(struct mailbox *mailbox, uint32_t uid, enum message_cache kind,
	struct buf *out)
{
	struct index_txn txn;
	struct span value, piece;
	int error = index_begin(mailbox->store->index, false, &txn);
	if (error != 0)
		return error;
	bool found = index_get_cache(&txn, mailbox->id, uid, &value) && cache_get(value, kind, &piece);
	if (found)
		buf_append(out, piece);
	index_abort(&txn);
	return txn.error != 0 ? txn.error : found ? 0 : -ENODATA;
}

struct building {
	int fd;
	uint64_t size;
	struct span message; /* where the file is small */
	struct buf *value;
	bool good;
};

static void build_in_pool(void *arg)
{
	struct building *building = arg;
	building->good = building->size <= HEAP_MAX
		? cache_build(building->message, building->value, NULL)
		: cache_build_file(building->fd, building->size, building->value);
}

int mailbox_message_cache(struct mailbox *mailbox, uint32_t uid, enum message_cache kind,
	struct buf *out)
{
	int error = take_from_index(mailbox, uid, kind, out);
	if (error != -ENODATA && error != -EIO)
		return out->overflow ? -EFBIG : error;
	struct index_row row;
	int fd = open_message(mailbox, uid, &row);
	if (fd < 0)
		return fd;
	struct buf message = BUF_INIT(HEAP_MAX), value = BUF_INIT(CACHE_SIZE_MAX + 1024);
	struct reading reading = {.fd = fd, .out = row.size <= HEAP_MAX ? &message : NULL};
	struct span piece;
	task_offload(read_in_pool, &reading);
	error = reading.error;
	struct building building = {fd, row.size, buf_span(&message), &value, false};
	if (error == 0 && row.size > READ_PIECE)
		task_offload(build_in_pool, &building);
	else if (error == 0)
		build_in_pool(&building);
	(void)close(fd);
	if (error == 0 && (!building.good || !cache_get(buf_span(&value), kind, &piece)))
		error = -EFBIG;
	if (error == 0) {
		buf_append(out, piece);
		save_facts(mailbox, uid, reading.crlf_size, buf_span(&value));
	}
	buf_done(&message);
	buf_done(&value);
	return error == 0 && out->overflow ? -EFBIG : error;
}

int mailbox_message_uidl(struct mailbox *mailbox, uint32_t uid, struct buf *out)
{
	if (!mailbox->uidls_loaded) {
		struct buf text = BUF_INIT(UIDL_FILE_MAX);
		int error = file_read_at(mailbox->folder->dir_fd, UIDL_FILE, &text);
		if (error == 0)
			uidl_parse(buf_span(&text), &mailbox->uidls);
		buf_done(&text);
		if (error != 0 && error != -ENOENT)
			return error;
		mailbox->uidls_loaded = true;
	}
	const char *other = table_get(&mailbox->uidls, span_new(&uid, sizeof(uid)));
	if (other != NULL)
		buf_append_cstr(out, other);
	else
		buf_append_format(out, "%08x%08x", uid, mailbox->uidvalidity);
	return 0;
}
