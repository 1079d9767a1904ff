/* The index's environment: its files, opening and dropping them, the one in memory.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/file_private.h"
#include "store/index_lmdb_private.h"
#include "sys/guard.h"

/* 2: with the locks of LMDB, which must not meet ours on one file */
#define SCHEMA "tambo-index 3 "
#define MAP_SIZE_START (64UL << 20)
#define PAGE_SIZE_MAX 32768 /* LMDB's */
#define PROBE_SIZE 65536

static int read_boot_id(struct buf *out)
{
	buf_append_cstr(out, SCHEMA);
	int error = file_read_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", out);
	return error == 0 && out->overflow ? -EIO : error;
}

/* LMDB found its own pages wrong. */
static void assert_failed(MDB_env *env, const char *message)
{
	(void)env;
	(void)message;
	guard_fail();
}

/* A file cut short would be a SIGBUS at the first access behind its end. */
static bool is_whole(struct index *index)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	if (mdb_env_info(index->env, &info) != 0 || mdb_env_stat(index->env, &stat) != 0)
		return false;
	/* After that: another process may be writing. */
	if (fstat(index->lock_fd, &st) != 0)
		return false;
	index->inode = st.st_ino;
	index->page_size = stat.ms_psize;
	index->map_size = info.me_mapsize;
	long page_size = sysconf(_SC_PAGESIZE);
	if (stat.ms_psize != (page_size < PAGE_SIZE_MAX ? page_size : PAGE_SIZE_MAX))
		return false;
	return stat.ms_entries == 0
		|| (uint64_t)st.st_size >= (info.me_last_pgno + 1) * stat.ms_psize;
}

static void remove_files(struct index *index)
{
	(void)unlinkat(index->dir_fd, "data.mdb", 0);
	(void)unlinkat(index->dir_fd, "lock.mdb", 0); /* of an earlier version */
	(void)unlinkat(index->dir_fd, "boot", 0);
}

static void run_close(struct index_call *call)
{
	if (call->index->idle != NULL)
		mdb_txn_abort(call->index->idle);
	mdb_env_close(call->index->env);
}

void index_env_close(struct index *index)
{
	struct index_call call = {.index = index};
	CHECK(index->open == 0);
	index_lock_drop(index);
	/* What cannot be closed is left. */
	if (index->env != NULL)
		(void)index_guard(&call, run_close, NULL);
	index->idle = NULL;
	index->env = NULL;
	index->opening++;
	index->map = NULL;
	index->checked = INDEX_UNCHECKED;
	index->broken = index->in_memory = false;
}

static int open_table(struct index *index)
{
	MDB_txn *txn = NULL;
	int error = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &txn);
	if (error == 0)
		error = mdb_dbi_open(txn, NULL, 0, &index->dbi);
	if (error == 0)
		return mdb_txn_commit(txn);
	if (txn != NULL)
		mdb_txn_abort(txn);
	return error;
}

/* bytes: the path. */
static void run_open(struct index_call *call)
{
	struct index *index = call->index;
	int error = mdb_env_create(&index->env);
	if (error == 0)
		error = mdb_env_set_assert(index->env, assert_failed);
	if (error == 0)
		error = mdb_env_set_mapsize(index->env, MAP_SIZE_START);
	if (error == 0)
		error = mdb_env_open(index->env, call->bytes,
			MDB_NOSYNC | MDB_NOTLS | MDB_NOLOCK | call->flags, 0600);
	if (error == 0)
		error = mdb_env_get_fd(index->env, &index->lock_fd);
	if (error == 0 && !is_whole(index))
		error = MDB_CORRUPTED;
	if (error == 0)
		error = open_table(index);
	call->error = error;
}

/* 0, -errno, or MDB's. */
static int open_env(struct index *index, const char *path, unsigned flags)
{
	struct index_call call = {.index = index, .bytes = path, .flags = flags};
	int error = index_guard(&call, run_open, NULL);
	if (error != 0)
		index_env_close(index);
	return error > 0 ? -error : error;
}

static int write_boot(struct index *index, struct span boot)
{
	int fd = openat(index->dir_fd, "boot", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, boot.ptr, boot.len);
	int error = n == (ssize_t)boot.len ? 0 : n < 0 ? -errno : -ENOSPC;
	(void)close(fd);
	return error;
}

/* Failures that a new file would not mend; every other one may come from what the file says. */
static bool is_of_the_world(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOSPC || error == -EDQUOT
		|| error == -EROFS || error == -EFBIG;
}

/* Under the lock of the index's folder. */
static int open_locked(struct index *index, bool drop)
{
	struct buf boot = BUF_INIT(256), seen = BUF_INIT(256);
	int error = read_boot_id(&boot);
	if (error == 0) {
		bool same_boot = file_read_at(index->dir_fd, "boot", &seen) == 0
			&& span_equal(buf_span(&boot), buf_span(&seen));
		bool fresh = drop || !same_boot;
		if (fresh)
			remove_files(index);
		error = open_env(index, index->path, 0);
		if (error != 0 && !is_of_the_world(error)) {
			remove_files(index);
			fresh = true;
			error = open_env(index, index->path, 0);
		}
		/* Not written without need: a full disk would lose it, and so the index. */
		if (error == 0 && fresh)
			error = write_boot(index, buf_span(&boot));
	}
	buf_done(&boot);
	buf_done(&seen);
	if (error != 0)
		index_env_close(index);
	return error;
}

int index_env_open(struct index *index, bool drop)
{
	struct stat st;
	int lock_fd = openat(index->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock_fd < 0)
		return -errno;
	int error = index_lock_folder(index, lock_fd);
	/* Another process may have dropped it already. */
	if (index->env != NULL && (fstatat(index->dir_fd, "data.mdb", &st, AT_SYMLINK_NOFOLLOW) != 0
		|| st.st_ino != index->inode))
		drop = false;
	index_env_close(index);
	if (error == 0)
		error = open_locked(index, drop);
	(void)close(lock_fd);
	return error;
}

int index_env_open_in_memory(struct index *index)
{
	char path[64];
	index_env_close(index);
	index->in_memory_since = file_now_ns();
	int fd = memfd_create("tambo-index", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* LMDB opens by path. It is within the walls: a process may look at itself. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int error = open_env(index, path, MDB_NOSUBDIR);
	(void)close(fd);
	index->in_memory = error == 0;
	return error < 0 && error >= MDB_KEYEXIST && error <= MDB_LAST_ERRCODE ? -EIO : error;
}

bool index_env_has_room(struct index *index)
{
	static const char zeros[PROBE_SIZE];
	file_close(&index->dir_fd);
	index->dir_fd = index_env_open_folder(index->path);
	int fd = openat(index->dir_fd, "probe", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		0600);
	bool good = fd >= 0 && write(fd, zeros, sizeof(zeros)) == (ssize_t)sizeof(zeros);
	if (fd >= 0) {
		(void)close(fd);
		(void)unlinkat(index->dir_fd, "probe", 0);
	}
	return good;
}

int index_env_open_folder(const char *path)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return -errno;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}
