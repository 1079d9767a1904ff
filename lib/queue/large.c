/* See large.h.
 * SPDX-License-Identifier: ISC */
#include "queue/large.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "queue/codec_private.h"
#include "queue/io_private.h"
#include "sys/directory.h"
#include "task/task.h"

#define RUN_CAP (QUEUE_RECIPIENTS_INLINE_MAX + 4 * QUEUE_ADDRESS_MAX)
static const char recipients_suffix[] = ".rcpt";

int large_create(int directory, const char *queue_id, bool recipients, struct large_file *ret_file)
{
	struct large_file file = {.directory = directory};
	if (!queue_id_is_valid(span_from_cstr(queue_id)))
		return -EINVAL;
	snprintf(
		file.name, sizeof file.name, "%s%s", queue_id, recipients ? recipients_suffix : "");
	file.fd = queue_io_open(directory, file.name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (file.fd < 0)
		return file.fd;
	*ret_file = file;
	return 0;
}

struct file_job {
	struct large_file *file;
	struct span bytes;
	int result;
};

static void write_offloaded(void *arg)
{
	struct file_job *job = arg;
	job->result =
		queue_io_write_at(job->file->fd, job->bytes.ptr, job->bytes.len, job->file->size);
}

int large_write(struct large_file *file, struct span bytes)
{
	struct file_job job = {.file = file, .bytes = bytes};
	if (bytes.len == 0)
		return 0;
	task_offload(write_offloaded, &job);
	if (job.result == 0)
		file->size += bytes.len;
	return job.result;
}

static void finish_offloaded(void *arg)
{
	struct file_job *job = arg;
	job->result = 0;
	if (job->bytes.len > 0)
		write_offloaded(job);
	/* DURABLE: content and name of the file, before a record refers to it. */
	if (job->result == 0)
		job->result = queue_io_fsync(job->file->fd);
	if (job->result == 0)
		job->result = queue_io_fsync_directory(job->file->directory);
}

int large_finish(struct large_file *file, struct span last)
{
	struct file_job job = {.file = file, .bytes = last};
	task_offload(finish_offloaded, &job);
	int fd = file->fd;
	if (job.result != 0) {
		large_abort(file);
		return job.result;
	}
	file->fd = -1;
	if (close(fd) == 0)
		return 0;
	int error = -errno;
	unlinkat(file->directory, file->name, 0);
	return error;
}

void large_abort(struct large_file *file)
{
	if (file->fd < 0)
		return;
	unlinkat(file->directory, file->name, 0);
	close(file->fd);
	file->fd = -1;
}

int large_remove(int directory, struct span queue_id)
{
	char name[QUEUE_ID_MAX + 8];
	if (!queue_id_is_valid(queue_id))
		return -EINVAL;
	memcpy(name, queue_id.ptr, queue_id.len);
	name[queue_id.len] = '\0';
	int error = unlinkat(directory, name, 0) < 0 && errno != ENOENT ? -errno : 0;
	memcpy(name + queue_id.len, recipients_suffix, sizeof recipients_suffix);
	if (unlinkat(directory, name, 0) < 0 && errno != ENOENT)
		error = -errno;
	return error;
}

int large_each(int directory, void (*visit)(void *arg, struct span queue_id, int64_t modified_ms),
	void *arg)
{
	DIR *stream = directory_open(directory, ".");
	if (stream == NULL)
		return -errno;
	struct dirent *entry;
	while (errno = 0, (entry = readdir(stream)) != NULL) {
		struct span name = span_from_cstr(entry->d_name);
		struct stat status;
		if (span_ends_with(name, SPAN(".rcpt")))
			name = span_head(name, name.len - strlen(recipients_suffix));
		if (queue_id_is_valid(name) &&
			fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
			visit(arg, name,
				(int64_t)status.st_mtim.tv_sec * 1000 +
					status.st_mtim.tv_nsec / 1000000);
	}
	int error = -errno;
	closedir(stream);
	return error;
}

void recipient_list_init(struct recipient_list *list, int directory, const char *queue_id)
{
	*list = (struct recipient_list){.run = BUF_INIT(RUN_CAP),
		.file = LARGE_FILE_NONE,
		.directory = directory,
		.queue_id = queue_id};
}

void recipient_list_done(struct recipient_list *list)
{
	large_abort(&list->file);
	buf_done(&list->run);
}

/* Writes the run in memory as one record. The head says which recipients it holds. */
static int flush_run(struct recipient_list *list)
{
	struct buf record = BUF_INIT(RUN_CAP + 128);
	char head[8];
	int error = 0;
	if (list->file.fd < 0) {
		error = large_create(list->directory, list->queue_id, true, &list->file);
		if (error == 0 &&
			getrandom(&list->epoch, sizeof list->epoch, 0) != sizeof list->epoch)
			error = -EIO;
	}
	store_u32(head, list->count - list->run_count);
	store_u32(head + 4, list->run_count);
	if (error == 0) {
		record_append(&record, RECORD_RECIPIENTS, list->epoch, span_new(head, sizeof head),
			buf_span(&list->run));
		error = record.overflow ? -EMSGSIZE : large_write(&list->file, buf_span(&record));
	}
	buf_done(&record);
	if (error == 0) {
		buf_reset(&list->run);
		list->run_count = 0;
	}
	return error;
}

int recipient_list_add(struct recipient_list *list, const struct queue_recipient *recipient)
{
	if (list->count >= QUEUE_RECIPIENTS_MAX)
		return -EMSGSIZE;
	size_t start = list->run.len;
	if (!queue_recipient_append(&list->run, recipient))
		return -EMSGSIZE;
	if (list->run.len > QUEUE_RECIPIENTS_INLINE_MAX) {
		/* The run goes out without the new one, which begins the next. */
		struct buf last = BUF_INIT(4 * QUEUE_ADDRESS_MAX);
		buf_append(&last, span_skip(buf_span(&list->run), start));
		buf_truncate(&list->run, start);
		int error = flush_run(list);
		buf_append(&list->run, buf_span(&last));
		buf_done(&last);
		if (error != 0)
			return error;
	}
	list->count++;
	list->run_count++;
	return 0;
}

int recipient_list_finish(struct recipient_list *list, struct queue_envelope *envelope)
{
	envelope->recipient_count = list->count;
	envelope->recipients = buf_span(&list->run);
	if (list->file.fd < 0)
		return 0;
	int error = list->run_count > 0 ? flush_run(list) : 0;
	if (error == 0)
		error = large_finish(&list->file, SPAN_EMPTY);
	envelope->recipients = SPAN_EMPTY;
	envelope->recipients_epoch = list->epoch;
	envelope->flags |= QUEUE_LARGE_RECIPIENTS;
	return error;
}
