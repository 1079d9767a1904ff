/* The index: one LMDB environment per user under ROOT/tambo-index/. Only a cache: whatever goes
 * wrong with it, it is dropped and built again from the Maildir. It is not flushed (a commit costs
 * no disk wait), so after a restart of the machine it is not trusted: its boot file names the boot
 * that it belongs to.
 *
 * Nothing in the file is believed: each value carries a checksum of itself and its key, a head
 * names the transaction, the Maildir and the file it belongs to, each mailbox the sum of its rows,
 * and a fault in LMDB on damaged pages is an error like any other. Where no file can be written (a
 * full disk, a read-only one), the index is this process's own, in memory, until there is room
 * again.
 *
 * INVARIANT: no function of lib/task that waits is called between index_begin and index_commit or
 * index_abort.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_INDEX_PRIVATE_H
#define TAMBO_STORE_INDEX_PRIVATE_H

#include "base/buf.h"

struct index;

#define INDEX_DIR "tambo-index"

/* One mailbox. */
struct index_folder {
	uint32_t id;           /* names its rows; never used again */
	uint32_t uidvalidity, uidnext;
	uint32_t exists, unseen, deleted, recent;
	uint32_t unsized;      /* messages whose CRLF size is not known */
	uint32_t tombstones;   /* expunges remembered */
	uint32_t mark;         /* uidnext_mark of the record when this was last right */
	uint64_t size;         /* sum of the known CRLF sizes */
	uint64_t sum;          /* of index_row_sum of all rows */
	uint64_t highestmodseq;
	uint64_t floor;        /* expunges at or below this modseq are forgotten */
	uint64_t generation;   /* differs whenever the rows were built anew */
	int64_t new_mtime, cur_mtime; /* of the folders when rows and folders agreed; 0: unknown */
	int64_t scanned;       /* seconds: last full scan */
};

struct index_row {
	uint32_t uid;
	uint32_t flags;        /* enum message_flag, with MESSAGE_RECENT */
	uint64_t modseq;
	int64_t internaldate;
	uint64_t size;         /* of the file, or FILENAME_UNKNOWN */
	uint64_t crlf_size;    /* or FILENAME_UNKNOWN */
	bool in_new;           /* the file is in new/, otherwise in cur/ */
	uint16_t keyword_count;
	const uint16_t *keywords; /* ascending; read rows: in the transaction's memory */
	struct span name;         /* file name; likewise */
};

/* Of the whole file. */
struct index_head {
	uint64_t transaction;  /* that wrote it: any other means pages of another time */
	uint64_t root_inode, file_inode;
	uint32_t last_id;      /* the last one given out */
	uint32_t padding;
};

struct index_txn {
	struct index *index;
	void *txn;
	int error; /* sticky: -errno of the first failure; -EIO: a new index waits for the next one */
	bool write, dirty;
	struct index_head head;
};

/* That of a root; opened when it is first asked. */
struct index *index_new(const char *root);
void index_free(struct index *index); /* NULL is allowed */
/* Opens it, or a new, empty index when this one was dropped by anyone, or cannot be written.
 * -errno: no index to be had. */
int index_begin(struct index *index, bool write, struct index_txn *ret_txn);
/* A number that differs with each opening of it. */
uint64_t index_opening(const struct index *index);
/* A writing transaction that goes on from what an earlier one read or wrote: -EIO when the index
 * has been opened anew since. */
int index_continue(struct index *index, uint64_t opening, struct index_txn *ret_txn);
int index_commit(struct index_txn *txn); /* the sticky error, or that of the commit */
void index_abort(struct index_txn *txn);
bool index_is_in_memory(const struct index *index);
/* The file that could not be written goes: the next one is built anew. */
int index_remove_file(struct index *index);
/* It contradicts itself: the next index_begin makes a new one. */
void index_distrust(struct index *index);

/* Lookups: false when it is not there or on an error (see txn->error). */
bool index_get_folder(struct index_txn *txn, struct span dir, struct index_folder *ret_folder);
void index_put_folder(struct index_txn *txn, struct span dir, const struct index_folder *folder);
void index_delete_folder(struct index_txn *txn, struct span dir);
/* A new id. */
uint32_t index_new_id(struct index_txn *txn);

/* What a row adds to the sum of its mailbox. Every change that a session is told changes it. */
uint64_t index_row_sum(uint32_t uid, uint64_t modseq);
bool index_get_row(struct index_txn *txn, uint32_t id, uint32_t uid, struct index_row *ret_row);
/* Rows from uid on, ascending: calls visit until it answers false. */
void index_each_row(struct index_txn *txn, uint32_t id, uint32_t from_uid,
	bool (*visit)(const struct index_row *row, void *arg), void *arg);
/* UID of the row with this unique name, or 0. */
uint32_t index_find_name(struct index_txn *txn, uint32_t id, struct span unique);

/* Writers keep the counters of folder (not yet put) and the by-name and by-modseq entries right.
 * put: old may be NULL for a new row. The row's modseq is set from folder->highestmodseq, which the
 * caller has advanced (index_next_modseq), when touch is true. */
void index_put_row(struct index_txn *txn, struct index_folder *folder, const struct index_row *old,
	struct index_row *row, bool touch);
/* Removes a row, its name and its cache; remembers the expunge. */
void index_delete_row(struct index_txn *txn, struct index_folder *folder,
	const struct index_row *row);
/* The same of many, those that are there. */
void index_delete_rows(struct index_txn *txn, struct index_folder *folder, const uint32_t *uids,
	size_t count);
/* Removes at most limit entries of id (any kind); true when nothing is left. */
bool index_wipe(struct index_txn *txn, uint32_t id, size_t limit);
/* Advances folder->highestmodseq: one for all rows of a change. */
void index_next_modseq(struct index_folder *folder);

/* Changes after modseq, oldest first: uid and whether it was expunged. */
void index_each_change(struct index_txn *txn, uint32_t id, uint64_t after_modseq,
	bool (*visit)(uint32_t uid, bool expunged, void *arg), void *arg);

/* What a parse gave (see cache_private.h): one value per message. */
bool index_get_cache(struct index_txn *txn, uint32_t id, uint32_t uid, struct span *ret_value);
void index_put_cache(struct index_txn *txn, uint32_t id, uint32_t uid, struct span value);

#endif
