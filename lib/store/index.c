/* The index: its life and its transactions; see index_private.h. Files are in index_env.c, rows in
 * index_row.c.
 * SPDX-License-Identifier: ISC */
#include "store/index_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/file_private.h"
#include "store/index_lmdb_private.h"
#include "sys/guard.h"
#include "task/task.h"

#define MAP_SIZE_STEP 4
#define ATTEMPTS_MAX 1000 /* to begin on what is still the last transaction */
#define ROOM_SECONDS 15 /* between two looks whether there is room again */

static const char head_key[] = "A";

/* The one that this process worked on last. What kills a process may stand in its pages: without
 * the file the next process begins with a new one. */
static struct index *volatile last_used;

static void last_words(void)
{
	if (last_used != NULL)
		(void)unlinkat(last_used->dir_fd, "data.mdb", 0);
}

static int open_real(struct index *index, bool drop)
{
	struct stat st;
	if (index->dir_fd < 0)
		index->dir_fd = index_env_open_folder(index->path);
	if (index->dir_fd < 0)
		return index->dir_fd;
	if (fstatat(index->dir_fd, "..", &st, 0) != 0)
		return -errno;
	index->root_inode = st.st_ino;
	return index_env_open(index, drop);
}

/* The real one; where there is none to be had, one in memory. */
static int reopen(struct index *index, bool drop)
{
	last_used = index;
	guard_install(last_words);
	if (!index->no_room) {
		int error = open_real(index, drop);
		if (error == 0 || error == -EMFILE || error == -ENFILE || error == -ETIMEDOUT)
			return error;
		index->no_room = true;
	}
	return index_env_open_in_memory(index);
}

struct index *index_new(const char *root)
{
	struct index *index = NEW(struct index);
	size_t size = strlen(root) + sizeof("/" INDEX_DIR);
	index->path = memory_alloc(size);
	(void)snprintf(index->path, size, "%s/" INDEX_DIR, root);
	index->dir_fd = index->lock_fd = -1;
	index->checked = INDEX_UNCHECKED;
	return index;
}

void index_free(struct index *index)
{
	if (index == NULL)
		return;
	index_env_close(index);
	if (last_used == index)
		last_used = NULL;
	file_close(&index->dir_fd);
	free(index->path);
	free(index);
}

void index_distrust(struct index *index)
{
	index->broken = true;
}

/* Has nobody but its writers touched it? A name that is taken away, given or changed sets the time
 * of change alone. Costs a third of looking the name up. */
static bool is_untouched(const struct index *index, struct stat *ret_st)
{
	return fstat(index->lock_fd, ret_st) == 0 && ret_st->st_nlink == 1
		&& ret_st->st_ctim.tv_sec == ret_st->st_mtim.tv_sec
		&& ret_st->st_ctim.tv_nsec == ret_st->st_mtim.tv_nsec;
}

/* Is what is open still the index? The file is looked at once in each turn of the loop. */
static bool is_current(struct index *index)
{
	struct stat st;
	uint64_t turn = task_turn();
	if (index->env == NULL || index->broken)
		return false;
	if (index->in_memory || (turn != 0 && index->seen_in == turn))
		return true;
	/* Someone removed the folder or the file: what we have open is nobody's any more. */
	if (!is_untouched(index, &st)
		&& (fstatat(index->dir_fd, "data.mdb", &st, 0) != 0 || st.st_ino != index->inode))
		return false;
	if (st.st_size < 2 * (off_t)index->page_size)
		return false;
	index->seen_in = turn;
	return true;
}

static int refresh(struct index *index)
{
	last_used = index;
	if (index->no_room
		&& file_now_ns() - index->in_memory_since > ROOM_SECONDS * INT64_C(1000000000)) {
		index->in_memory_since = file_now_ns();
		index->no_room = !index_env_has_room(index);
	}
	if (index->no_room == index->in_memory && is_current(index))
		return 0;
	if (index->open > 0)
		return -EIO;
	/* The folder may have been replaced, too. */
	file_close(&index->dir_fd);
	return reopen(index, index->broken && !index->in_memory);
}

