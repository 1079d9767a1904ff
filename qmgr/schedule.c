/* The schedule: adding, choosing, finishing. See schedule.h for the rules.
 * SPDX-License-Identifier: ISC */
#include "qmgr/schedule.h"

#include <stdlib.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/memory.h"
#include "qmgr/schedule_private.h"
#include "route/address_lookup.h"

void schedule_init(struct schedule *schedule)
{
	*schedule = (struct schedule){.suspend_ms = 300 * 1000};
	table_init(&schedule->transports);
	list_init(&schedule->transport_ring);
	list_init(&schedule->suspended);
}

static bool collect_destination(struct span key, void *value, void *arg)
{
	(void)key;
	struct destination *destination = value;
	list_remove(&destination->link); /* its list ends with it */
	list_append(arg, &destination->link);
	return true;
}

static void free_transport(struct schedule *schedule, struct transport *transport)
{
	struct list_node all = LIST_INIT(all);
	table_each(&transport->destinations, collect_destination, &all);
	LIST_FOREACH(node, &all)
		destination_free(schedule, LIST_ENTRY(node, struct destination, link));
	table_done(&transport->destinations, NULL);
	free(transport->dsn);
	free(transport->text);
	free(transport);
}

void schedule_done(struct schedule *schedule)
{
	LIST_FOREACH(node, &schedule->transport_ring)
		free_transport(schedule, LIST_ENTRY(node, struct transport, link));
	table_done(&schedule->transports, NULL);
	schedule_init(schedule);
}

void schedule_message_init(struct schedule_message *message, bool bulk)
{
	list_init(&message->entries);
	message->waiting = 0;
	message->bulk = bulk;
}

static struct transport *get_transport(struct schedule *schedule, const char *name)
{
	struct transport *transport = table_get(&schedule->transports, span_from_cstr(name));
	if (transport != NULL)
		return transport;
	transport = memory_zalloc(1, sizeof *transport + strlen(name) + 1);
	memcpy(transport->name, name, strlen(name) + 1);
	table_init(&transport->destinations);
	list_init(&transport->ready[RING_SMALL]);
	list_init(&transport->ready[RING_BULK]);
	list_init(&transport->delayed);
	schedule->limits(schedule->arg, name, &transport->limits);
	list_append(&schedule->transport_ring, &transport->link);
	table_put(&schedule->transports, span_from_cstr(name), transport);
	return transport;
}

static struct destination *get_destination(struct transport *transport, struct span key,
	const char *nexthop)
{
	struct destination *destination = table_get(&transport->destinations, key);
	if (destination != NULL)
		return destination;
	size_t nexthop_len = strlen(nexthop);
	destination = memory_zalloc(1, sizeof *destination + key.len + nexthop_len + 2);
	memcpy(destination->key, key.ptr, key.len);
	destination->nexthop = destination->key + key.len + 1;
	memcpy(destination->nexthop, nexthop, nexthop_len);
	destination->transport = transport;
	destination->window = (double)transport->limits.initial_concurrency;
	if (transport->limits.concurrency_limit > 0 &&
		destination->window > (double)transport->limits.concurrency_limit)
		destination->window = (double)transport->limits.concurrency_limit;
	if (destination->window < 1)
		destination->window = 1;
	list_init(&destination->link);
	list_init(&destination->entries);
	table_put(&transport->destinations, key, destination);
	return destination;
}

/* With one recipient a delivery, each recipient is a destination: one person's full mailbox or slow
 * command does not hold up the others. Extensions belong to the person. */
static void make_key(const struct transport *transport, const char *nexthop,
	struct span delimiters, struct span address, struct buf *key)
{
	if (transport->limits.recipient_limit == 1) {
		struct span local_part = span_head(address, span_find_last_char(address, '@'));
		size_t extension = address_extension_start(local_part, delimiters);
		local_part = span_head(local_part, extension);
		for (size_t i = 0; i < local_part.len; i++)
			buf_append_char(key, ascii_lower(local_part.ptr[i]));
		buf_append_char(key, '@');
	}
	buf_append_cstr(key, nexthop);
}

static struct schedule_entry *get_entry(struct destination *destination,
	struct schedule_message *message)
{
	if (destination->last != NULL && destination->last->message == message)
		return destination->last;
	struct schedule_entry *entry = NEW(struct schedule_entry);
	entry->destination = destination;
	entry->message = message;
	list_init(&entry->recipients);
	list_append(&destination->entries, &entry->link);
	list_append(&message->entries, &entry->message_link);
	destination->small_entries += !message->bulk;
	destination->last = entry;
	return entry;
}

