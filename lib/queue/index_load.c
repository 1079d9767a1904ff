/* The index from disk and, as a snapshot of the ledger, back to disk.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "queue/index.h"

#define DAMAGED_MAX 10000

struct scan {
	struct queue_index *index;
	void (*added)(void *arg, struct queue_entry *entry);
	void *arg;
	uint64_t until;
	int count;
};

static bool visit_record(void *arg, const struct queue_position *position,
	const struct queue_envelope *envelope)
{
	struct scan *scan = arg;
	bool known = queue_index_get(scan->index, envelope->queue_id) != NULL;
	struct queue_entry *entry = queue_index_add(scan->index, position, envelope);
	if (entry != NULL && !known) {
		scan->count++;
		if (scan->added != NULL)
			scan->added(scan->arg, entry);
	}
	return scan->until == 0 || position->offset + position->length < scan->until;
}

static void note_damaged(void *arg, const struct queue_position *region)
{
	struct queue_index *index = ((struct scan *)arg)->index;
	for (size_t i = 0; i < index->damaged_count; i++)
		if (index->damaged[i].segment == region->segment &&
			index->damaged[i].offset == region->offset)
			return;
	if (index->damaged_count == DAMAGED_MAX)
		return;
	index->damaged =
		memory_resize(index->damaged, index->damaged_count + 1, sizeof *index->damaged);
	index->damaged[index->damaged_count++] = *region;
}

int queue_index_scan(struct queue_index *index, struct queue_reader *reader, uint64_t segment,
	uint64_t until, void (*added)(void *arg, struct queue_entry *entry), void *arg)
{
	struct scan scan = {index, added, arg, until, 0};
	uint64_t from = queue_index_segment(index, segment)->known_end, end = from;
	const struct queue_scan wanted = {segment, from, until, visit_record, note_damaged, &scan};
	int error = queue_reader_scan(reader, &wanted, &end);
	if (error == -EBADMSG)
		index->unreadable = segment;
	if (error == -ENOENT || error == -EBADMSG)
		return 0;
	return error < 0 ? error : scan.count;
}

struct reading {
	struct queue_index *index;
	uint8_t boot[16];
};

static void visit_entry(void *arg, const struct ledger_entry *entry)
{
	struct reading *reading = arg;
	queue_index_apply(reading->index, entry, reading->boot);
}

static int scan_all(struct queue_index *index, struct queue_reader *reader)
{
	uint64_t *numbers = NULL;
	size_t count = 0;
	int error = queue_reader_segments(reader, &numbers, &count);
	for (size_t i = 0; error >= 0 && i < count; i++)
		error = queue_index_scan(index, reader, numbers[i], 0, NULL, NULL);
	free(numbers);
	return error < 0 ? error : 0;
}

/* INVARIANT: the lock comes first. A message that another finishes between the scan and its own
 * reading of the ledger would be alive in the one, and no longer named in the other. */
int queue_index_load(struct queue_index *index, const char *queue_directory,
	struct queue_reader *reader, struct ledger **ret_ledger)
{
	struct reading reading = {.index = index};
	struct ledger *ledger = NULL;
	uint64_t entries = 0;
	int error = ledger_boot_id(reading.boot);
	if (error == 0 && ret_ledger != NULL)
		error = ledger_open(queue_directory, &ledger);
	if (error == 0)
		error = scan_all(index, reader);
	if (error == 0)
		error = ledger != NULL ? ledger_load(ledger, visit_entry, &reading, &entries)
				       : ledger_read(queue_directory, visit_entry, &reading, &entries);
	if (error != 0) {
		ledger_close(ledger);
		return error;
	}
	queue_index_sweep(index);
	if (ret_ledger != NULL)
		*ret_ledger = ledger;
	return 0;
}

struct snapshot {
	struct queue_index *index;
	struct ledger *ledger;
	const uint8_t *boot;
};

static int put_message(struct snapshot *snapshot, struct span id, enum ledger_kind kind,
	int64_t time_ms, uint64_t value)
{
	struct ledger_entry entry = {.kind = kind, .queue_id = id, .time_ms = time_ms,
		.value = value, .dsn = SPAN_EMPTY, .text = SPAN_EMPTY, .remote_mta = SPAN_EMPTY,
		.diagnostic = SPAN_EMPTY};
	return ledger_snapshot_put(snapshot->ledger, &entry);
}