/* Grows the map before it is full: a transaction of ours writes far less than a quarter of it. */
static void run_grow(struct index_call *call)
{
	struct index *index = call->index;
	MDB_envinfo info;
	call->error = mdb_env_info(index->env, &info);
	size_t pages = info.me_mapsize / index->page_size;
	/* A page behind the map: another process has grown it, or damage. Beginning tells. */
	if (call->error != 0 || info.me_last_pgno <= pages / 4 * 3 || info.me_last_pgno >= pages)
		return;
	index->map = NULL;
	index->checked = INDEX_UNCHECKED;
	call->error = mdb_env_set_mapsize(index->env, info.me_mapsize * MAP_SIZE_STEP);
	index->map_size = info.me_mapsize * MAP_SIZE_STEP;
}

/* Another process has grown it. */
static void run_adopt_size(struct index_call *call)
{
	struct index *index = call->index;
	MDB_envinfo info;
	index->map = NULL;
	index->checked = INDEX_UNCHECKED;
	call->error = mdb_env_set_mapsize(index->env, 0);
	if (call->error == 0 && mdb_env_info(index->env, &info) == 0)
		index->map_size = info.me_mapsize;
}

/* Renewing a read transaction costs a tenth of beginning one. */
static int begin_reading(struct index *index, MDB_txn **ret_txn)
{
	MDB_txn *idle = index->idle;
	if (idle == NULL)
		return mdb_txn_begin(index->env, NULL, MDB_RDONLY, ret_txn);
	index->idle = NULL;
	int error = mdb_txn_renew(idle);
	if (error == 0)
		*ret_txn = idle;
	else
		mdb_txn_abort(idle);
	return error;
}

/* On what was the last transaction when it was locked. */
static void run_begin_reading(struct index_call *call)
{
	struct index *index = call->index;
	MDB_envinfo info;
	for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		call->error = begin_reading(index, &call->txn);
		if (call->error != 0)
			return;
		uint64_t number = mdb_txn_id(call->txn);
		if (index_lock_holds(index, number))
			return;
		call->error = index_lock_reader(index, number);
		if (call->error == 0)
			call->error = mdb_env_info(index->env, &info);
		if (call->error == 0 && info.me_last_txnid == number)
			return;
		mdb_txn_abort(call->txn);
		if (call->error != 0)
			return;
	}
	call->error = MDB_CORRUPTED;
}

/* After index_lock_writer. */
static void run_begin_writing(struct index_call *call)
{
	struct index *index = call->index;
	call->error = mdb_txn_begin(index->env, NULL, 0, &call->txn);
	if (call->error != 0)
		return;
	call->error = index_lock_await_readers(index, mdb_txn_id(call->txn) - 1);
	if (call->error != 0)
		mdb_txn_abort(call->txn);
}

static void run_commit(struct index_call *call)
{
	call->error = mdb_txn_commit(call->txn);
}

static void run_abort(struct index_call *call)
{
	struct index *index = call->index;
	if (call->writes || index->idle != NULL) {
		mdb_txn_abort(call->txn);
		return;
	}
	mdb_txn_reset(call->txn);
	index->idle = call->txn;
}

static void abort_txn(struct index_txn *txn)
{
	struct index_call call = {.index = txn->index, .txn = txn->txn, .writes = txn->write};
	bool fault;
	(void)index_guard(&call, run_abort, &fault);
	/* What cannot be ended is left. */
	if (fault)
		txn->index->broken = true;
}

static void end(struct index_txn *txn)
{
	txn->index->open--;
	index_lock_end(txn->index, txn->write);
}

/* Where LMDB has the file: a page begins with its number. */
static void find_map(struct index *index, const void *inside)
{
	uintptr_t page = (uintptr_t)inside & ~(uintptr_t)(index->page_size - 1);
	uint64_t number;
	memcpy(&number, (const void *)page, sizeof(number));
	if (number < index->map_size / index->page_size)
		index->map = (const char *)(page - number * index->page_size); // NOLINT
}

static void run_is_empty(struct index_call *call)
{
	MDB_stat stat;
	call->error = mdb_env_stat(call->index->env, &stat);
	if (call->error == 0 && stat.ms_entries > 0)
		call->error = MDB_CORRUPTED;
}

