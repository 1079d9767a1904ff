/* Small files, locks and flushes of the store; see file_private.h.
 * SPDX-License-Identifier: ISC */
#include "store/file_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "sys/fd.h"
#include "task/task.h"

#define LOCK_WAIT_MS 30000
#define LOCK_PAUSE_MS 2
#define FEW_NAMES 8

void file_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

int file_read_at(int dir_fd, const char *name, struct buf *out)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	int error = fd_read_all(fd, out);
	(void)close(fd);
	return error;
}

int file_read_present_at(int dir_fd, const char *name, struct buf *out)
{
	int error = file_read_at(dir_fd, name, out);
	return error == -ENOTDIR || error == -ELOOP || error == -EFBIG ? -ENOENT : error;
}

struct replace {
	int dir_fd;
	const char *name;
	struct span content;
	int error;
};

static void replace_in_pool(void *arg)
{
	struct replace *replace = arg;
	char temporary[128];
	(void)snprintf(temporary, sizeof(temporary), "%.90s.new%d", replace->name, (int)getpid());
	int fd = openat(replace->dir_fd, temporary,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		replace->error = -errno;
		return;
	}
	int error = fd_write_all(fd, replace->content);
	/* DURABLE: the content first, then the name. */
	if (error == 0 && fsync(fd) != 0)
		error = -errno;
	if (close(fd) != 0 && error == 0)
		error = -errno;
	if (error == 0 && renameat(replace->dir_fd, temporary, replace->dir_fd, replace->name) != 0)
		error = -errno;
	if (error == 0 && fsync(replace->dir_fd) != 0)
		error = -errno;
	if (error != 0)
		(void)unlinkat(replace->dir_fd, temporary, 0);
	replace->error = error;
}

int file_replace_at(int dir_fd, const char *name, struct span content)
{
	struct replace replace = {dir_fd, name, content, 0};
	task_offload(replace_in_pool, &replace);
	return replace.error;
}

int file_append_at(int dir_fd, const char *name, struct span content)
{
	int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	struct stat st;
	int error = fstat(fd, &st) != 0 ? -errno : 0;
	char last = '\n';
	if (error == 0 && st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) != 1)
		error = -EIO;
	if (error == 0 && lseek(fd, 0, SEEK_END) < 0)
		error = -errno;
	if (error == 0 && last != '\n')
		error = fd_write_all(fd, SPAN("\n"));
	if (error == 0)
		error = fd_write_all(fd, content);
	/* Where even that fails, the next line begins with a line end and the torn one is passed
	 * over. */
	if (error != 0 && ftruncate(fd, st.st_size) != 0)
		error = -errno;
	if (close(fd) != 0 && error == 0)
		error = -errno;
	return error;
}

struct sync {
	int dir_fd, fd;
	const char *name;
	int error;
};

static void sync_in_pool(void *arg)
{
	struct sync *sync = arg;
	int fd = sync->fd;
	if (sync->name != NULL)
		fd = openat(sync->dir_fd, sync->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sync->error = fd < 0 || fsync(fd) != 0 ? -errno : 0;
	if (sync->name != NULL && fd >= 0)
		(void)close(fd);
}

int file_sync(int fd)
{
	struct sync sync = {-1, fd, NULL, 0};
	task_offload(sync_in_pool, &sync);
	return sync.error;
}

int file_sync_dir_at(int dir_fd, const char *name)
{
	struct sync sync = {dir_fd, -1, name, 0};
	task_offload(sync_in_pool, &sync);
	return sync.error;
}

void file_change_names(size_t count, void (*fn)(void *arg), void *arg)
{
	if (count > FEW_NAMES)
		task_offload(fn, arg);
	else
		fn(arg);
}

int file_try_lock(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

static int pause_for_lock(void)
{
	if (task_self() != NULL)
		return task_sleep(LOCK_PAUSE_MS);
	struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
	(void)nanosleep(&pause, NULL);
	return 0;
}

int file_lock(int fd)
{
	for (int waited = 0; waited < LOCK_WAIT_MS; waited += LOCK_PAUSE_MS) {
		int error = file_try_lock(fd);
		if (error != -EAGAIN && error != -EINTR)
			return error;
		error = pause_for_lock();
		if (error != 0)
			return error;
	}
	return -ETIMEDOUT;
}

void file_unlock(int fd)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
	(void)fcntl(fd, F_OFD_SETLK, &lock);
}

int64_t file_mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

int64_t file_now_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int file_set_mtime_at(int dir_fd, const char *name, int64_t ns)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
		{.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)}};
	return utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}
