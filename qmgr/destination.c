/* A destination's place in the schedule, and the small objects around it.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "qmgr/schedule_private.h"

struct schedule_recipient *schedule_recipient_new(uint32_t index, uint32_t notify,
	struct span address, struct span original, struct span orcpt)
{
	bool same = span_equal(address, original);
	size_t size = address.len + (same ? 0 : original.len) + orcpt.len;
	struct schedule_recipient *recipient = memory_alloc(sizeof *recipient + size);
	char *at = (char *)(recipient + 1);
	list_init(&recipient->link);
	recipient->index = index;
	recipient->notify = notify;
	memcpy(at, address.ptr, address.len);
	recipient->address = span_new(at, address.len);
	recipient->original = recipient->address;
	at += address.len;
	if (!same) {
		memcpy(at, original.ptr, original.len);
		recipient->original = span_new(at, original.len);
		at += original.len;
	}
	memcpy(at, orcpt.ptr, orcpt.len);
	recipient->orcpt = span_new(at, orcpt.len);
	return recipient;
}

size_t schedule_recipient_bytes(const struct schedule_recipient *recipient)
{
	return recipient->address.len + recipient->original.len + recipient->orcpt.len + 32;
}

void schedule_recipients_free(struct list_node *list)
{
	struct list_node *node;
	while ((node = list_pop(list)) != NULL)
		free(LIST_ENTRY(node, struct schedule_recipient, link));
}

void entry_free(struct schedule_entry *entry)
{
	struct destination *destination = entry->destination;
	CHECK(list_is_empty(&entry->recipients));
	if (destination->last == entry)
		destination->last = NULL;
	destination->small_entries -= !entry->message->bulk;
	list_remove(&entry->link);
	list_remove(&entry->message_link);
	free(entry);
}

bool destination_is_suspended(const struct destination *destination, int64_t now)
{
	return destination->suspended_until > now;
}

void destination_unlist(struct schedule *schedule, struct destination *destination)
{
	if (destination->place == PLACE_SUSPENDED)
		schedule->suspended_count--;
	list_remove(&destination->link);
	destination->place = PLACE_NONE;
}

static void move(struct schedule *schedule, struct destination *destination, enum place place)
{
	struct transport *transport = destination->transport;
	struct list_node *lists[] = {
		[PLACE_NONE] = NULL,
		[PLACE_SMALL] = &transport->ready[RING_SMALL],
		[PLACE_BULK] = &transport->ready[RING_BULK],
		[PLACE_DELAYED] = &transport->delayed,
		[PLACE_SUSPENDED] = &schedule->suspended,
	};
	if (destination->place == place)
		return;
	destination_unlist(schedule, destination);
	destination->place = place;
	if (lists[place] != NULL)
		list_append(lists[place], &destination->link);
	if (place == PLACE_SUSPENDED)
		schedule->suspended_count++;
}

void destination_free(struct schedule *schedule, struct destination *destination)
{
	CHECK(list_is_empty(&destination->entries) && destination->busy == 0);
	destination_unlist(schedule, destination);
	table_remove(&destination->transport->destinations, span_from_cstr(destination->key));
	free(destination->dsn);
	free(destination->text);
	free(destination);
}

/* Suspensions that are over, and the oldest when there are too many. The newest stays. */
static void forget_old(struct schedule *schedule, int64_t now)
{
	while (schedule->suspended_count > 1) {
		struct destination *oldest =
			LIST_ENTRY(schedule->suspended.next, struct destination, link);
		if (oldest->suspended_until > now && schedule->suspended_count <= SUSPENDED_MAX)
			return;
		destination_free(schedule, oldest);
	}
}

static bool may_deliver(const struct destination *destination)
{
	int64_t limit = (int64_t)destination->window;
	if (destination->transport->limits.rate_delay_ms > 0)
		limit = 1;
	return destination->busy < limit;
}

static void place_empty(struct schedule *schedule, struct destination *destination, int64_t now)
{
	if (destination->busy > 0) {
		move(schedule, destination, PLACE_NONE);
	} else if (destination_is_suspended(destination, now)) {
		move(schedule, destination, PLACE_SUSPENDED);
		forget_old(schedule, now);
	} else if (destination->not_before > now) {
		move(schedule, destination, PLACE_DELAYED);
	} else {
		destination_free(schedule, destination);
	}
}

void destination_place(struct schedule *schedule, struct destination *destination, int64_t now)
{
	if (destination->suspended_until != 0 && !destination_is_suspended(destination, now)) {
		destination->suspended_until = 0;
		destination->fail_cohorts = 0;
	}
	if (list_is_empty(&destination->entries))
		place_empty(schedule, destination, now);
	else if (!may_deliver(destination))
		move(schedule, destination, PLACE_NONE);
	else if (destination->not_before > now)
		move(schedule, destination, PLACE_DELAYED);
	else
		move(schedule, destination,
			destination->small_entries > 0 ? PLACE_SMALL : PLACE_BULK);
}

const char *transport_name(const struct transport *transport)
{
	return transport->name;
}

const char *destination_nexthop(const struct destination *destination)
{
	return destination->nexthop;
}

unsigned transport_kind(const struct transport *transport)
{
	return transport->limits.kind;
}

bool transport_is_suspended(const struct transport *transport, int64_t now)
{
	return transport->suspended_until > now;
}

const char *transport_dsn(const struct transport *transport)
{
	return transport->dsn;
}

const char *transport_text(const struct transport *transport)
{
	return transport->text;
}

const char *destination_dsn(const struct destination *destination)
{
	return destination->dsn;
}

const char *destination_text(const struct destination *destination)
{
	return destination->text;
}
