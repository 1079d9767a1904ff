/* One mailbox as this process knows it: shared by all views and appends. A folder that is locked is
 * locked against other tasks, other processes of ours, and agrees with its tambo-mailbox and index.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_FOLDER_PRIVATE_H
#define TAMBO_STORE_FOLDER_PRIVATE_H

#include <sys/types.h>

#include "store/arrivals_private.h"
#include "store/index_private.h"
#include "store/record_private.h"
#include "task/task.h"

struct store {
	char *root;
	int root_fd;
	dev_t dev;
	ino_t inode;
	unsigned refs;
	struct index *index;
	struct list_node node;    /* in the process's list of stores */
	task_time looked;         /* when root last led to it */
	struct list_node kept;    /* in the list of those that stay open, a reference; or in none */
	struct list_node folders;
	struct task_lock tree;    /* create, delete, rename, subscribe */
	int tree_fd;
};

struct folder {
	struct store *store;
	char *dir;                /* "" or ".A.B" */
	struct list_node node;
	unsigned refs;
	int dir_fd;
	bool is_root;             /* dir_fd is the store's */
	int lock_fd;              /* of tambo-arrivals; -1: on a read-only file system */
	int arrivals_fd;          /* of the same, to read; -1: there is none */
	ino_t lock_inode;
	ino_t inode;
	struct task_lock busy;
	struct record record;
	bool is_told;             /* the record is that of arrivals_told */
	ino_t record_inode;
	int64_t record_mtime;
	int64_t log_size;         /* of tambo-keywords when it was last rewritten */
	bool beginning;           /* the record is not to be saved before the first scan is whole */
	struct list_node views;   /* struct mailbox by folder_node */
	struct view_spare *spare; /* the list of messages of the last one; or NULL */
	int watch_new, watch_cur; /* inotify, -1: none */
	struct list_node unwatched; /* in the list of those that must be polled */
};

/* A counted folder; -ENOENT when there is no such Maildir. dir: "" or ".A.B". */
int folder_get(struct store *store, struct span dir, struct folder **ret_folder);
/* By IMAP name; -EINVAL. */
int folder_get_by_name(struct store *store, struct span name, struct folder **ret_folder);
void folder_release(struct folder *folder);

/* Locks; afterwards record and index row are there and agree (a first or lost life is begun, with
 * takeover and a full scan, when they do not). -ESTALE: deleted or replaced meanwhile. */
int folder_lock(struct folder *folder);
/* For a delivery: arrivals stay outside of the index, which may be behind them or not know the
 * mailbox; the record in memory may be an old one. Until folder_enter, which does what else
 * folder_lock does; 0 or -errno, the lock stays. */
int folder_lock_for_arrival(struct folder *folder);
int folder_enter(struct folder *folder);
void folder_unlock(struct folder *folder);

/* Locked. Brings the index up to date when new/ or cur/ changed behind its back, or when full. */
int folder_sync(struct folder *folder, bool full);
/* Unlocked: is the index behind the folders? Locks and syncs when so. */
int folder_refresh(struct folder *folder);
/* Unlocked: record and index are known, they agree with each other and with the folders, and the
 * last full scan is not older: locking would find nothing to do. */
bool folder_is_settled(struct folder *folder, int64_t scanned_since);
/* Locked. Makes the record in memory the one on disk; -ENOENT: there is none. */
int folder_load_record(struct folder *folder);
/* Locked. Writes the record durably. */
int folder_save_record(struct folder *folder, uint64_t highestmodseq);
/* Locked. Makes count UIDs from uidnext on safe to give out: the mark is durable above them, and
 * stands in the row. */
int folder_reserve_uids(struct folder *folder, struct index_folder *row, uint32_t count);

/* Makes those of tmp/, new/ and cur/ that are missing in a Maildir; store.c. */
int store_make_maildir(int dir_fd);

/* One own change in new/ or cur/: begin before the renames, then put *row with the time in, after
 * the commit call end. A foreign change that had not been noticed stays to be noticed. */
struct folder_touch {
	bool new_dir, cur_dir;
	int64_t when;
};
void folder_touch_begin(struct folder *folder, struct index_folder *row, bool new_dir, bool cur_dir,
	struct folder_touch *ret_touch);
void folder_touch_end(struct folder *folder, const struct folder_touch *touch);

int64_t folder_mtime(const struct folder *folder, const char *sub);
/* Tells the views of this process that something changed. */
void folder_signal(struct folder *folder);
struct span folder_dir(const struct folder *folder);
/* What the index knows of the mailbox: 0, -ENOENT when nothing, or -errno. */
int folder_read_row(struct folder *folder, struct index_folder *ret_row);
/* Begins a transaction on a mailbox that the index knows (else -EIO); 0, or -errno and none. */
int folder_begin(struct folder *folder, bool write, struct index_txn *ret_txn,
	struct index_folder *ret_row);

/* Begins a life of the mailbox when tambo-mailbox is missing or broken (folder_life.c). Locked. */
int folder_begin_life(struct folder *folder);
/* The tree's lock: creating, deleting, renaming, subscribing. 0 or as folder_lock. */
int tree_lock(struct store *store);
void tree_unlock(struct store *store);
/* Is this folder of the root a Maildir? */
bool tree_has_mailbox(int root_fd, const char *dir);
/* A UIDVALIDITY above all before in this store: wanted (0: none in particular) if it is. */
int store_new_uidvalidity(struct store *store, uint32_t wanted, uint32_t *ret_uidvalidity);

/* Removes what crashes left behind (housekeeping.c). */
void folder_clean(struct folder *folder);
/* Removes a folder of the root with all that is in it; blocks. */
void folder_remove(int root_fd, const char *name);
/* The sub-folder's name of a row: "new/NAME" or "cur/NAME". */
void folder_path(bool in_new, struct span name, struct buf *out);

/* Drops the list that is kept (view_spare.c). */
void view_spare_free(struct folder *folder);

/* inotify, one descriptor for the process (watch.c). */
void watch_add(struct folder *folder);
void watch_remove(struct folder *folder);

#endif
