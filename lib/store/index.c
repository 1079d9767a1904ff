/* The index: environment, transactions, dropping it; see index_private.h. Rows are in index_row.c.
 * SPDX-License-Identifier: ISC */
#include "store/index_lmdb_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/file_private.h"
#include "task/task.h"

#define SCHEMA "tambo-index 1 "
#define MAP_SIZE_START (64UL << 20)
#define MAP_SIZE_STEP 4

static int read_boot_id(struct buf *out)
{
	buf_append_cstr(out, SCHEMA);
	int error = file_read_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", out);
	return error == 0 && out->overflow ? -EIO : error;
}

/* LMDB found its own pages wrong: without the file the next process starts with a new index. */
static void assert_failed(MDB_env *env, const char *message)
{
	struct index *index = mdb_env_get_userctx(env);
	(void)message;
	(void)unlinkat(index->dir_fd, "data.mdb", 0);
	check_fail("LMDB index", __FILE__, __LINE__);
}

/* A file cut short would be a SIGBUS at the first access behind its end. */
static bool file_is_whole(struct index *index)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	if (mdb_env_info(index->env, &info) != 0 || mdb_env_stat(index->env, &stat) != 0
		|| fstatat(index->dir_fd, "data.mdb", &st, 0) != 0)
		return false;
	if (stat.ms_entries == 0)
		return true;
	return (uint64_t)st.st_size >= (info.me_last_pgno + 1) * stat.ms_psize;
}

static void remove_files(struct index *index)
{
	(void)unlinkat(index->dir_fd, "data.mdb", 0);
	(void)unlinkat(index->dir_fd, "lock.mdb", 0);
	(void)unlinkat(index->dir_fd, "boot", 0);
}

static void close_env(struct index *index)
{
	if (index->idle != NULL)
		mdb_txn_abort(index->idle);
	if (index->env != NULL)
		mdb_env_close(index->env);
	index->idle = NULL;
	index->env = NULL;
}

static int open_env(struct index *index)
{
	int dead;
	MDB_txn *txn = NULL;
	if (mdb_env_create(&index->env) != 0)
		return -ENOMEM;
	(void)mdb_env_set_userctx(index->env, index);
	(void)mdb_env_set_assert(index->env, assert_failed);
	int error = mdb_env_set_mapsize(index->env, MAP_SIZE_START);
	if (error == 0)
		error = mdb_env_open(index->env, index->path, MDB_NOSYNC | MDB_NOTLS, 0600);
	if (error == 0 && !file_is_whole(index))
		error = MDB_CORRUPTED;
	if (error == 0)
		error = mdb_reader_check(index->env, &dead);
	if (error == 0)
		error = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &txn);
	if (error == 0)
		error = mdb_dbi_open(txn, NULL, 0, &index->dbi);
	if (error == 0)
		error = mdb_txn_commit(txn);
	else if (txn != NULL)
		mdb_txn_abort(txn);
	struct stat st;
	if (error == 0 && fstatat(index->dir_fd, "data.mdb", &st, 0) != 0)
		error = errno;
	if (error == 0)
		index->inode = st.st_ino;
	return error;
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
		error = open_env(index);
		if (error == EINVAL || (error >= MDB_KEYEXIST && error <= MDB_LAST_ERRCODE)) {
			close_env(index);
			remove_files(index);
			fresh = true;
			error = open_env(index);
		}
		/* Not written without need: a full disk would lose it, and so the index. */
		if (error == 0 && fresh)
			error = write_boot(index, buf_span(&boot));
		else if (error > 0)
			error = -error;
		else if (error <= MDB_LAST_ERRCODE && error >= MDB_KEYEXIST)
			error = -EIO;
	}
	buf_done(&boot);
	buf_done(&seen);
	if (error != 0)
		close_env(index);
	return error;
}

static int reopen(struct index *index, bool drop)
{
	close_env(index);
	index->opening++;
	int lock_fd = openat(index->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock_fd < 0)
		return -errno;
	/* Held for a moment only, and by tasks that do not yield: waiting in place cannot hang. */
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int error = fcntl(lock_fd, F_OFD_SETLKW, &lock) == 0 ? open_locked(index, drop) : -errno;
	(void)close(lock_fd);
	index->broken = false;
	return error;
}