static int put_run(struct snapshot *snapshot, struct span id, const struct queue_run *run)
{
	static const enum ledger_kind kinds[] = {
		[RECIPIENT_PENDING] = 0, [RECIPIENT_DEFERRED] = LEDGER_DEFERRED,
		[RECIPIENT_WRITTEN] = LEDGER_WRITTEN, [RECIPIENT_BOUNCED] = LEDGER_BOUNCED,
		[RECIPIENT_DONE] = LEDGER_SENT, [RECIPIENT_AWAY] = 0,
	};
	const struct queue_reason *reason = run->reason;
	struct ledger_entry entry = {.kind = kinds[run->state], .queue_id = id,
		.first = run->first, .count = run->count,
		.dsn = span_from_cstr(reason == NULL ? "" : reason->dsn),
		.text = span_from_cstr(reason == NULL ? "" : reason->text),
		.remote_mta = span_from_cstr(reason == NULL ? "" : reason->remote_mta),
		.diagnostic = span_from_cstr(reason == NULL ? "" : reason->diagnostic)};
	memcpy(entry.boot, snapshot->boot, sizeof entry.boot);
	return ledger_snapshot_put(snapshot->ledger, &entry);
}

/* Each put may yield, and the entry may change or go meanwhile: it is looked up again each time.
 * What changed is in the new log, which is read after the snapshot. */
static int put_runs(struct snapshot *snapshot, struct span id)
{
	uint32_t at = 0;
	for (;;) {
		const struct queue_entry *entry = queue_index_get(snapshot->index, id);
		if (entry == NULL || at >= entry->recipient_count)
			return 0;
		struct queue_run run = queue_entry_run_at(entry, at);
		if (run.count == 0)
			return 0;
		at = run.first + run.count;
		if (run.state == RECIPIENT_PENDING || run.state == RECIPIENT_AWAY)
			continue;
		if (run.reason != NULL)
			run.reason->users++;
		int error = put_run(snapshot, id, &run);
		queue_reason_drop(snapshot->index, run.reason);
		if (error < 0)
			return error;
	}
}

static int put_entry(struct snapshot *snapshot, struct span id)
{
	const struct queue_entry *entry = queue_index_get(snapshot->index, id);
	if (entry == NULL)
		return 0;
	uint32_t flags = entry->flags;
	bool released = (entry->envelope_flags & QUEUE_HELD) && !(flags & ENTRY_HELD);
	int error = 0;
	if (entry->next_try_ms != 0)
		error = put_message(snapshot, id, LEDGER_RETRY, entry->next_try_ms, entry->tries);
	if (error == 0 && (flags & ENTRY_HELD))
		error = put_message(snapshot, id, LEDGER_HOLD, 0, 0);
	if (error == 0 && released)
		error = put_message(snapshot, id, LEDGER_RELEASE, 0, 0);
	if (error == 0 && (flags & ENTRY_EXPIRE))
		error = put_message(snapshot, id, LEDGER_EXPIRE, 0, 0);
	if (error == 0 && (flags & ENTRY_WARNED))
		error = put_message(snapshot, id, LEDGER_WARNED, 0, 0);
	return error < 0 ? error : put_runs(snapshot, id);
}

static bool collect_id(struct span key, void *value, void *arg)
{
	(void)value;
	struct buf *ids = arg;
	buf_append(ids, key);
	buf_append_char(ids, '\0');
	return true;
}

/* Ids that are dead in this segment and live nowhere else. */
static bool next_id(struct span *rest, struct span *ret_id)
{
	if (rest->len == 0)
		return false;
	*ret_id = span_head(*rest, span_find_char(*rest, '\0'));
	*rest = span_skip(*rest, ret_id->len + 1);
	return true;
}

static int put_live(struct snapshot *snapshot)
{
	struct buf ids = BUF_INIT(SIZE_MAX / 4);
	table_each(&snapshot->index->entries, collect_id, &ids);
	struct span rest = buf_span(&ids), id;
	int error = ids.overflow ? -ENOMEM : 0;
	while (error == 0 && next_id(&rest, &id))
		error = put_entry(snapshot, id);
	buf_done(&ids);
	return error;
}

static int put_dead(struct snapshot *snapshot)
{
	struct buf ids = BUF_INIT(SIZE_MAX / 4);
	for (size_t i = 0; i < snapshot->index->segment_count; i++)
		buf_append(&ids, buf_span(&snapshot->index->segments[i].dead_ids));
	struct span rest = buf_span(&ids), id;
	int error = ids.overflow ? -ENOMEM : 0;
	while (error == 0 && next_id(&rest, &id))
		if (queue_index_get(snapshot->index, id) == NULL)
			error = put_message(snapshot, id, LEDGER_DONE, 0, 0);
	buf_done(&ids);
	return error;
}

int queue_index_snapshot(struct queue_index *index, struct ledger *ledger,
	const uint8_t boot[16])
{
	struct snapshot snapshot = {index, ledger, boot};
	int error = put_live(&snapshot);
	return error < 0 ? error : put_dead(&snapshot);
}