/* Is it whole, of one time, and of this Maildir? */
static void check_head(struct index_txn *txn)
{
	struct index *index = txn->index;
	struct index_call call = {.index = index, .txn = txn->txn};
	/* A writer's own number is that of the next. */
	uint64_t number = mdb_txn_id(txn->txn) - (txn->write ? 1 : 0);
	MDB_val key = {1, (void *)(uintptr_t)head_key}, value;
	txn->head = index->head;
	if (number == index->checked)
		return;
	txn->head = (struct index_head){.root_inode = index->root_inode, .file_inode = index->inode};
	bool known = index_access_get(txn, &key, &value);
	if (!known) {
		int error = txn->error == 0 ? index_guard(&call, run_is_empty, NULL) : 0;
		if (error != 0)
			index_fail(txn, error);
		return;
	}
	struct index_head expected = txn->head;
	if (value.mv_size == sizeof(txn->head))
		memcpy(&txn->head, value.mv_data, sizeof(txn->head));
	if (value.mv_size != sizeof(txn->head) || txn->head.transaction != number
		|| txn->head.root_inode != expected.root_inode
		|| txn->head.file_inode != expected.file_inode) {
		index_fail(txn, MDB_CORRUPTED);
		return;
	}
	find_map(index, value.mv_data);
	index->head = txn->head;
	index->checked = number;
}

static void run_vet(struct index_call *call)
{
	bool good = index_vet_writing(call->index, mdb_txn_id(call->txn) - 1);
	call->error = good ? 0 : MDB_CORRUPTED;
}

static int begin_call(struct index_call *call, bool write)
{
	struct index *index = call->index;
	if (!write)
		return index_guard(call, run_begin_reading, NULL);
	/* A map that could not be grown is gone. */
	int error = index_guard(call, run_grow, NULL);
	if (error == 0)
		error = index_lock_writer(index);
	if (error != 0)
		return error;
	error = index_guard(call, run_begin_writing, NULL);
	if (error != 0)
		index_lock_end(index, true);
	return error;
}

static int begin_once(struct index *index, bool write, struct index_txn *ret_txn)
{
	struct index_call call = {.index = index};
	int error = begin_call(&call, write);
	if (error != 0)
		return error;
	*ret_txn = (struct index_txn){.index = index, .txn = call.txn, .write = write};
	index->open++;
	check_head(ret_txn);
	call.error = 0;
	if (write && ret_txn->error == 0 && (error = index_guard(&call, run_vet, NULL)) != 0)
		index_fail(ret_txn, error);
	if (ret_txn->error != 0) {
		index_abort(ret_txn);
		return MDB_CORRUPTED;
	}
	return 0;
}

int index_begin(struct index *index, bool write, struct index_txn *ret_txn)
{
	for (int attempt = 0; attempt < 3; attempt++) {
		int error = refresh(index);
		if (error != 0)
			return error;
		error = begin_once(index, write, ret_txn);
		/* That there is no lock to be had says nothing about the index. */
		if (error == 0 || (error < 0 && error > MDB_LAST_ERRCODE))
			return error;
		struct index_call call = {.index = index};
		if (error != MDB_MAP_RESIZED || attempt > 0 ||
			index_guard(&call, run_adopt_size, NULL) != 0)
			index->broken = true;
	}
	return -EIO;
}

uint64_t index_opening(const struct index *index)
{
	return index->opening;
}

bool index_is_in_memory(const struct index *index)
{
	return index->in_memory;
}

int index_remove_file(struct index *index)
{
	if (index->dir_fd < 0)
		index->dir_fd = index_env_open_folder(index->path);
	if (index->dir_fd < 0)
		return index->dir_fd;
	return unlinkat(index->dir_fd, "data.mdb", 0) == 0 || errno == ENOENT ? 0 : -errno;
}

int index_continue(struct index *index, uint64_t opening, struct index_txn *ret_txn)
{
	int error = index_begin(index, true, ret_txn);
	if (error == 0 && index->opening != opening) {
		index_abort(ret_txn);
		error = -EIO;
	}
	return error;
}

int index_commit(struct index_txn *txn)
{
	struct index *index = txn->index;
	struct index_call call = {.index = index, .txn = txn->txn, .writes = txn->write};
	if (txn->error == 0 && txn->dirty) {
		MDB_val key = {1, (void *)(uintptr_t)head_key};
		txn->head.transaction = mdb_txn_id(txn->txn);
		index_access_put(txn, &key, &txn->head, sizeof(txn->head));
	}
	if (txn->error != 0) {
		index_abort(txn);
		return txn->error;
	}
	bool fault;
	int error = index_guard(&call, run_commit, &fault);
	if (fault)
		abort_txn(txn);
	end(txn);
	if (error != 0)
		index_fail(txn, error);
	return txn->error;
}

void index_abort(struct index_txn *txn)
{
	abort_txn(txn);
	end(txn);
}
