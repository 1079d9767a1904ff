/* What qmgr is told (by cleanup) and asked (by commands and by cleanup for bounces).
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SERVICE_QMGR_H
#define TAMBO_SERVICE_QMGR_H

#include "ipc/message.h"
#include "queue/record.h"

/* cleanup -> qmgr, one way, after the commit, on a channel that cleanup opens; for one segment in
 * the order of offsets. So qmgr keeps, for each segment, the end of the last record it knows; a
 * message that begins behind that end means that some were not told (cleanup died between commit
 * and telling): it scans the gap (queue_reader_scan). queue_id "" (offset, length 0): scan this
 * segment from the known end; cleanup sends that for every segment it finds when it starts or
 * reconnects. */
struct queue_added {
	struct span queue_id;
	uint64_t segment, offset, length;
};

/* qmgr -> cleanup on a channel that qmgr opens to cleanup, no answer: so many bytes of records in
 * this segment are dead by now (the sum of their lengths, since the segment began; the ledger that
 * says so is committed). cleanup retires the segment when that is all it holds and it is no longer
 * written to; qmgr sends the sum again now and then (and at start) while segment file exists. */
struct queue_released {
	uint64_t segment;
	uint64_t dead_bytes;
	bool all_dead; /* qmgr knows of no live record in it */
};

/* qmgr -> cleanup on the same channel: copy these live records of a mostly dead segment to the end
 * of the journal. Answered by queue_compacted, with the new places in the same order (length 0:
 * that record could not be copied). The copy counts from then on, the old record is dead; no
 * queue_added is sent for it before the answer, but a scan may meet it. */
struct queue_compact {
	struct queue_position *places;
	size_t place_count; /* at most QUEUE_COMPACT_MAX */
};

struct queue_compacted {
	uint32_t status; /* 0, or an errno */
	struct queue_position *places;
	size_t place_count;
};

#define QUEUE_COMPACT_MAX 1000

/* postqueue/mailq -> qmgr (public/showq): answered by queue_item*, then queue_result. */
struct queue_list {
	struct span queue_id; /* "" for all */
};

struct queue_item_recipient {
	struct span address, original;
	struct span reason;
};

struct queue_item {
	struct span queue_id;
	struct span queue_name; /* "active", "deferred", "hold", "incoming" */
	struct span sender;
	int64_t arrival_ms;
	uint64_t size;
	bool forced_expire;
	struct queue_item_recipient *recipients; /* those not done; at most 500 an item; */
	size_t recipient_count;
	bool more;              /* the next item goes on with the same message */
};

enum queue_action {
	QUEUE_FLUSH_ALL,  /* postqueue -f */
	QUEUE_FLUSH_ID,   /* -i id */
	QUEUE_FLUSH_SITE, /* -s site */
	QUEUE_DELETE,
	QUEUE_HOLD,
	QUEUE_RELEASE,
	QUEUE_REQUEUE,
	QUEUE_EXPIRE, /* postsuper -d -h -H -r -e */
};

struct queue_command {
	uint32_t action;
	struct span argument; /* queue id, site or "ALL" */
	struct span queues;   /* only messages in these, comma-separated: "deferred,hold"; "" for all
	                       * that the action applies to */
};

struct queue_result {
	uint32_t status;      /* 0, or an errno */
	uint64_t count;       /* messages acted upon */
	struct span text;
};

/* qmgr -> cleanup on a channel that qmgr opens: compose and queue a DSN (RFC 3464) about a message;
 * answered by cleanup_result. At most BOUNCE_RECIPIENTS_MAX recipients in one report. */
#define BOUNCE_RECIPIENTS_MAX 1000

enum bounce_kind { BOUNCE_FAILURE, BOUNCE_DELAY, BOUNCE_SUCCESS, BOUNCE_POSTMASTER };

struct bounce_recipient {
	struct span address, original, orcpt;
	struct span dsn, text, remote_mta, diagnostic;
	uint32_t status;      /* enum delivery_status */
	bool relayed;
};

struct bounce_request {
	uint32_t kind;
	struct span queue_id;          /* of the message reported on */
	uint64_t segment, offset, length;
	struct span sender;            /* the report goes here (POSTMASTER: the notice recipient) */
	struct span envid;
	uint32_t dsn_return;
	int64_t arrival_ms;
	int64_t will_retry_until_ms;   /* BOUNCE_DELAY */
	struct bounce_recipient *recipients;
	size_t recipient_count;
};

extern const struct message_type queue_added_type, queue_released_type, queue_list_type,
	queue_item_type, queue_command_type, queue_result_type, queue_compact_type,
	queue_compacted_type, bounce_request_type;

#endif
