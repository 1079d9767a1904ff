/* Deliveries that the index does not know yet, in the mailbox's file tambo-arrivals (which is also
 * the file that is locked). A delivery appends one record to it and asks no index; whoever locks
 * the mailbox for anything else folds the records into the index first, all in one transaction.
 *
 * The file's head says all that a delivery must know: which row of the index it continues, where
 * UIDs go on, the mark below which they are, the mtime of new/. It counts while tambo-mailbox is
 * the file that it names, in the boot of the machine in which it was written; it is struck out
 * before a UID is given out in any other way. A head without a row is that of a mailbox that nobody
 * has looked into: there is no tambo-mailbox and no index, no UID was ever shown, and its
 * UIDVALIDITY may still change.
 *
 * INVARIANT: a record counts when the head covers it, and its UID is not below the row's uidnext:
 * so a fold that was interrupted behind its commit is no second one. As with the index, what is
 * lost here is found again by a scan: a delivery moves the mtime of new/.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_ARRIVALS_PRIVATE_H
#define TAMBO_STORE_ARRIVALS_PRIVATE_H

#include "store/index_private.h"

#define ARRIVALS_FILE "tambo-arrivals"
#define ARRIVALS_MAX 128              /* records before the deliverer folds them itself */
#define ARRIVALS_SIZE_MAX (512 * 1024)
#define ARRIVAL_SIZE_MAX (64 * 1024)  /* larger ones go into the index at once */
#define ARRIVALS_START 128            /* of the first record */

struct folder;

struct arrivals_head {
	uint32_t id;               /* of the mailbox's row in the index; 0: nobody has looked into it */
	uint32_t uidvalidity, uidnext;
	uint32_t mark;             /* UIDs below it may be given out */
	uint64_t generation;       /* of the row */
	uint64_t boot;             /* hash of the boot's id */
	uint64_t file_inode;       /* of tambo-arrivals */
	uint64_t record_inode;     /* of tambo-mailbox; 0: there is none */
	int64_t record_mtime;
	int64_t new_mtime;         /* of new/; 0: not known, or a foreign change waits there */
	uint64_t life;             /* that the records bear */
	uint32_t count;
	uint32_t end;              /* where the next record goes */
};

struct arrival {
	uint32_t uid;
	int64_t internaldate;
	uint64_t size, crlf_size;
	int64_t mtime_before, mtime_after; /* of new/; both 0: a foreign change waits there */
	struct span name, cache;           /* file name, parse result (may be empty) */
};

/* All with the folder locked. */

/* A head for one more delivery: 0; 1: not without the index, whose row would have to be asked;
 * or -errno. */
int arrivals_ready(struct folder *folder, struct arrivals_head *ret_head);
/* Writes a head that continues the row of the index. 0, 1: not possible now, or -errno. */
int arrivals_begin(struct folder *folder, struct arrivals_head *ret_head);
/* Appends, and moves head on. -E2BIG: too large for a record. */
int arrivals_add(struct folder *folder, struct arrivals_head *head, const struct arrival *arrival);
/* Takes back the one that was added last: head as it was before. */
void arrivals_take_back(struct folder *folder, const struct arrivals_head *head);
/* Into the index; nothing to do is no error. 1: records are lost, a scan is to find their files. */
int arrivals_fold(struct folder *folder);
/* Strikes out the head that continues a row. */
int arrivals_end(struct folder *folder);
/* Strikes it out unless UIDs go on at uidnext there as well. */
int arrivals_end_unless(struct folder *folder, uint32_t uidnext);

/* The head of a mailbox that has no tambo-mailbox and no row; -ENOENT: it is none. */
int arrivals_unseen(struct folder *folder, struct arrivals_head *ret_head);
/* Strikes it out, durably. */
int arrivals_end_unseen(struct folder *folder);
/* Puts folder->record into it, durably, where the disk is full: it is the record until there is
 * room for tambo-mailbox. No delivery goes on with it. */
int arrivals_tell(struct folder *folder);
/* That one; -ENOENT: it is none. */
int arrivals_told(struct folder *folder, struct arrivals_head *ret_head);
/* What parses gave, to the rows that a scan has made of its files. */
int arrivals_put_caches(struct folder *folder, const struct arrivals_head *head);

/* Pure (arrivals_format.c). */
void arrivals_head_format(const struct arrivals_head *head, struct buf *out);
bool arrivals_head_parse(struct span bytes, struct arrivals_head *ret_head);
/* Appends a record of that life. */
void arrival_format(uint64_t life, const struct arrival *arrival, struct buf *out);
/* The length of the record with which bytes begin, as it says itself; 0: none of that life. */
size_t arrival_length(struct span bytes, uint64_t life);
/* The same, 0 also when it is not whole. */
size_t arrival_parse(struct span bytes, uint64_t life, struct arrival *ret_arrival);

#endif
