/* A message that cannot be read any more. It is tried again like any other that is deferred, as the disk may
 * come back to its senses; at the end of its lifetime what is left of it is put into corrupt/, the
 * postmaster is told, and it leaves the queue.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "qmgr/qmgr.h"
#include "queue/record.h"

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
	while (bytes.len > 0) {
		ssize_t count = write(fd, bytes.ptr, bytes.len);
		if (count < 0)
			return -errno;
		bytes = span_skip(bytes, (size_t)count);
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* The record's bytes as they are. */
static int keep_record(const struct queue_entry *entry, int folder)
{
	struct buf bytes = BUF_INIT(RECORD_BODY_MAX + 4096), name = BUF_INIT(100);
	buf_append_format(&name, "%s.record", entry->queue_id);
	int error = queue_reader_raw(qmgr.reader, &entry->position, &bytes);
	int fd = error < 0 ? -1 : openat(folder, buf_cstr(&name),
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (error == 0)
		error = fd < 0 ? -errno : write_all(fd, buf_span(&bytes));
	if (fd >= 0 && close(fd) < 0 && error == 0)
		error = -errno;
	buf_done(&bytes);
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
