/* The queue as it stands on disk: for listings while the server is down.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/memory.h"
#include "commands/common/queue_client.h"
#include "queue/index.h"

#define ITEM_RECIPIENTS 500

struct direct {
	struct queue_index index;
	struct queue_reader *reader;
	const struct queue_entry **entries;
	size_t count;
	struct arena arena;
	struct queue_item item;
	struct queue_item_recipient recipients[ITEM_RECIPIENTS];
	const struct queue_entry *entry;
};

static bool collect(struct span key, void *value, void *arg)
{
	(void)key;
	struct direct *direct = arg;
	const struct queue_entry *entry = value;
	if (queue_entry_count(entry, RECIPIENT_DONE) < entry->recipient_count)
		direct->entries[direct->count++] = entry;
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct queue_entry *const *left = a, *const *right = b;
	bool left_held = (*left)->flags & ENTRY_HELD, right_held = (*right)->flags & ENTRY_HELD;
	if (left_held != right_held)
		return left_held - right_held;
	return (*left)->arrival_ms < (*right)->arrival_ms ? -1
		: (*left)->arrival_ms > (*right)->arrival_ms;
}

static bool visit(void *arg, uint32_t index, const struct queue_recipient *recipient)
{
	struct direct *direct = arg;
	struct queue_run run = queue_entry_run_at(direct->entry, index);
	if (run.state == RECIPIENT_DONE)
		return true;
	direct->recipients[direct->item.recipient_count++] = (struct queue_item_recipient){
		arena_dup(&direct->arena, recipient->address),
		arena_dup(&direct->arena, recipient->original),
		arena_dup(&direct->arena, span_from_cstr(run.reason == NULL ? "" : run.reason->text))};
	return direct->item.recipient_count < ITEM_RECIPIENTS;
}

static const char *queue_name(const struct queue_entry *entry)
{
	if (entry->flags & ENTRY_HELD)
		return "hold";
	return entry->next_try_ms == 0 ? "incoming" : "deferred";
}

static bool show(struct direct *direct, queue_item_fn *fn, void *arg)
{
	const struct queue_entry *entry = direct->entry;
	struct queue_message loaded = {0};
	struct queue_cursor cursor = {0};
	size_t count = 1;
	bool go_on = true, more = true;
	int error = queue_message_load(direct->reader, &entry->position, &loaded);
	while (go_on && more) {
		arena_reset(&direct->arena);
		direct->item = (struct queue_item){.queue_id = span_from_cstr(entry->queue_id),
			.queue_name = span_from_cstr(queue_name(entry)),
			.sender = span_from_cstr(entry->sender), .arrival_ms = entry->arrival_ms,
			.size = entry->size, .forced_expire = (entry->flags & ENTRY_EXPIRE) != 0,
			.recipients = direct->recipients};
		while (error == 0 && count > 0 && direct->item.recipient_count < ITEM_RECIPIENTS)
			error = queue_message_recipients(direct->reader, &loaded, &cursor, 100,
				visit, direct, &count);
		more = direct->item.recipient_count == ITEM_RECIPIENTS;
		direct->item.more = more;
		go_on = fn(arg, &direct->item);
	}
	queue_message_done(&loaded);
	return go_on;
}

static int list(struct direct *direct, struct span queue_id, queue_item_fn *fn, void *arg)
{
	direct->entries = memory_alloc((direct->index.entries.count + 1) *
		sizeof *direct->entries);
	table_each(&direct->index.entries, collect, direct);
	qsort(direct->entries, direct->count, sizeof *direct->entries, compare);
	for (size_t i = 0; i < direct->count; i++) {
		direct->entry = direct->entries[i];
		if (queue_id.len > 0 &&
			!span_equal(queue_id, span_from_cstr(direct->entry->queue_id)))
			continue;
		if (!show(direct, fn, arg))
			break;
	}
	free(direct->entries);
	return 0;
}

void queue_direct_tell_damage(const struct queue_index *index)
{
	for (size_t i = 0; i < index->damaged_count; i++)
		log_warning(NULL, "journal/%016llx.seg is damaged at %llu: %llu bytes",
			(unsigned long long)index->damaged[i].segment,
			(unsigned long long)index->damaged[i].offset,
			(unsigned long long)index->damaged[i].length);
	if (index->unreadable != 0)
		log_warning(NULL, "journal/%016llx.seg has no valid header",
			(unsigned long long)index->unreadable);
}

int queue_direct_list(const char *queue_directory, struct span queue_id, queue_item_fn *fn,
	void *arg)
{
	struct direct *direct = NEW(struct direct);
	queue_index_init(&direct->index);
	arena_init(&direct->arena, 16 * 1024 * 1024);
	int error = queue_reader_open(queue_directory, &direct->reader);
	if (error == 0) {
		error = queue_index_load(&direct->index, queue_directory, direct->reader, NULL);
		if (error == 0)
			queue_direct_tell_damage(&direct->index);
		if (error == 0)
			error = list(direct, queue_id, fn, arg);
		queue_reader_close(direct->reader);
	}
	arena_done(&direct->arena);
	queue_index_done(&direct->index);
	free(direct);
	return error;
}
