/* Which delivery is next: a pure data structure, time is an argument.
 *
 *   transport (master.cf service) -> destinations (nexthop) -> entries (one message each)
 *   -> recipients
 *
 * Transports take turns. Within a transport, destinations that may take one more delivery take
 * turns, in two rings: those with something to do for a small message, and those that only serve
 * bulk (a message with more than BULK_RECIPIENTS). While both wait, every SLOT_COST-th delivery is
 * bulk's: a mailing to a hundred thousand domains neither stops other mail nor is stopped by it.
 * Within a destination, messages take turns, one batch of recipients each.
 *
 * Concurrency of a destination: begins at initial, grows by positive feedback with each success,
 * shrinks with each failure of the site; after failed_cohort_limit cohorts of failures the site is
 * suspended: everything for it is deferred with the reason until the time is over.
 * Postfix: SCHEDULER_README.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QMGR_SCHEDULE_H
#define TAMBO_QMGR_SCHEDULE_H

#include "base/list.h"
#include "base/table.h"

#define BULK_RECIPIENTS 50
#define SLOT_COST 5
#define SUSPENDED_MAX 100000      /* suspended destinations that are remembered */
#define BATCH_BYTES_MAX (256 * 1024)

enum feedback_kind { FEEDBACK_CONSTANT, FEEDBACK_CONCURRENCY, FEEDBACK_SQRT_CONCURRENCY };

struct feedback {
	double value;
	enum feedback_kind kind;
};
/* "1", "0.5", "1/concurrency", "1/sqrt_concurrency" */
bool feedback_parse(struct span text, struct feedback *ret_feedback);

struct transport_limits {
	int64_t concurrency_limit; /* of a destination; 0: none */
	int64_t initial_concurrency;
	int64_t failed_cohort_limit; /* 0: never suspended */
	int64_t recipient_limit;   /* of one delivery; 1: destinations are single recipients */
	int64_t rate_delay_ms;     /* between the deliveries of a destination */
	int64_t process_limit;     /* deliveries of the transport at once; 0: none */
	unsigned kind;             /* for the schedule's user: transport_kind() */
	struct feedback positive, negative;
};

struct schedule_recipient {
	struct list_node link;
	uint32_t index, notify;
	struct span address, original, orcpt; /* in the same block */
};
struct schedule_recipient *schedule_recipient_new(uint32_t index, uint32_t notify,
	struct span address, struct span original, struct span orcpt);
size_t schedule_recipient_bytes(const struct schedule_recipient *recipient);
/* All of a list. */
void schedule_recipients_free(struct list_node *list);

struct destination;
struct transport;

/* Embedded in the caller's message. */
struct schedule_message {
	struct list_node entries;
	uint32_t waiting;  /* recipients in the schedule */
	bool bulk;
};
void schedule_message_init(struct schedule_message *message, bool bulk);

/* A delivery to be made. */
struct batch {
	struct transport *transport;
	struct destination *destination;
	struct schedule_message *message;
	struct list_node recipients; /* struct schedule_recipient; owned by the holder */
	uint32_t recipient_count;
};

struct schedule {
	struct table transports;
	struct list_node transport_ring;
	struct list_node suspended;  /* destinations without entries, oldest first */
	size_t suspended_count;
	int64_t suspend_ms;          /* minimal_backoff_time */
	/* Reads the limits of a transport that is seen first. */
	void (*limits)(void *arg, const char *transport, struct transport_limits *ret_limits);
	void *arg;
};

void schedule_init(struct schedule *schedule);
/* All messages must have been withdrawn. */
void schedule_done(struct schedule *schedule);

/* Adds one recipient (owned by the schedule then). When the site is suspended, or the transport is,
 * nothing is added, false is answered and *ret_dsn, *ret_text (valid until the next
 * call) say why. */
bool schedule_add(struct schedule *schedule, struct schedule_message *message,
	const char *transport, const char *nexthop, struct span delimiters,
	struct schedule_recipient *recipient, int64_t now, const char **ret_dsn,
	const char **ret_text);
/* The next delivery; false when none may begin now. */
bool schedule_next(struct schedule *schedule, int64_t now, struct batch *ret_batch);
/* When schedule_next may have something although nothing else happens; INT64_MAX: never. */
int64_t schedule_wake_time(const struct schedule *schedule);

const char *transport_name(const struct transport *transport);
unsigned transport_kind(const struct transport *transport);
const char *destination_nexthop(const struct destination *destination);

enum site_result {
	SITE_OK,
	SITE_FAILED,   /* counts against the destination */
	SITE_NEUTRAL,  /* says nothing about it: the agent died, the message could not be read */
};
/* The delivery ended (its recipients are the caller's business). True: the destination is suspended
 * by this, or was before: the caller takes what waits for it with schedule_drain. The destination
 * may be freed by this call unless it answers true. */
bool schedule_finish(struct schedule *schedule, const struct batch *batch, enum site_result result,
	struct span dsn, struct span text, int64_t now);
/* Takes up to one entry's recipients of a suspended destination; false when none is left (then the
 * destination must not be used again). */
bool schedule_drain(struct schedule *schedule, struct destination *destination,
	struct batch *ret_batch);

/* The transport cannot be reached: nothing goes to it until then. What is ready to go to it is
 * taken by schedule_drain_transport, which is to be called again after each schedule_finish of a
 * transport that is suspended. */
void schedule_suspend_transport(struct transport *transport, struct span dsn, struct span text,
	int64_t until);
bool schedule_drain_transport(struct schedule *schedule, struct transport *transport,
	struct batch *ret_batch);
bool transport_is_suspended(const struct transport *transport, int64_t now);
const char *transport_dsn(const struct transport *transport);
const char *transport_text(const struct transport *transport);
const char *destination_dsn(const struct destination *destination);
const char *destination_text(const struct destination *destination);

/* Takes all that waits of one message (deleted, held, shutting down): frees the recipients. */
void schedule_withdraw(struct schedule *schedule, struct schedule_message *message, int64_t now);
/* Flush: forgets all suspensions. */
void schedule_resume_all(struct schedule *schedule);

#endif
