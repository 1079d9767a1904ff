/* A binary heap; entries know their place, so that one can be taken out of the middle.
 * SPDX-License-Identifier: ISC */
#include "qmgr/due.h"

#include <stdlib.h>

#include "base/memory.h"

static void put(struct due_heap *heap, size_t at, struct queue_entry *entry)
{
	heap->items[at] = entry;
	entry->heap_index = at;
}

static void sift_up(struct due_heap *heap, size_t at)
{
	struct queue_entry *entry = heap->items[at];
	while (at > 1 && heap->items[at / 2]->next_try_ms > entry->next_try_ms) {
		put(heap, at, heap->items[at / 2]);
		at /= 2;
	}
	put(heap, at, entry);
}

static void sift_down(struct due_heap *heap, size_t at)
{
	struct queue_entry *entry = heap->items[at];
	for (;;) {
		size_t child = at * 2;
		if (child > heap->count)
			break;
		if (child < heap->count &&
			heap->items[child + 1]->next_try_ms < heap->items[child]->next_try_ms)
			child++;
		if (heap->items[child]->next_try_ms >= entry->next_try_ms)
			break;
		put(heap, at, heap->items[child]);
		at = child;
	}
	put(heap, at, entry);
}

void due_add(struct due_heap *heap, struct queue_entry *entry)
{
	if (heap->count + 2 > heap->alloc) {
		heap->alloc = heap->alloc == 0 ? 64 : heap->alloc * 2;
		heap->items = memory_resize(heap->items, heap->alloc, sizeof *heap->items);
	}
	put(heap, ++heap->count, entry);
	sift_up(heap, heap->count);
}

void due_remove(struct due_heap *heap, struct queue_entry *entry)
{
	size_t at = entry->heap_index;
	if (at == 0)
		return;
	entry->heap_index = 0;
	struct queue_entry *last = heap->items[heap->count--];
	if (last == entry)
		return;
	put(heap, at, last);
	sift_up(heap, at);
	sift_down(heap, last->heap_index);
}

struct queue_entry *due_first(const struct due_heap *heap)
{
	return heap->count == 0 ? NULL : heap->items[1];
}

void due_free(struct due_heap *heap)
{
	free(heap->items);
	*heap = (struct due_heap){NULL, 0, 0};
}
