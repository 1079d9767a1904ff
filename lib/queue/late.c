/* See late.h.
 * SPDX-License-Identifier: ISC */
#include "queue/late.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/memory.h"
#include "queue/io_private.h"
#include "queue/ledger_private.h"
#include "queue/record.h"
#include "sys/fd.h"
#include "task/task.h"

#define LATE_EPOCH 0x6574616c6f626d61u
#define NAME_SIZE 40
#define SUFFIX ".late"
#define FILE_MAX (256u * 1024 * 1024)
#define FILES_MAX 100

struct late_log {
	int fd;
	uint64_t offset;
	struct buf pending; /* framed */
	struct task_lock lock;
	const struct buf *writing;
	int error;
};

int late_log_create(const char *queue_directory, struct late_log **ret_log)
{
	char name[NAME_SIZE];
	uint64_t number = 0;
	int directory = queue_io_open_directory(queue_directory, "ledger");
	if (directory < 0)
		return directory;
	int error = getrandom(&number, sizeof number, 0) == sizeof number ? 0 : -EIO;
	snprintf(name, sizeof name, "%016llx" SUFFIX, (unsigned long long)number);
	int fd = error < 0 ? error
		: queue_io_open(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	/* DURABLE: the name, before an outcome that stands nowhere else. */
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		error = -errno;
	if (fd >= 0 && error == 0)
		error = queue_io_fsync_directory(directory);
	close(directory);
	if (fd < 0 || error < 0) {
		if (fd >= 0)
			close(fd);
		return fd < 0 ? fd : error;
	}
	struct late_log *log = NEW(struct late_log);
	log->fd = fd;
	buf_init(&log->pending, FILE_MAX);
	task_lock_init(&log->lock);
	*ret_log = log;
	return 0;
}

void late_log_append(struct late_log *log, const struct ledger_entry *entry)
{
	struct buf bytes = BUF_INIT(65536);
	ledger_entry_encode(entry, &bytes);
	ledger_frame(buf_span(&bytes), LATE_EPOCH, &log->pending);
	buf_done(&bytes);
}

static void write_offloaded(void *arg)
{
	struct late_log *log = arg;
	log->error = queue_io_write_at(log->fd, log->writing->ptr, log->writing->len, log->offset);
	if (log->error == 0)
		log->error = queue_io_fdatasync(log->fd);
}

int late_log_commit(struct late_log *log)
{
	int error = task_lock_take(&log->lock, TASK_FOREVER);
	if (error < 0)
		return error;
	struct buf writing = log->pending;
	buf_init(&log->pending, FILE_MAX);
	log->writing = &writing;
	/* DURABLE: outcomes, before whoever waits for them goes on. */
	if (writing.len > 0)
		task_offload(write_offloaded, log);
	error = writing.len > 0 ? log->error : 0;
	if (error == 0) {
		log->offset += writing.len;
	} else {
		buf_append(&writing, buf_span(&log->pending));
		buf_done(&log->pending);
		log->pending = writing;
		buf_init(&writing, FILE_MAX);
	}
	buf_done(&writing);
	task_lock_release(&log->lock);
	return error;
}

void late_log_close(struct late_log *log)
{
	if (log == NULL)
		return;
	close(log->fd);
	buf_done(&log->pending);
	free(log);
}

struct late_reader {
	int directory, fd; /* fd: -errno when it could not be opened */
	uint64_t offset;
	char name[NAME_SIZE];
};

static int open_reader(int directory, const char *name, struct late_reader **ret_reader)
{
	int copy = fcntl(directory, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	struct late_reader *reader = NEW(struct late_reader);
	reader->fd = queue_io_open(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
	reader->directory = copy;
	snprintf(reader->name, sizeof reader->name, "%s", name);
	*ret_reader = reader;
	return 0;
}

static void close_all(struct late_reader **readers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		late_reader_close(readers[i]);
	free(readers);
}

int late_readers_open(
	const char *queue_directory, struct late_reader ***ret_readers, size_t *ret_count)
{
	struct late_reader **readers = NULL;
	size_t count = 0;
	int status = 0;
	int directory = queue_io_open_directory(queue_directory, "ledger");
	int copy = directory < 0 ? -1 : fcntl(directory, F_DUPFD_CLOEXEC, 0);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	if (stream == NULL) {
		int error = directory < 0 ? directory : -errno;
		if (directory >= 0)
			close(directory);
		if (copy >= 0)
			close(copy);
		return error;
	}
	while (status == 0 && count < FILES_MAX && (entry = readdir(stream)) != NULL) {
		struct span name = span_from_cstr(entry->d_name);
		if (name.len != 16 + sizeof SUFFIX - 1 || !span_ends_with(name, SPAN(SUFFIX)))
			continue;
		readers = memory_resize(readers, count + 1, sizeof *readers);
		status = open_reader(directory, entry->d_name, &readers[count]);
		if (status == 0)
			count++;
	}
	closedir(stream);
	close(directory);
	if (status < 0) {
		close_all(readers, count);
		return status;
	}
	*ret_readers = readers;
	*ret_count = count;
	return 0;
}

int late_reader_read(struct late_reader *reader,
	void (*visit)(void *arg, const struct ledger_entry *entry), void *arg)
{
	struct buf bytes = BUF_INIT(FILE_MAX);
	uint64_t count = 0;
	if (reader->fd < 0)
		return reader->fd;
	int ended = flock(reader->fd, LOCK_EX | LOCK_NB) == 0;
	for (;;) {
		char *to = buf_reserve(&bytes, 65536);
		ssize_t n = to == NULL ? -EFBIG
			: queue_io_read_at(reader->fd, to, 65536, reader->offset + bytes.len);
		if (n < 0) {
			buf_done(&bytes);
			return (int)n;
		}
		if (n == 0)
			break;
		bytes.len += (size_t)n;
	}
	reader->offset += ledger_scan(buf_span(&bytes), LATE_EPOCH, visit, arg, &count);
	buf_done(&bytes);
	return ended;
}

void late_reader_remove(struct late_reader *reader)
{
	(void)unlinkat(reader->directory, reader->name, 0);
}

int late_reader_set_aside(struct late_reader *reader, const char *queue_directory)
{
	int corrupt = queue_io_open_directory(queue_directory, "corrupt");
	if (corrupt < 0)
		return corrupt;
	int error = renameat(reader->directory, reader->name, corrupt, reader->name) < 0 ? -errno : 0;
	close(corrupt);
	return error;
}

const char *late_reader_name(const struct late_reader *reader)
{
	return reader->name;
}

void late_reader_close(struct late_reader *reader)
{
	if (reader->fd >= 0)
		close(reader->fd);
	close(reader->directory);
	free(reader);
}