bool schedule_add(struct schedule *schedule, struct schedule_message *message,
	const char *transport_name_, const char *nexthop, struct span delimiters,
	struct schedule_recipient *recipient, int64_t now, const char **ret_dsn,
	const char **ret_text)
{
	struct transport *transport = get_transport(schedule, transport_name_);
	if (transport->suspended_until > now) {
		*ret_dsn = transport->dsn;
		*ret_text = transport->text;
		return false;
	}
	struct buf key = BUF_INIT(16384);
	make_key(transport, nexthop, delimiters, recipient->address, &key);
	struct destination *destination = get_destination(transport, buf_span(&key), nexthop);
	buf_done(&key);
	if (destination_is_suspended(destination, now)) {
		*ret_dsn = destination->dsn;
		*ret_text = destination->text;
		return false;
	}
	struct schedule_entry *entry = get_entry(destination, message);
	list_append(&entry->recipients, &recipient->link);
	entry->count++;
	message->waiting++;
	destination_place(schedule, destination, now);
	return true;
}

static void take_recipients(struct schedule_entry *entry, int64_t limit, struct batch *batch)
{
	size_t bytes = 0;
	while (!list_is_empty(&entry->recipients)) {
		struct schedule_recipient *recipient =
			LIST_ENTRY(entry->recipients.next, struct schedule_recipient, link);
		bytes += schedule_recipient_bytes(recipient);
		if (batch->recipient_count > 0 &&
			(bytes > BATCH_BYTES_MAX || batch->recipient_count >= limit))
			break;
		list_remove(&recipient->link);
		list_append(&batch->recipients, &recipient->link);
		batch->recipient_count++;
		entry->count--;
		entry->message->waiting--;
	}
}

static void open_batch(struct batch *batch, struct schedule_entry *entry)
{
	*batch = (struct batch){.transport = entry->destination->transport,
		.destination = entry->destination, .message = entry->message};
	list_init(&batch->recipients);
}

static void choose_from(struct schedule *schedule, struct destination *destination, int64_t now,
	struct batch *ret_batch)
{
	struct transport *transport = destination->transport;
	struct schedule_entry *entry =
		LIST_ENTRY(destination->entries.next, struct schedule_entry, link);
	int64_t limit = transport->limits.recipient_limit;
	open_batch(ret_batch, entry);
	take_recipients(entry, limit > 0 && limit < 1000 ? limit : 1000, ret_batch);
	if (entry->count == 0) {
		entry_free(entry);
	} else {
		list_remove(&entry->link);
		list_append(&destination->entries, &entry->link);
	}
	destination->busy++;
	transport->busy++;
	destination_unlist(schedule, destination);
	destination_place(schedule, destination, now);
}

static struct destination *choose_destination(struct transport *transport)
{
	bool small = !list_is_empty(&transport->ready[RING_SMALL]);
	bool bulk = !list_is_empty(&transport->ready[RING_BULK]);
	if (!small && !bulk)
		return NULL;
	enum ring ring = small ? RING_SMALL : RING_BULK;
	if (small && bulk && ++transport->turns >= SLOT_COST) {
		transport->turns = 0;
		ring = RING_BULK;
	}
	return LIST_ENTRY(transport->ready[ring].next, struct destination, link);
}

static void release_delayed(struct schedule *schedule, struct transport *transport, int64_t now)
{
	LIST_FOREACH(node, &transport->delayed) {
		struct destination *destination = LIST_ENTRY(node, struct destination, link);
		if (destination->not_before <= now) {
			destination_unlist(schedule, destination);
			destination_place(schedule, destination, now);
		}
	}
}

bool schedule_next(struct schedule *schedule, int64_t now, struct batch *ret_batch)
{
	LIST_FOREACH(node, &schedule->transport_ring) {
		struct transport *transport = LIST_ENTRY(node, struct transport, link);
		int64_t limit = transport->limits.process_limit;
		if (transport->suspended_until <= now)
			transport->suspended_until = 0;
		if ((limit > 0 && transport->busy >= limit) || transport->suspended_until > now)
			continue;
		release_delayed(schedule, transport, now);
		struct destination *destination = choose_destination(transport);
		if (destination == NULL)
			continue;
		choose_from(schedule, destination, now, ret_batch);
		list_remove(&transport->link);
		list_append(&schedule->transport_ring, &transport->link);
		return true;
	}
	return false;
}

