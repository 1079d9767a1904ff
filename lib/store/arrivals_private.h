/* Deliveries that the index does not know yet. A delivery appends one record to the mailbox's file
 * tambo-index/arrivals-ID instead of changing the index; whoever locks the mailbox for anything
 * else folds the records into the index first, all in one transaction.
 *
 * A record counts for one state of the mailbox's row: it names the row's id, generation and highest
 * modification sequence. A fold moves the latter, so it takes rows in and ends the records in one
 * commit; the file's bytes are then written over. A torn record fails its checksum and is nobody's.
 * As with the index, what is lost here is found again by a scan: a delivery moves the mtime of
 * new/.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_ARRIVALS_PRIVATE_H
#define TAMBO_STORE_ARRIVALS_PRIVATE_H

#include "store/index_private.h"

#define ARRIVALS_MAX 128              /* records before the deliverer folds them itself */
#define ARRIVALS_SIZE_MAX (512 * 1024)
#define ARRIVAL_SIZE_MAX (64 * 1024)  /* larger ones go into the index at once */

struct folder;

struct arrival {
	uint32_t uid;
	int64_t internaldate;
	uint64_t size, crlf_size;
	int64_t mtime_before, mtime_after; /* of new/; both 0: a foreign change waits there */
	struct span name, cache;           /* file name, parse result (may be empty) */
};

/* What a deliverer knows of the file while it holds the lock; kept for the next delivery. */
struct arrivals {
	int fd;                   /* -1: not open */
	uint64_t opening;         /* of the index when fd was opened */
	struct index_folder base; /* the row in the index */
	uint32_t uidnext;         /* base and arrivals together */
	int64_t new_mtime;
	size_t end;               /* where the next record goes */
	size_t count;
	uint64_t *names;          /* hashes of the unique names; room for ARRIVALS_MAX */
};

void arrivals_init(struct arrivals *arrivals);
void arrivals_done(struct arrivals *arrivals);

/* All with the folder locked. */

/* Brings folder->arrivals up to date with its row of the index and with what others appended. */
int arrivals_load(struct folder *folder, const struct index_folder *row);
/* May this unique name be among them? */
bool arrivals_may_have(const struct arrivals *arrivals, struct span unique);
bool arrivals_are_full(const struct arrivals *arrivals);
/* Appends, for arrivals_load's state. -E2BIG: too large for a record. */
int arrivals_add(struct folder *folder, const struct arrival *arrival);
/* Takes back the one that was added last, by the length that the file had before. */
void arrivals_cut(struct folder *folder, size_t end);
/* Into the index; nothing to do is no error. */
int arrivals_fold(struct folder *folder);

/* Pure. Appends the record that counts for that row. */
void arrival_format(const struct index_folder *row, const struct arrival *arrival, struct buf *out);
/* The length of the record with which bytes begin, 0: there is none that counts for that row. */
size_t arrival_parse(
	struct span bytes, const struct index_folder *row, struct arrival *ret_arrival);

#endif
