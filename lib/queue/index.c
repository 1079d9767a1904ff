/* The table of queued messages and the account of their segments.
 * SPDX-License-Identifier: ISC */
#include "queue/index.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "queue/queue_id.h"

#define DEAD_IDS_MAX (64u * 1024 * 1024)

void queue_index_init(struct queue_index *index)
{
	*index = (struct queue_index){.segments = NULL};
	table_init(&index->entries);
	table_init(&index->reasons);
}

static void free_entry(void *value)
{
	struct queue_entry *entry = value;
	free(entry->runs);
	free(entry);
}

void queue_index_done(struct queue_index *index)
{
	table_done(&index->entries, free_entry);
	table_done(&index->reasons, free);
	for (size_t i = 0; i < index->segment_count; i++)
		buf_done(&index->segments[i].dead_ids);
	free(index->segments);
	free(index->damaged);
	queue_index_init(index);
}

struct queue_segment *queue_index_segment(struct queue_index *index, uint64_t number)
{
	size_t at = index->segment_count;
	while (at > 0 && index->segments[at - 1].number >= number)
		at--;
	if (at < index->segment_count && index->segments[at].number == number)
		return &index->segments[at];
	index->segments = memory_resize(index->segments, index->segment_count + 1,
		sizeof *index->segments);
	memmove(index->segments + at + 1, index->segments + at,
		(index->segment_count - at) * sizeof *index->segments);
	index->segment_count++;
	index->segments[at] = (struct queue_segment){.number = number};
	buf_init(&index->segments[at].dead_ids, DEAD_IDS_MAX);
	return &index->segments[at];
}

void queue_index_forget_segment(struct queue_index *index, uint64_t number)
{
	for (size_t i = 0; i < index->segment_count; i++) {
		if (index->segments[i].number != number)
			continue;
		buf_done(&index->segments[i].dead_ids);
		index->segment_count--;
		memmove(index->segments + i, index->segments + i + 1,
			(index->segment_count - i) * sizeof *index->segments);
		return;
	}
}

struct queue_entry *queue_index_get(const struct queue_index *index, struct span queue_id)
{
	return table_get(&index->entries, queue_id);
}

/* The record at this place no longer counts. */
static void count_dead(struct queue_index *index, const struct queue_position *position,
	const char *queue_id, bool was_live)
{
	struct queue_segment *segment = queue_index_segment(index, position->segment);
	segment->dead_bytes += position->length;
	segment->told = false;
	if (position->offset + position->length > segment->known_end)
		segment->known_end = position->offset + position->length;
	if (was_live) {
		segment->live_bytes -= position->length;
		segment->live_count--;
	}
	buf_append_bytes(&segment->dead_ids, queue_id, strlen(queue_id) + 1);
	CHECK(!segment->dead_ids.overflow);
}

static void count_live(struct queue_index *index, const struct queue_position *position)
{
	struct queue_segment *segment = queue_index_segment(index, position->segment);
	segment->live_bytes += position->length;
	segment->live_count++;
	if (position->offset + position->length > segment->known_end)
		segment->known_end = position->offset + position->length;
}

static struct queue_entry *make(const struct queue_position *position,
	const struct queue_envelope *envelope)
{
	size_t id_len = envelope->queue_id.len, sender_len = envelope->sender.len;
	struct queue_entry *entry = memory_zalloc(1, sizeof *entry + id_len + sender_len + 2);
	memcpy(entry->queue_id, envelope->queue_id.ptr, id_len);
	char *sender = entry->queue_id + id_len + 1;
	memcpy(sender, envelope->sender.ptr, sender_len);
	entry->sender = sender;
	entry->position = *position;
	entry->arrival_ms = envelope->arrival_ms;
	entry->size = envelope->size;
	entry->recipient_count = envelope->recipient_count;
	entry->envelope_flags = envelope->flags;
	entry->flags = envelope->flags & QUEUE_HELD ? ENTRY_HELD : 0;
	list_init(&entry->link);
	return entry;
}

static bool is_behind(const struct queue_position *a, const struct queue_position *b)
{
	return a->segment != b->segment ? a->segment > b->segment : a->offset > b->offset;
}

/* Asked for copies only, which are few. */
static bool is_dead_id(const struct queue_index *index, struct span id)
{
	for (size_t i = 0; i < index->segment_count; i++) {
		struct span rest = buf_span(&index->segments[i].dead_ids);
		while (rest.len > 0) {
			size_t len = span_find_char(rest, '\0');
			if (span_equal(span_head(rest, len), id))
				return true;
			rest = span_skip(rest, len + 1);
		}
	}
	return false;
}

