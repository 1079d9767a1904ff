/* Between the index_*.c files, the only ones that include LMDB.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_INDEX_LMDB_PRIVATE_H
#define TAMBO_STORE_INDEX_LMDB_PRIVATE_H

#include <lmdb.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/list.h"
#include "store/index_private.h"

#define INDEX_UNCHECKED UINT64_MAX

/* A leaf that was looked at, and the pages on the way to it; keys that would stand there are not
 * below low, and below high (NULL: there is no bound). In the pages themselves. */
struct vetted_range {
	const char *leaf; /* NULL: none */
	MDB_val low, high;
	bool has_big; /* a value of it has pages of its own */
};

struct index {
	char *path;
	int dir_fd;
	uint64_t root_inode;     /* of the Maildir */
	MDB_env *env;
	MDB_dbi dbi;
	ino_t inode;             /* of the data file that is open */
	uint64_t seen_in;        /* turn of the loop in which that was looked at */
	MDB_txn *idle;           /* a read transaction that is reset, for the next one; or NULL */
	int lock_fd;             /* LMDB's, of the data file; see index_lock.c */
	bool is_reading;         /* what transactions read_low and read_high wrote is locked */
	bool waited_in_vain;     /* for another process */
	uint64_t read_low, read_high;
	struct list_node reading; /* in index_lock.c's list, while is_reading */
	size_t page_size;
	const char *map;         /* where LMDB has it; NULL: not known yet */
	size_t map_size;
	uint64_t opening;        /* differs with each opening */
	uint64_t checked;        /* the transaction whose head was looked at */
	struct index_head head;  /* what it said */
	uint64_t vetted[64];     /* numbers of pages that were looked at in this transaction */
	struct vetted_range vetted_ranges[16]; /* the last one for each kind of key, likewise */
	unsigned open;           /* transactions */
	bool broken;             /* drop it */
	bool no_room;            /* it could not be written */
	bool in_memory;
	int64_t in_memory_since; /* ns */
};

/* --- index_env.c: the environment and its files --- */

/* Opens the environment, dropping the present one's file first when that is asked for and still the
 * one that was open. 0 or -errno. */
int index_env_open(struct index *index, bool drop);
void index_env_close(struct index *index);
/* The same in memory, for this process alone. */
int index_env_open_in_memory(struct index *index);
/* Can the real one be written again? */
bool index_env_has_room(struct index *index);
/* fd or -errno. */
int index_env_open_folder(const char *path);

/* --- index_lock.c: between processes, and between environments of one --- */

/* The file that who opens and drops holds, until it is closed: 0, -ETIMEDOUT, -errno. */
int index_lock_folder(struct index *index, int fd);
/* Before a transaction that writes: 0, -ETIMEDOUT (another process holds it), -errno. */
int index_lock_writer(struct index *index);
/* Within it: nobody reads what is older than transaction number, on which it begins. 0, -ETIMEDOUT,
 * -errno, MDB's. */
int index_lock_await_readers(struct index *index, uint64_t number);
/* Is what that transaction wrote kept for us? */
bool index_lock_holds(const struct index *index, uint64_t number);
/* Keeps it, if it is still the last one afterwards: the caller looks. 0, -errno, MDB's. */
int index_lock_reader(struct index *index, uint64_t number);
/* A transaction has ended, or did not begin after index_lock_writer. */
void index_lock_end(struct index *index, bool write);
/* The environment is about to be closed. */
void index_lock_drop(struct index *index);

/* --- index_access.c: every call of LMDB that looks into its pages --- */

/* One call: what it is given and what it answers. */
struct index_call {
	struct index *index;
	MDB_txn *txn;
	MDB_cursor *cursor;
	unsigned flags;
	MDB_val key, value;
	const void *bytes; /* to be put */
	size_t len;
	bool writes;       /* into pages in memory: then only a fault in the file is an error */
	int error;         /* LMDB's */
};

/* Runs it with faults in the pages as errors: 0, or MDB's code, or MDB_CORRUPTED for a fault; then
 * *ret_fault (may be NULL) is set. */
int index_guard(struct index_call *call, void (*body)(struct index_call *call), bool *ret_fault);
/* Makes an LMDB error the transaction's. */
void index_fail(struct index_txn *txn, int error);
/* CRC-32C of key and value: stands before each value. */
uint32_t index_checksum(const MDB_val *key, const void *bytes, size_t len);

/* --- index_vet.c: pages before they are written; within index_guard --- */

/* number: of the transaction before this one. False: damaged. */
bool index_vet_writing(struct index *index, uint64_t number);
bool index_vet_key(struct index *index, uint64_t number, const MDB_val *key);

/* --- index_access.c, values --- */

/* False when it is not there, or on an error. The value without its checksum. */
bool index_access_get(struct index_txn *txn, const MDB_val *key, MDB_val *ret_value);
/* bytes may be NULL for an empty value. */
void index_access_put(struct index_txn *txn, const MDB_val *key, const void *bytes, size_t len);
void index_access_delete(struct index_txn *txn, const MDB_val *key);

/* Many, best in their order: make says the i-th key, and the value that it must have to be deleted
 * (which it leaves alone where any will do). */
struct index_keys {
	size_t count;
	void (*make)(size_t i, MDB_val *key, MDB_val *expected, void *arg);
	void *arg;
};
void index_access_delete_many(struct index_txn *txn, const struct index_keys *keys);

/* Keys in their order, which is checked: damaged pages may lead in a circle. */
struct index_walk {
	struct index_txn *txn;
	MDB_cursor *cursor;
	bool begun;
	uint8_t last[511];
	size_t last_len;
};
bool index_walk_begin(struct index_txn *txn, struct index_walk *ret_walk);
/* key: at the first call where to begin. False at the end and on an error. */
bool index_walk_next(struct index_walk *walk, MDB_val *key, MDB_val *ret_value);
void index_walk_end(struct index_walk *walk);

#endif