static int open_folder(const char *path)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return -errno;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int index_open(const char *root, struct index **ret_index)
{
	struct index *index = NEW(struct index);
	size_t size = strlen(root) + sizeof("/" INDEX_DIR);
	index->path = memory_alloc(size);
	(void)snprintf(index->path, size, "%s/" INDEX_DIR, root);
	index->dir_fd = open_folder(index->path);
	int error = index->dir_fd < 0 ? index->dir_fd : reopen(index, false);
	if (error != 0) {
		index_close(index);
		return error;
	}
	*ret_index = index;
	return 0;
}

void index_close(struct index *index)
{
	if (index == NULL)
		return;
	close_env(index);
	file_close(&index->dir_fd);
	free(index->path);
	free(index);
}

int index_folder_fd(const struct index *index)
{
	return index->dir_fd;
}

uint64_t index_opening(const struct index *index)
{
	return index->opening;
}

/* Is what we have open still the file of that name? Looked at once in each turn of the loop. */
static bool is_current(struct index *index)
{
	struct stat st;
	uint64_t turn = task_turn();
	if (index->broken || index->env == NULL)
		return false;
	if (turn != 0 && index->seen_in == turn)
		return true;
	if (fstatat(index->dir_fd, "data.mdb", &st, 0) != 0 || st.st_ino != index->inode)
		return false;
	index->seen_in = turn;
	return true;
}

/* Someone removed the folder or the file: what we have open is nobody's any more. */
static int refresh(struct index *index)
{
	if (is_current(index))
		return 0;
	bool drop = index->broken;
	file_close(&index->dir_fd);
	index->dir_fd = open_folder(index->path);
	return index->dir_fd < 0 ? index->dir_fd : reopen(index, drop);
}

/* Grows the map before it is full: a transaction of ours writes far less than a quarter of it. */
static void grow(struct index *index)
{
	MDB_envinfo info;
	MDB_stat stat;
	if (mdb_env_info(index->env, &info) != 0 || mdb_env_stat(index->env, &stat) != 0)
		return;
	if (info.me_last_pgno * stat.ms_psize <= info.me_mapsize / 4 * 3)
		return;
	/* A reader that was killed keeps old pages from being used again. */
	int dead;
	(void)mdb_reader_check(index->env, &dead);
	(void)mdb_env_set_mapsize(index->env, info.me_mapsize * MAP_SIZE_STEP);
}

/* Renewing a read transaction costs a tenth of beginning one. */
static int begin_txn(struct index *index, bool write, MDB_txn **ret_txn)
{
	MDB_txn *idle = index->idle;
	if (write || idle == NULL)
		return mdb_txn_begin(index->env, NULL, write ? 0 : MDB_RDONLY, ret_txn);
	index->idle = NULL;
	int error = mdb_txn_renew(idle);
	if (error == 0)
		*ret_txn = idle;
	else
		mdb_txn_abort(idle);
	return error;
}

int index_begin(struct index *index, bool write, struct index_txn *ret_txn)
{
	for (int attempt = 0; attempt < 3; attempt++) {
		int error = refresh(index);
		if (error != 0)
			return error;
		if (write)
			grow(index);
		MDB_txn *txn;
		error = begin_txn(index, write, &txn);
		if (error == 0) {
			*ret_txn = (struct index_txn){index, txn, write, 0};
			return 0;
		}
		if (error == MDB_MAP_RESIZED)
			(void)mdb_env_set_mapsize(index->env, 0);
		else if (error > 0 && error != EINVAL)
			return -error;
		else
			index->broken = true;
	}
	return -EIO;
}

void index_fail(struct index_txn *txn, int error)
{
	if (txn->error != 0)
		return;
	if (error == ENOSPC || error == EDQUOT || error == ENOMEM || error == EFBIG) {
		txn->error = -error;
		return;
	}
	txn->error = -EIO;
	txn->index->broken = true;
}

int index_commit(struct index_txn *txn)
{
	if (txn->error != 0) {
		mdb_txn_abort(txn->txn);
		return txn->error;
	}
	int error = mdb_txn_commit(txn->txn);
	if (error != 0)
		index_fail(txn, error);
	return txn->error;
}

void index_abort(struct index_txn *txn)
{
	struct index *index = txn->index;
	if (txn->write || index->idle != NULL) {
		mdb_txn_abort(txn->txn);
		return;
	}
	mdb_txn_reset(txn->txn);
	index->idle = txn->txn;
}
