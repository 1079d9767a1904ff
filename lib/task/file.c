/* See file.h.
 * SPDX-License-Identifier: ISC */
#include "task/file.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/fd.h"
#include "task/task.h"

struct read_job {
	int fd;
	char *bytes;
	size_t len;
	uint64_t offset;
	ssize_t result;
};

static void read_all(void *arg)
{
	struct read_job *job = arg;
	job->result = fd_read_at(job->fd, job->bytes, job->len, job->offset);
}

static ssize_t read_cached(int fd, void *bytes, size_t len, uint64_t offset)
{
	struct iovec vector = {.iov_base = bytes, .iov_len = len};
	return task_self() == NULL ? -1 : preadv2(fd, &vector, 1, (off_t)offset, RWF_NOWAIT);
}

ssize_t task_read_some(int fd, void *bytes, size_t len, uint64_t offset)
{
	ssize_t n = read_cached(fd, bytes, len, offset);
	if (n >= 0)
		return n;
	struct read_job job = {.fd = fd, .bytes = bytes, .len = len, .offset = offset};
	task_offload(read_all, &job);
	return job.result;
}

ssize_t task_read_at(int fd, void *bytes, size_t len, uint64_t offset)
{
	ssize_t n = read_cached(fd, bytes, len, offset);
	size_t done = n > 0 ? (size_t)n : 0;
	if (done == len)
		return (ssize_t)done;
	struct read_job job = {.fd = fd,
		.bytes = (char *)bytes + done,
		.len = len - done,
		.offset = offset + done};
	task_offload(read_all, &job);
	return job.result < 0 ? job.result : (ssize_t)done + job.result;
}
