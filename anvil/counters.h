/* Counters of clients: connections at once, and events in a window of time. Bounded: clients that
 * have no connection and whose window is over are forgotten.
 * SPDX-License-Identifier: ISC */
#ifndef ANVIL_COUNTERS_H
#define ANVIL_COUNTERS_H

#include "base/list.h"
#include "base/table.h"
#include "service/anvil.h"
#include "task/task.h"

#define COUNTERS_CLIENTS_MAX 200000

struct counters {
	struct table clients;   /* "service:client" -> struct counters_client */
	struct list_node by_age; /* least recently used first */
	int64_t unit;           /* milliseconds */
};

/* Whoever counts by one channel; its connections end with it. */
struct counters_owner {
	struct table open; /* client key -> struct counters_held */
};

void counters_init(struct counters *counters, int64_t unit);
void counters_done(struct counters *counters);
void counters_owner_init(struct counters_owner *owner);
void counters_owner_done(struct counters *counters, struct counters_owner *owner);

void counters_count(struct counters *counters, struct counters_owner *owner,
	const struct anvil_count *count, task_time now, struct anvil_answer *ret_answer);

#endif