struct queue_entry *queue_index_add(struct queue_index *index,
	const struct queue_position *position, const struct queue_envelope *envelope)
{
	struct queue_entry *entry = queue_index_get(index, envelope->queue_id);
	if (entry == NULL) {
		if (queue_index_segment(index, position->segment)->known_end > position->offset)
			return NULL;
		/* It was done with while the copy was being made. */
		if ((envelope->flags & QUEUE_COPIED) && is_dead_id(index, envelope->queue_id)) {
			char id[QUEUE_ID_MAX] = {0};
			memcpy(id, envelope->queue_id.ptr, envelope->queue_id.len);
			count_dead(index, position, id, false);
			return NULL;
		}
		entry = make(position, envelope);
		table_put(&index->entries, envelope->queue_id, entry);
		count_live(index, position);
		return entry;
	}
	if (is_behind(position, &entry->position)) {
		count_dead(index, &entry->position, entry->queue_id, true);
		entry->position = *position;
		count_live(index, position);
		return entry;
	}
	if (position->segment != entry->position.segment || position->offset != entry->position.offset)
		count_dead(index, position, entry->queue_id, false);
	return NULL;
}

void queue_index_remove(struct queue_index *index, struct queue_entry *entry)
{
	count_dead(index, &entry->position, entry->queue_id, true);
	while (entry->run_count > 0)
		queue_reason_drop(index, entry->runs[--entry->run_count].reason);
	table_remove(&index->entries, span_from_cstr(entry->queue_id));
	free_entry(entry);
}

static void apply_recipients(struct queue_index *index, struct queue_entry *entry,
	const struct ledger_entry *said, enum recipient_state state)
{
	struct queue_reason *reason = NULL;
	if (state == RECIPIENT_DEFERRED || state == RECIPIENT_BOUNCED)
		reason = queue_index_reason(index, said->dsn, said->text, said->remote_mta,
			said->diagnostic);
	queue_entry_set(index, entry, said->first, said->count, state, reason);
	queue_reason_drop(index, reason);
}

void queue_index_apply(struct queue_index *index, const struct ledger_entry *said,
	const uint8_t boot[16])
{
	struct queue_entry *entry = queue_index_get(index, said->queue_id);
	if (entry == NULL)
		return;
	switch ((enum ledger_kind)said->kind) {
	case LEDGER_SENT:
	case LEDGER_RETURNED:
		apply_recipients(index, entry, said, RECIPIENT_DONE);
		break;
	case LEDGER_BOUNCED:
		apply_recipients(index, entry, said, RECIPIENT_BOUNCED);
		break;
	case LEDGER_DEFERRED:
		apply_recipients(index, entry, said, RECIPIENT_DEFERRED);
		break;
	case LEDGER_WRITTEN:
		/* Under another boot the page cache is gone: not delivered until shown otherwise. */
		apply_recipients(index, entry, said, memcmp(said->boot, boot, 16) == 0
			? RECIPIENT_WRITTEN : RECIPIENT_PENDING);
		break;
	case LEDGER_RETRY:
		entry->next_try_ms = said->time_ms;
		entry->tries = (uint32_t)said->value;
		break;
	case LEDGER_HOLD:
		entry->flags |= ENTRY_HELD;
		break;
	case LEDGER_RELEASE:
		entry->flags &= ~(uint32_t)ENTRY_HELD;
		break;
	case LEDGER_EXPIRE:
		entry->flags |= ENTRY_EXPIRE;
		break;
	case LEDGER_WARNED:
		entry->flags |= ENTRY_WARNED;
		break;
	case LEDGER_REQUEUE:
		entry->next_try_ms = 0;
		entry->tries = 0;
		entry->flags &= ~(uint32_t)ENTRY_HELD;
		break;
	case LEDGER_DELETE:
	case LEDGER_DONE:
		entry->flags |= ENTRY_DEAD;
		break;
	case LEDGER_MARK:
		break;
	}
}

struct sweep {
	struct queue_entry **dead;
	size_t count;
};

static bool collect_dead(struct span key, void *value, void *arg)
{
	(void)key;
	struct queue_entry *entry = value;
	struct sweep *sweep = arg;
	if (entry->flags & ENTRY_DEAD) {
		if ((sweep->count & (sweep->count - 1)) == 0)
			sweep->dead = memory_resize(sweep->dead,
				sweep->count == 0 ? 1 : sweep->count * 2, sizeof *sweep->dead);
		sweep->dead[sweep->count++] = entry;
	}
	return true;
}

size_t queue_index_sweep(struct queue_index *index)
{
	struct sweep sweep = {NULL, 0};
	table_each(&index->entries, collect_dead, &sweep);
	for (size_t i = 0; i < sweep.count; i++)
		queue_index_remove(index, sweep.dead[i]);
	free(sweep.dead);
	return sweep.count;
}
