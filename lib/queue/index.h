/* What is in the queue: the messages that the journal holds, and what the ledger says about each.
 * The same picture for qmgr (which keeps it up to date) and for commands (which build it when the
 * server is down). Holds no addresses: those stay in the journal and are read when they are wanted.
 *
 * Built by feeding records (queue_index_add, in the order of segments and offsets), then the
 * ledger's entries (queue_index_apply). A message whose record is dead is forgotten, but its id
 * stays with its segment until that is gone, so that a snapshot of the ledger can go on saying so.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_INDEX_H
#define TAMBO_QUEUE_INDEX_H

#include "base/list.h"
#include "base/table.h"
#include "queue/ledger.h"
#include "queue/reader.h"

enum recipient_state {
	RECIPIENT_PENDING,  /* not tried, or nothing remembered */
	RECIPIENT_DEFERRED, /* to be tried again; reason says why */
	RECIPIENT_WRITTEN,  /* delivered, waits for the agent's checkpoint */
	RECIPIENT_BOUNCED,  /* failed, the report is not yet queued; reason */
	RECIPIENT_DONE,
	RECIPIENT_AWAY,     /* a predecessor of this process delivers it (late.h) */
};

/* Why; shared by all that have the same, counted. Strings are never NULL. */
struct queue_reason {
	unsigned users;
	char *dsn, *text, *remote_mta, *diagnostic; /* in one block */
};

/* Recipients [first, first + count) are in this state. */
struct queue_run {
	uint32_t first, count;
	enum recipient_state state;
	struct queue_reason *reason; /* NULL: none */
};

enum queue_entry_flag {
	ENTRY_HELD = 1,
	ENTRY_EXPIRE = 2,      /* postsuper -e */
	ENTRY_WARNED = 4,      /* the delay warning went out */
	ENTRY_OTHER_BOOT = 8,  /* WRITTEN under another boot: deliver again */
	ENTRY_DEAD = 16,       /* LEDGER_DONE or LEDGER_DELETE */
	ENTRY_FRESH = 32,      /* for the index's user: came in just now, nobody has begun on it */
};

struct queue_entry {
	struct queue_position position;
	int64_t arrival_ms, next_try_ms;
	uint64_t size;
	uint32_t recipient_count, tries;
	uint32_t flags;          /* enum queue_entry_flag */
	uint32_t envelope_flags; /* enum queue_flag */
	/* Sorted, not overlapping; recipients in no run are pending. */
	struct queue_run *runs;
	uint32_t run_count, run_alloc;
	/* For the index's user. */
	struct list_node link;
	size_t heap_index;
	void *owner;
	const char *sender; /* behind the id, in the same block */
	char queue_id[];
};

struct queue_segment {
	uint64_t number;
	uint64_t known_end;  /* offset behind the last record that is known */
	uint64_t live_bytes, dead_bytes;
	uint32_t live_count;
	bool told;           /* for the index's user */
	struct buf dead_ids; /* each with its NUL */
};

struct queue_index {
	struct table entries; /* queue id -> struct queue_entry */
	struct table reasons;
	struct queue_segment *segments; /* ascending */
	size_t segment_count;
	uint64_t unreadable; /* number of a segment whose header is damaged; 0: none was met */
	/* Places in the journal where a record was damaged so that not even its envelope is left, or
	 * was never finished. For the index's user to keep and to tell. */
	struct queue_position *damaged;
	size_t damaged_count;
};

void queue_index_init(struct queue_index *index);
void queue_index_done(struct queue_index *index);

/* A record was found. The entry is new, or the same message's record has moved to here (its old
 * place is dead then). NULL: a record that is known already, or an old copy. */
struct queue_entry *queue_index_add(struct queue_index *index,
	const struct queue_position *position, const struct queue_envelope *envelope);
struct queue_entry *queue_index_get(const struct queue_index *index, struct span queue_id);
/* The record is dead: forgets and frees the entry. */
void queue_index_remove(struct queue_index *index, struct queue_entry *entry);
/* One ledger entry, while reading back. boot: ours. Ids that are not known are passed over; a
 * message that is done is marked ENTRY_DEAD and goes in queue_index_sweep (an old
 * copy may follow). */
void queue_index_apply(struct queue_index *index, const struct ledger_entry *entry,
	const uint8_t boot[16]);
/* Removes the entries marked dead, after all has been read. Returns how many. */
size_t queue_index_sweep(struct queue_index *index);

/* The segment's state, made when it is not there. Valid until the next call. */
struct queue_segment *queue_index_segment(struct queue_index *index, uint64_t number);
/* The segment's file is gone. */
void queue_index_forget_segment(struct queue_index *index, uint64_t number);

/* Assigns a state to recipients [first, first + count), clipped to the message's. reason: NULL or
 * one from queue_index_reason; a use of it is counted for each run made. */
void queue_entry_set(struct queue_index *index, struct queue_entry *entry, uint32_t first,
	uint32_t count, enum recipient_state state, struct queue_reason *reason);
/* The run that recipient is in; for one without a run: pending, up to the next run. */
struct queue_run queue_entry_run_at(const struct queue_entry *entry, uint32_t recipient);
/* How many recipients are in this state. */
uint32_t queue_entry_count(const struct queue_entry *entry, enum recipient_state state);

/* A shared reason: the caller has one use of it until queue_reason_drop. */
struct queue_reason *queue_index_reason(struct queue_index *index, struct span dsn,
	struct span text, struct span remote_mta, struct span diagnostic);
void queue_reason_drop(struct queue_index *index, struct queue_reason *reason);

/* Writes all entries that describe the state into a snapshot that has been begun. boot: for
 * WRITTEN. 0 or -errno. Yields; the index may change meanwhile. */
int queue_index_snapshot(struct queue_index *index, struct ledger *ledger,
	const uint8_t boot[16]);

/* Reads journal and ledger into the (empty) index. With ret_ledger the ledger is locked and open
 * for writing afterwards (qmgr, postsuper); with NULL it is only read (mailq while the server is
 * down). 0 or -errno (-EBUSY: somebody else has the ledger). Yields. */
int queue_index_load(struct queue_index *index, const char *queue_directory,
	struct queue_reader *reader, struct ledger **ret_ledger);
/* Scans what was appended to one segment since, up to the record that ends at until (0: all that is
 * there, also what its writer has not yet committed). Returns the number of new messages or -errno.
 * added (may be NULL) is called for each. Yields: one scan of a segment at a time. */
int queue_index_scan(struct queue_index *index, struct queue_reader *reader, uint64_t segment,
	uint64_t until, void (*added)(void *arg, struct queue_entry *entry), void *arg);

#endif
