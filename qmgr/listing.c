/* The queue as mailq shows it. States come from memory, addresses from the journal (which is in the
 * page cache as a rule), one message at a time: a listing of a hundred thousand messages begins at
 * once and holds nothing but their ids.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "qmgr/qmgr.h"
#include "queue/queue_id.h"

#define ITEM_RECIPIENTS 500
#define ITEM_BYTES_MAX (256 * 1024)
#define FLUSH_TIMEOUT (60 * 1000)

const char *entry_queue_name(const struct queue_entry *entry)
{
	if (entry->flags & ENTRY_HELD)
		return "hold";
	if (entry->owner != NULL)
		return "active";
	return entry->next_try_ms == 0 ? "incoming" : "deferred";
}

/* Delivered, only not yet checkpointed: nothing that an administrator waits for. */
static bool is_listed(const struct queue_entry *entry)
{
	return !(entry->flags & ENTRY_DEAD) &&
		(entry_left(entry) > 0 || queue_entry_count(entry, RECIPIENT_BOUNCED) > 0 ||
			queue_entry_count(entry, RECIPIENT_AWAY) > 0);
}

/* What the order depends on stands beside the pointer: sorting looks at no entry, but for equal
 * times. */
struct name {
	int rank;
	int64_t arrival_ms;
	const struct queue_entry *entry;
};

struct names {
	struct name *names;
	size_t count;
};

static int rank(const struct queue_entry *entry)
{
	switch (entry_queue_name(entry)[0]) {
	case 'a': return 0;
	case 'i': return 1;
	case 'd': return 2;
	}
	return 3;
}

static bool collect(struct span key, void *value, void *arg)
{
	(void)key;
	struct names *names = arg;
	const struct queue_entry *entry = value;
	if (is_listed(entry))
		names->names[names->count++] =
			(struct name){rank(entry), entry->arrival_ms, entry};
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct name *left = a, *right = b;
	if (left->rank != right->rank)
		return left->rank - right->rank;
	if (left->arrival_ms != right->arrival_ms)
		return left->arrival_ms < right->arrival_ms ? -1 : 1;
	return strcmp(left->entry->queue_id, right->entry->queue_id);
}

/* Ids, NUL behind each, in the order of the listing. */
static void take_ids(struct buf *ids)
{
	struct names names = {
		memory_alloc((qmgr.index.entries.count + 1) * sizeof *names.names), 0};
	table_each(&qmgr.index.entries, collect, &names);
	qsort(names.names, names.count, sizeof *names.names, compare);
	for (size_t i = 0; i < names.count; i++)
		buf_append_bytes(ids, names.names[i].entry->queue_id,
			strlen(names.names[i].entry->queue_id) + 1);
	free(names.names);
}

struct item {
	struct queue_item item;
	struct queue_item_recipient recipients[ITEM_RECIPIENTS];
	struct arena arena;
	char queue_id[QUEUE_ID_MAX];
	size_t bytes;
};

static bool visit(void *arg, uint32_t index, const struct queue_recipient *recipient)
{
	struct item *item = arg;
	const struct queue_entry *entry =
		queue_index_get(&qmgr.index, span_from_cstr(item->queue_id));
	if (entry == NULL)
		return false;
	struct queue_run run = queue_entry_run_at(entry, index);
	if (run.state == RECIPIENT_DONE || run.state == RECIPIENT_WRITTEN)
		return true;
	struct queue_item_recipient *listed = &item->recipients[item->item.recipient_count++];
	listed->address = arena_dup(&item->arena, recipient->address);
	listed->original = arena_dup(&item->arena, recipient->original);
	listed->reason = arena_dup(&item->arena,
		span_from_cstr(run.reason == NULL ? "" : run.reason->text));
	item->bytes += listed->address.len + listed->original.len + listed->reason.len;
	return item->item.recipient_count < ITEM_RECIPIENTS && item->bytes < ITEM_BYTES_MAX;
}

static void describe(struct item *item, const struct queue_entry *entry)
{
	arena_reset(&item->arena);
	item->bytes = 0;
	item->item = (struct queue_item){
		.queue_id = span_from_cstr(item->queue_id),
		.queue_name = span_from_cstr(entry_queue_name(entry)),
		.sender = arena_dup(&item->arena, span_from_cstr(entry->sender)),
		.arrival_ms = entry->arrival_ms,
		.size = entry->size,
		.forced_expire = (entry->flags & ENTRY_EXPIRE) != 0,
		.recipients = item->recipients,
	};
}

static int send_item(struct channel *channel, struct item *item, bool more)
{
	item->item.more = more;
	if (item->arena.overflow)
		return -ENOMEM;
	return channel_send(channel, &queue_item_type, &item->item);
}

/* One message as one or more items. A record that cannot be read is listed without recipients. */
static int send_message(struct channel *channel, struct item *item)
{
	struct queue_message loaded = {0};
	struct queue_cursor cursor = {0};
	const struct queue_entry *entry =
		queue_index_get(&qmgr.index, span_from_cstr(item->queue_id));
	if (entry == NULL || !is_listed(entry))
		return 0;
	struct queue_position position = entry->position;
	describe(item, entry);
	int error = queue_message_load(qmgr.reader, &position, &loaded);
	size_t count = 1;
	int sent = 0;
	while (error == 0 && count > 0 && sent == 0) {
		error = queue_message_recipients(qmgr.reader, &loaded, &cursor, ITEM_RECIPIENTS,
			visit, item, &count);
		bool full = item->item.recipient_count >= ITEM_RECIPIENTS ||
			item->bytes >= ITEM_BYTES_MAX;
		entry = queue_index_get(&qmgr.index, span_from_cstr(item->queue_id));
		if (error < 0 || entry == NULL || !full)
			continue;
		sent = send_item(channel, item, true);
		describe(item, entry);
	}
	queue_message_done(&loaded);
	return sent < 0 ? sent : send_item(channel, item, false);
}

int listing_send(struct channel *channel, struct span queue_id, uint64_t *ret_count)
{
	struct item *item = NEW(struct item);
	struct buf ids = BUF_INIT(SIZE_MAX / 4);
	int error = 0;
	arena_init(&item->arena, 4 * 1024 * 1024);
	if (queue_id.len > 0) {
		buf_append(&ids, queue_id);
		buf_append_char(&ids, '\0');
	} else {
		take_ids(&ids);
	}
	struct span rest = buf_span(&ids);
	*ret_count = 0;
	while (error == 0 && rest.len > 0) {
		struct span id = span_head(rest, span_find_char(rest, '\0'));
		rest = span_skip(rest, id.len + 1);
		if (id.len >= sizeof item->queue_id)
			continue;
		memcpy(item->queue_id, id.ptr, id.len);
		item->queue_id[id.len] = '\0';
		error = send_message(channel, item);
		if (error == 0 && (*ret_count)++ % 64 == 0)
			error = channel_flush(channel, task_deadline(FLUSH_TIMEOUT));
		if (error == 0 && *ret_count % 64 == 0)
			error = task_yield();
	}
	buf_done(&ids);
	arena_done(&item->arena);
	free(item);
	return error;
}
