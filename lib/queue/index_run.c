/* Recipient states as runs: an outcome for one of a million recipients costs a run, and neighbours
 * in the same state share one.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "queue/index.h"

/* First run that ends behind recipient. */
static uint32_t find(const struct queue_entry *entry, uint32_t recipient)
{
	uint32_t low = 0, high = entry->run_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct queue_run *run = &entry->runs[middle];
		if (run->first + run->count > recipient)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct queue_run queue_entry_run_at(const struct queue_entry *entry, uint32_t recipient)
{
	uint32_t at = find(entry, recipient);
	if (at < entry->run_count && entry->runs[at].first <= recipient)
		return entry->runs[at];
	uint32_t end = at < entry->run_count ? entry->runs[at].first : entry->recipient_count;
	uint32_t first = at > 0 ? entry->runs[at - 1].first + entry->runs[at - 1].count : 0;
	return (struct queue_run){first, end > first ? end - first : 0, RECIPIENT_PENDING, NULL};
}

uint32_t queue_entry_count(const struct queue_entry *entry, enum recipient_state state)
{
	uint32_t count = 0, in_runs = 0;
	for (uint32_t i = 0; i < entry->run_count; i++) {
		in_runs += entry->runs[i].count;
		if (entry->runs[i].state == state)
			count += entry->runs[i].count;
	}
	return state == RECIPIENT_PENDING ? count + entry->recipient_count - in_runs : count;
}

static void insert(struct queue_entry *entry, uint32_t at, const struct queue_run *run)
{
	if (entry->run_count == entry->run_alloc) {
		entry->run_alloc = entry->run_alloc == 0 ? 1 : entry->run_alloc * 2;
		entry->runs = memory_resize(entry->runs, entry->run_alloc, sizeof *entry->runs);
	}
	memmove(entry->runs + at + 1, entry->runs + at,
		(entry->run_count - at) * sizeof *entry->runs);
	entry->runs[at] = *run;
	entry->run_count++;
	if (run->reason != NULL)
		run->reason->users++;
}

static void delete(struct queue_index *index, struct queue_entry *entry, uint32_t at)
{
	queue_reason_drop(index, entry->runs[at].reason);
	entry->run_count--;
	memmove(entry->runs + at, entry->runs + at + 1,
		(entry->run_count - at) * sizeof *entry->runs);
	if (entry->run_count == 0) {
		free(entry->runs);
		entry->runs = NULL;
		entry->run_alloc = 0;
	}
}

/* Makes [first, end) free of runs. */
static void clear(struct queue_index *index, struct queue_entry *entry, uint32_t first,
	uint32_t end)
{
	uint32_t at = find(entry, first);
	while (at < entry->run_count && entry->runs[at].first < end) {
		struct queue_run *run = &entry->runs[at];
		uint32_t run_end = run->first + run->count;
		if (run->first < first && run_end > end) {
			struct queue_run tail = {end, run_end - end, run->state, run->reason};
			run->count = first - run->first;
			insert(entry, at + 1, &tail);
			return;
		}
		if (run->first < first) {
			run->count = first - run->first;
			at++;
		} else if (run_end > end) {
			run->first = end;
			run->count = run_end - end;
			return;
		} else {
			delete(index, entry, at);
		}
	}
}

static bool joins(const struct queue_run *a, const struct queue_run *b)
{
	return a->first + a->count == b->first && a->state == b->state && a->reason == b->reason;
}

static void merge(struct queue_index *index, struct queue_entry *entry, uint32_t at)
{
	if (at + 1 < entry->run_count && joins(&entry->runs[at], &entry->runs[at + 1])) {
		entry->runs[at].count += entry->runs[at + 1].count;
		delete(index, entry, at + 1);
	}
	if (at > 0 && joins(&entry->runs[at - 1], &entry->runs[at])) {
		entry->runs[at - 1].count += entry->runs[at].count;
		delete(index, entry, at);
	}
}

void queue_entry_set(struct queue_index *index, struct queue_entry *entry, uint32_t first,
	uint32_t count, enum recipient_state state, struct queue_reason *reason)
{
	if (first >= entry->recipient_count || count == 0)
		return;
	if (count > entry->recipient_count - first)
		count = entry->recipient_count - first;
	/* The reason may be in use only by what is about to be cleared. */
	if (reason != NULL)
		reason->users++;
	clear(index, entry, first, first + count);
	if (state != RECIPIENT_PENDING) {
		struct queue_run run = {first, count, state, reason};
		uint32_t at = find(entry, first);
		insert(entry, at, &run);
		merge(index, entry, at);
	}
	if (reason != NULL)
		queue_reason_drop(index, reason);
}