int64_t schedule_wake_time(const struct schedule *schedule)
{
	int64_t wake = INT64_MAX;
	LIST_FOREACH(node, &schedule->transport_ring) {
		const struct transport *transport = LIST_ENTRY(node, struct transport, link);
		bool waits = !list_is_empty(&transport->ready[RING_SMALL]) ||
			!list_is_empty(&transport->ready[RING_BULK]);
		if (waits && transport->suspended_until < wake && transport->suspended_until > 0)
			wake = transport->suspended_until;
		LIST_FOREACH(at, &transport->delayed) {
			const struct destination *destination = LIST_ENTRY(at, struct destination, link);
			if (destination->not_before < wake)
				wake = destination->not_before;
		}
	}
	return wake;
}

bool schedule_finish(struct schedule *schedule, const struct batch *batch, enum site_result result,
	struct span dsn, struct span text, int64_t now)
{
	struct destination *destination = batch->destination;
	batch->transport->busy--;
	destination->busy--;
	if (batch->transport->limits.rate_delay_ms > 0)
		destination->not_before = now + batch->transport->limits.rate_delay_ms;
	if (result == SITE_OK)
		concurrency_success(destination);
	if (result == SITE_FAILED && concurrency_failure(destination)) {
		free(destination->dsn);
		free(destination->text);
		destination->dsn = span_dup_cstr(dsn);
		destination->text = span_dup_cstr(text);
		destination->suspended_until = now + schedule->suspend_ms;
	}
	bool suspended = destination_is_suspended(destination, now);
	if (!suspended || list_is_empty(&destination->entries)) {
		destination_place(schedule, destination, now);
		return false;
	}
	destination_unlist(schedule, destination);
	return true;
}

static void take_all(struct schedule_entry *entry, struct batch *ret_batch)
{
	open_batch(ret_batch, entry);
	while (!list_is_empty(&entry->recipients)) {
		list_append(&ret_batch->recipients, list_pop(&entry->recipients));
		ret_batch->recipient_count++;
	}
	entry->message->waiting -= entry->count;
	entry_free(entry);
}

bool schedule_drain(struct schedule *schedule, struct destination *destination,
	struct batch *ret_batch)
{
	if (list_is_empty(&destination->entries)) {
		destination_place(schedule, destination, destination->suspended_until - 1);
		return false;
	}
	take_all(LIST_ENTRY(destination->entries.next, struct schedule_entry, link), ret_batch);
	return true;
}

void schedule_suspend_transport(struct transport *transport, struct span dsn, struct span text,
	int64_t until)
{
	free(transport->dsn);
	free(transport->text);
	transport->dsn = span_dup_cstr(dsn);
	transport->text = span_dup_cstr(text);
	transport->suspended_until = until;
}

bool schedule_drain_transport(struct schedule *schedule, struct transport *transport,
	struct batch *ret_batch)
{
	struct list_node *places[] = {&transport->ready[RING_SMALL], &transport->ready[RING_BULK],
		&transport->delayed};
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		while (!list_is_empty(places[i])) {
			struct destination *destination =
				LIST_ENTRY(places[i]->next, struct destination, link);
			if (!list_is_empty(&destination->entries)) {
				take_all(LIST_ENTRY(destination->entries.next,
					struct schedule_entry, link), ret_batch);
				return true;
			}
			destination_unlist(schedule, destination);
			if (destination->busy == 0)
				destination_free(schedule, destination);
		}
	}
	return false;
}

void schedule_withdraw(struct schedule *schedule, struct schedule_message *message, int64_t now)
{
	while (!list_is_empty(&message->entries)) {
		struct schedule_entry *entry =
			LIST_ENTRY(message->entries.next, struct schedule_entry, message_link);
		struct destination *destination = entry->destination;
		struct batch batch;
		take_all(entry, &batch);
		schedule_recipients_free(&batch.recipients);
		destination_place(schedule, destination, now);
	}
}

void schedule_resume_all(struct schedule *schedule)
{
	LIST_FOREACH(node, &schedule->transport_ring)
		LIST_ENTRY(node, struct transport, link)->suspended_until = 0;
	while (!list_is_empty(&schedule->suspended)) {
		struct destination *destination =
			LIST_ENTRY(schedule->suspended.next, struct destination, link);
		destination->suspended_until = 0;
		destination_free(schedule, destination);
	}
}
