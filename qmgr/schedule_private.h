/* The inside of the schedule.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QMGR_SCHEDULE_PRIVATE_H
#define TAMBO_QMGR_SCHEDULE_PRIVATE_H

#include "base/buf.h"
#include "qmgr/schedule.h"

enum ring { RING_SMALL, RING_BULK, RING_COUNT };

/* In which list a destination is. */
enum place {
	PLACE_NONE,      /* busy as far as it may be, or about to be freed */
	PLACE_SMALL, PLACE_BULK, /* ready: in the transport's rings */
	PLACE_DELAYED,   /* waits for its rate delay */
	PLACE_SUSPENDED, /* nothing waits, but why it is suspended is remembered */
};

struct transport {
	struct list_node link;       /* transport_ring */
	struct table destinations;
	struct list_node ready[RING_COUNT];
	struct list_node delayed;    /* destinations that wait for their rate delay */
	struct transport_limits limits;
	int64_t busy, suspended_until;
	unsigned turns;              /* deliveries of small messages since the last of bulk */
	char *dsn, *text;
	char name[];
};

struct destination {
	struct list_node link;
	enum place place;
	struct transport *transport;
	struct list_node entries;
	struct schedule_entry *last; /* where the last recipient was added */
	uint32_t small_entries;
	int64_t busy, not_before, suspended_until;
	double window, fail_cohorts, success, failure;
	char *dsn, *text;
	char *nexthop;               /* in the same block */
	char key[];
};

struct schedule_entry {
	struct list_node link;         /* of the destination */
	struct list_node message_link; /* of the message */
	struct destination *destination;
	struct schedule_message *message;
	struct list_node recipients;
	uint32_t count;
};

void destination_unlist(struct schedule *schedule, struct destination *destination);
/* Puts the destination where its state belongs: a ready ring, the delayed list or nowhere; frees it
 * when nothing is left to remember. */
void destination_place(struct schedule *schedule, struct destination *destination, int64_t now);
bool destination_is_suspended(const struct destination *destination, int64_t now);
void destination_free(struct schedule *schedule, struct destination *destination);
void entry_free(struct schedule_entry *entry);
void concurrency_success(struct destination *destination);
/* True when the destination is to be suspended. */
bool concurrency_failure(struct destination *destination);

#endif
