/* .forward and :include: files, read as the user. A file that others could have written is not
 * obeyed.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "local/worker.h"
#include "sys/fd.h"
#include "task/task.h"

enum read_result { READ_OK, READ_NONE, READ_UNSAFE, READ_ERROR };

struct file_reading {
	const char *path;
	bool must_own;
	struct buf *out;
	enum read_result result;
	int error;
	const char *problem;
};

static const char *find_problem(const struct stat *st, bool must_own)
{
	if (!S_ISREG(st->st_mode))
		return "not a regular file";
	if (must_own && st->st_uid != geteuid() && st->st_uid != 0)
		return "file has another owner";
	if (must_own && (st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "file is writable by others";
	if ((st->st_mode & S_IWOTH) != 0)
		return "file is writable by everybody";
	return NULL;
}

static void read_in_pool(void *arg)
{
	struct file_reading *reading = arg;
	struct stat st;
	int fd = open(reading->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		reading->error = -errno;
		reading->result = errno == ENOENT || errno == ENOTDIR ? READ_NONE : READ_ERROR;
		return;
	}
	if (fstat(fd, &st) != 0) {
		reading->error = -errno;
		reading->result = READ_ERROR;
	} else if ((reading->problem = find_problem(&st, reading->must_own)) != NULL) {
		reading->result = READ_UNSAFE;
	} else {
		reading->error = fd_read_all(fd, reading->out);
		reading->result = reading->error == 0 ? READ_OK : READ_ERROR;
	}
	(void)close(fd);
}

static void read_file(
	struct span path, bool must_own, struct buf *out, struct file_reading *reading)
{
	char *name = span_dup_cstr(path);
	buf_reset(out);
	*reading = (struct file_reading){.path = name, .must_own = must_own, .out = out};
	task_offload(read_in_pool, reading);
	reading->path = NULL;
	free(name);
}

bool work_forward(const struct local_work *work, struct answer *answer)
{
	for (size_t i = 0; i < work->forward_path_count; i++) {
		struct span path = work->forward_paths[i].path;
		struct file_reading reading;
		read_file(path, true, &answer->content, &reading);
		switch (reading.result) {
		case READ_OK:
			answer_set(answer, LOCAL_FORWARD, "2.0.0", "forward file");
			return true;
		case READ_NONE:
			break;
		case READ_UNSAFE:
			log_warning(NULL, "%.*s: %.*s: file ignored: %s", SPAN_ARGS(work->queue_id),
				SPAN_ARGS(path), reading.problem);
			break;
		case READ_ERROR:
			/* A home that this user cannot enter has no forward file for us. */
			if (reading.error == -EACCES)
				break;
			answer_error(answer, reading.error, "cannot read forward file", path);
			buf_reset(&answer->content);
			return true;
		}
	}
	buf_reset(&answer->content);
	return false;
}

void work_include(const struct local_work *work, struct answer *answer)
{
	struct file_reading reading;
	read_file(work->path, false, &answer->content, &reading);
	if (reading.result == READ_OK) {
		answer_set(answer, LOCAL_READ, "2.0.0", "include file");
		return;
	}
	buf_reset(&answer->content);
	if (reading.result == READ_UNSAFE)
		answer_set(answer, LOCAL_DEFERRED, "4.3.5", "include file %.*s: %s",
			SPAN_ARGS(work->path), reading.problem);
	else
		answer_error(answer, reading.error, "cannot read include file", work->path);
}
