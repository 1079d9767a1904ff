/* Whatever a ledger says, in any order and of any message: each entry's runs stay sorted, apart and
 * within its recipients, and each reason is counted as often as it is used. The input is a list of
 * steps: a message's record (0, id, segment, recipients), or an entry of the ledger (length in two
 * bytes, the entry; whose id it bears stands in the first byte).
 * SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "base/check.h"
#include "queue/index.h"
#include "queue/ledger_private.h"

#define IDS 4
#define STEPS_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t this_boot[16] = {1};
static const char *const ids[IDS] = {"AAAAAA1", "AAAAAA2", "AAAAAA3", "3b0000001"};

static struct span take(struct span *rest, size_t len)
{
	struct span piece = span_head(*rest, len);
	*rest = span_skip(*rest, piece.len);
	return piece;
}

static void add(struct queue_index *index, uint64_t step, struct span *rest)
{
	struct span bytes = take(rest, 3);
	if (bytes.len < 3)
		return;
	const uint8_t *b = (const uint8_t *)bytes.ptr;
	struct queue_position position = {1 + b[1] % 3, SEGMENT_HEADER_SIZE + step * 128, 100};
	struct queue_envelope envelope = {.queue_id = span_from_cstr(ids[b[0] % IDS]),
		.sender = SPAN("s@x.test"), .arrival_ms = 1000, .size = 50, .recipient_count = b[2]};
	(void)queue_index_add(index, &position, &envelope);
}

static void apply(struct queue_index *index, uint8_t which, struct span *rest)
{
	struct span head = take(rest, 2);
	struct ledger_entry entry;
	if (head.len < 2)
		return;
	const uint8_t *b = (const uint8_t *)head.ptr;
	if (!ledger_entry_decode(take(rest, (size_t)b[0] << 8 | b[1]), &entry))
		return;
	entry.queue_id = span_from_cstr(ids[which % IDS]);
	queue_index_apply(index, &entry, this_boot);
}

static size_t check_entry(const struct queue_entry *entry)
{
	uint64_t end = 0, reasons = 0, counted = 0;
	for (uint32_t i = 0; i < entry->run_count; i++) {
		const struct queue_run *run = &entry->runs[i];
		CHECK(run->count > 0 && run->first >= end);
		end = (uint64_t)run->first + run->count;
		CHECK(end <= entry->recipient_count);
		reasons += run->reason != NULL;
		if (run->reason != NULL)
			CHECK(run->reason->users > 0 && run->reason->text != NULL);
	}
	for (int state = RECIPIENT_PENDING; state <= RECIPIENT_AWAY; state++)
		counted += queue_entry_count(entry, (enum recipient_state)state);
	CHECK(counted == entry->recipient_count);
	return reasons;
}

static bool see_reason(struct span key, void *value, void *arg)
{
	(void)key;
	*(size_t *)arg += ((const struct queue_reason *)value)->users;
	return true;
}

/* Each use of a reason is one run of an entry. */
static void check_index(struct queue_index *index)
{
	size_t used = 0, counted = 0;
	for (size_t i = 0; i < IDS; i++) {
		const struct queue_entry *entry = queue_index_get(index, span_from_cstr(ids[i]));
		if (entry != NULL)
			used += check_entry(entry);
	}
	table_each(&index->reasons, see_reason, &counted);
	CHECK(used == counted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_new(data, size), kind;
	struct queue_index index;
	queue_index_init(&index);
	for (int i = 0; i < STEPS_MAX && (kind = take(&rest, 1)).len == 1; i++) {
		if (kind.ptr[0] == 0)
			add(&index, (uint64_t)i, &rest);
		else
			apply(&index, (uint8_t)kind.ptr[0], &rest);
		check_index(&index);
	}
	(void)queue_index_sweep(&index);
	check_index(&index);
	for (size_t i = 0; i < IDS; i++) {
		struct queue_entry *entry = queue_index_get(&index, span_from_cstr(ids[i]));
		CHECK(entry == NULL || (entry->flags & ENTRY_DEAD) == 0);
		if (entry != NULL)
			queue_index_remove(&index, entry);
	}
	check_index(&index);
	queue_index_done(&index);
	return 0;
}
