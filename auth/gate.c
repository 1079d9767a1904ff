/* See gate.h. A gate exists while somebody is inside or waits.
 * SPDX-License-Identifier: ISC */
#include "auth/gate.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/table.h"

struct gate {
	struct span key; /* owned */
	unsigned inside, waiting;
	struct task_event freed;
};

static struct table gates;

static struct gate *find_or_make(struct span key)
{
	struct gate *gate = table_get(&gates, key);
	if (gate != NULL)
		return gate;
	char *copy = memory_alloc(key.len + 1);
	memcpy(copy, key.ptr, key.len);
	gate = NEW(struct gate);
	gate->key = span_new(copy, key.len);
	task_event_init(&gate->freed);
	table_put(&gates, key, gate);
	return gate;
}

static void drop_when_empty(struct gate *gate)
{
	if (gate->inside > 0 || gate->waiting > 0)
		return;
	(void)table_remove(&gates, gate->key);
	free((void *)(uintptr_t)gate->key.ptr);
	free(gate);
}

struct gate *gate_enter(struct span key, task_time deadline)
{
	struct gate *gate = find_or_make(key);
	int status = gate->waiting >= GATE_WAITING ? -EAGAIN : 0;
	while (status == 0 && gate->inside >= GATE_WIDTH) {
		gate->waiting++;
		status = task_event_wait(&gate->freed, deadline);
		gate->waiting--;
	}
	if (status == 0) {
		gate->inside++;
		return gate;
	}
	drop_when_empty(gate);
	return NULL;
}

void gate_leave(struct gate *gate)
{
	if (gate == NULL)
		return;
	gate->inside--;
	task_event_signal_one(&gate->freed);
	drop_when_empty(gate);
}

size_t gate_count(void)
{
	return gates.count;
}
