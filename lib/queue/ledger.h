/* The ledger: what became of queued messages and recipients. Written only by qmgr (or, while it
 * does not run, by postsuper, under the same lock). Files in queue_directory/ledger/:
 *   <n>.log       entries, appended; header {magic, number, epoch, valid length of <n-1>.log}
 *   <n>.snapshot  the whole state at the end of <n>.log or later; complete, for it was renamed
 *   lock          flock of the writer
 * Reading back: the highest snapshot s, then the logs s+1, s+2 ... in order, each up to its torn
 * tail (or the length that its successor states). All older files are removed.
 *
 * INVARIANT: each entry is an assignment ("is held", "recipient 5 is done"), never an increment, so
 * that replaying a log over a snapshot that already holds part of it gives the same state.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_LEDGER_H
#define TAMBO_QUEUE_LEDGER_H

#include "base/span.h"

enum ledger_kind {
	/* of recipients [first, first + count) */
	LEDGER_SENT = 1,       /* done: delivered, expanded or relayed */
	LEDGER_BOUNCED = 2,    /* failed for good; the bounce is not yet queued */
	LEDGER_DEFERRED = 3,   /* text, dsn: of the last try */
	LEDGER_WRITTEN = 4,    /* delivered, not checkpointed; boot: the id it was written under */
	LEDGER_RETURNED = 5,   /* failed, and the bounce that says so is queued: done */
	/* of the message */
	LEDGER_RETRY = 16,     /* time_ms: next try; value: tries so far */
	LEDGER_HOLD = 17,
	LEDGER_RELEASE = 18,
	LEDGER_EXPIRE = 19,    /* postsuper -e: bounce what is left at the next try */
	LEDGER_WARNED = 20,    /* the delay warning has been queued */
	LEDGER_REQUEUE = 21,   /* postsuper -r: forget addresses' resolution and next try */
	LEDGER_DELETE = 22,    /* postsuper -d */
	LEDGER_DONE = 23,      /* nothing is left to do: the record is dead */
	LEDGER_MARK = 24,      /* free for qmgr: value, text */
};

#define LEDGER_TEXT_MAX 1024 /* text, diagnostic; longer ones are cut */
#define LEDGER_NAME_MAX 255  /* remote_mta, dsn */

struct ledger_entry {
	uint32_t kind;
	struct span queue_id;
	uint32_t first, count;
	int64_t time_ms; /* wall clock */
	uint64_t value;
	uint8_t boot[16];
	struct span dsn, text, remote_mta, diagnostic;
};

struct ledger;

/* Takes the lock: what this ledger is about changes no more, other than by its owner. 0 or -errno;
 * -EBUSY: somebody else has it. */
int ledger_open(const char *queue_directory, struct ledger **ret_ledger);
/* Once, before anything is appended: gives every entry in order to visit. Without any log it starts
 * empty. *ret_count: entries read. 0 or -errno; -EIO: the ledger cannot be read: do not go on
 * (nothing is delivered twice because of a bad disk), but close. */
int ledger_load(struct ledger *ledger,
	void (*visit)(void *arg, const struct ledger_entry *entry), void *arg, uint64_t *ret_count);
void ledger_close(struct ledger *ledger); /* without committing; NULL is allowed */
/* The same reading without lock and without opening it for writing: for commands. */
int ledger_read(const char *queue_directory,
	void (*visit)(void *arg, const struct ledger_entry *entry), void *arg, uint64_t *ret_count);

/* Adds an entry to what the next commit writes; its order is kept. Never waits. */
void ledger_append(struct ledger *ledger, const struct ledger_entry *entry);
/* What was appended goes into the file, where the death of this process does not undo it, without
 * being flushed; the next commit writes it once more, at the same place. Nothing is promised. */
void ledger_write_ahead(struct ledger *ledger);
/* DURABLE: returns 0 when all that was appended before the call is on disk; many tasks share one
 * fdatasync. On failure -errno: the entries are kept, the damaged log is ended, and the next commit
 * writes them to a new one. Yields. */
int ledger_commit(struct ledger *ledger);
/* Bytes in the logs since the last snapshot, and bytes waiting for a commit. */
uint64_t ledger_log_bytes(const struct ledger *ledger);
size_t ledger_pending(const struct ledger *ledger);

/* A snapshot: begin (starts a new log), put every entry that describes the state as it is now or
 * later, commit (file flushed, renamed, directory flushed, older files removed) or abort. Entries
 * appended meanwhile go to the new log as usual. put may yield; commit yields. One at a time. */
int ledger_snapshot_begin(struct ledger *ledger);
int ledger_snapshot_put(struct ledger *ledger, const struct ledger_entry *entry);
int ledger_snapshot_commit(struct ledger *ledger);
void ledger_snapshot_abort(struct ledger *ledger);

/* This boot's id (from /proc/sys/kernel/random/boot_id), for LEDGER_WRITTEN. */
int ledger_boot_id(uint8_t ret_boot[16]);

#endif
