/* A heap of messages by the time of their next try.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QMGR_DUE_H
#define TAMBO_QMGR_DUE_H

#include "queue/index.h"

struct due_heap {
	struct queue_entry **items; /* items[1] is the first; heap_index of an entry is its place */
	size_t count, alloc;
};

void due_add(struct due_heap *heap, struct queue_entry *entry);
/* Harmless when it is not in the heap (heap_index 0). */
void due_remove(struct due_heap *heap, struct queue_entry *entry);
struct queue_entry *due_first(const struct due_heap *heap); /* NULL: empty */
void due_free(struct due_heap *heap);

#endif
