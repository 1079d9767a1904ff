/* Damage in the queue. A message that cannot be read any more is tried again like any other that is
 * deferred, as the disk may come back to its senses; at the end of its lifetime what is left of it
 * is put into corrupt/, the postmaster is told, and it leaves the queue. A place in the journal
 * where not even an envelope is left is kept at once: its segment will be used again.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "qmgr/qmgr.h"
#include "queue/record.h"
#include "sys/fd.h"

static int open_folder(const char *name)
{
	struct buf path = BUF_INIT(4096);
	buf_append_format(&path, "%s/%s", qmgr.settings.queue_directory, name);
	int fd = path.overflow ? -1 : open(buf_cstr(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	buf_done(&path);
	return fd;
}

static int write_all(int fd, struct span bytes)
{
	int error = fd_write_all(fd, bytes);
	return error != 0 ? error : fsync(fd) < 0 ? -errno : 0;
}

/* Bytes of the journal as they are. */
static int keep_bytes(const struct queue_position *place, int folder, const char *name)
{
	struct buf bytes = BUF_INIT(RECORD_BODY_MAX + 4096);
	int error = queue_reader_raw(qmgr.reader, place, &bytes);
	int fd = error < 0 ? -1 : openat(folder, name,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (error == 0)
		error = fd < 0 ? -errno : write_all(fd, buf_span(&bytes));
	if (fd >= 0 && close(fd) < 0 && error == 0)
		error = -errno;
	buf_done(&bytes);
	return error;
}

static int keep_record(const struct queue_entry *entry, int folder)
{
	struct buf name = BUF_INIT(100);
	buf_append_format(&name, "%s.record", entry->queue_id);
	int error = keep_bytes(&entry->position, folder, buf_cstr(&name));
	buf_done(&name);
	return error;
}

/* The content in a file of its own: a second name, the first is removed with the message. */
static int keep_large(const struct queue_entry *entry, int folder)
{
	int large = open_folder("large");
	int error = large < 0 ? -errno : 0;
	if (error == 0 && linkat(large, entry->queue_id, folder, entry->queue_id, 0) < 0 &&
		errno != EEXIST && errno != ENOENT)
		error = -errno;
	if (large >= 0)
		close(large);
	return error;
}

/* DURABLE: what is kept is on disk before the message is given up. */
bool corrupt_keep(const struct queue_entry *entry)
{
	int folder = open_folder("corrupt");
	int error = folder < 0 ? -errno : keep_record(entry, folder);
	if (error == 0 && (entry->envelope_flags & QUEUE_LARGE_CONTENT))
		error = keep_large(entry, folder);
	if (error == 0 && fsync(folder) < 0)
		error = -errno;
	if (folder >= 0)
		close(folder);
	if (error < 0)
		log_warning(entry->queue_id, "cannot keep what is left of the message: %s",
			strerror(-error));
	else
		log_warning(entry->queue_id, "the message is damaged and too old: moved to corrupt/");
	return error == 0;
}

/* DURABLE: what is kept is on disk before the segment that it was in can be used again. */
static int keep_place(const struct queue_position *place, const char *name, bool *ret_known)
{
	int folder = open_folder("corrupt");
	if (folder < 0)
		return -errno;
	struct stat st;
	*ret_known = fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		(uint64_t)st.st_size == place->length;
	int error = *ret_known ? 0 : keep_bytes(place, folder, name);
	if (error == 0 && !*ret_known && fsync(folder) < 0)
		error = -errno;
	close(folder);
	return error;
}

void corrupt_keep_places(void)
{
	for (; qmgr.damaged_kept < qmgr.index.damaged_count; qmgr.damaged_kept++) {
		struct queue_position place = qmgr.index.damaged[qmgr.damaged_kept];
		struct buf name = BUF_INIT(100);
		bool known = false;
		buf_append_format(&name, "%016llx-%llx.record", (unsigned long long)place.segment,
			(unsigned long long)place.offset);
		int error = keep_place(&place, buf_cstr(&name), &known);
		if (error < 0)
			log_error(NULL,
				"journal/%016llx.seg is damaged at %llu, and its bytes cannot be kept: %s",
				(unsigned long long)place.segment, (unsigned long long)place.offset,
				strerror(-error));
		else if (!known)
			log_error(NULL, "journal/%016llx.seg is damaged at %llu: %llu bytes, a message or one "
				"that was never acknowledged, are kept in corrupt/%s",
				(unsigned long long)place.segment, (unsigned long long)place.offset,
				(unsigned long long)place.length, buf_cstr(&name));
		buf_done(&name);
	}
}
