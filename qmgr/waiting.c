/* Messages that are not active: new ones in order of arrival, deferred ones by their next try. The
 * two kinds take turns, so that neither a full deferred queue nor a flood of new mail starves the
 * other. A message on hold waits nowhere.
 * SPDX-License-Identifier: ISC */
#include "qmgr/qmgr.h"

static bool deferred_turn;

void waiting_add(struct queue_entry *entry)
{
	waiting_remove(entry);
	if (entry->flags & ENTRY_HELD)
		return;
	if (entry->next_try_ms == 0) {
		list_append(&qmgr.incoming, &entry->link);
		task_event_signal(&qmgr.feed);
		return;
	}
	due_add(&qmgr.deferred, entry);
	if (due_first(&qmgr.deferred) == entry)
		task_event_signal(&qmgr.feed);
}

void waiting_remove(struct queue_entry *entry)
{
	due_remove(&qmgr.deferred, entry);
	if (entry->owner == NULL)
		list_remove(&entry->link);
}

void waiting_retry(struct queue_entry *entry)
{
	if (entry->owner != NULL)
		return;
	waiting_remove(entry);
	if (entry->flags & ENTRY_HELD)
		return;
	/* Before all others that are due, but still a deferred message in lists. */
	entry->next_try_ms = 1;
	due_add(&qmgr.deferred, entry);
	task_event_signal(&qmgr.feed);
}

static struct queue_entry *take_incoming(void)
{
	struct list_node *node = list_pop(&qmgr.incoming);
	return node == NULL ? NULL : LIST_ENTRY(node, struct queue_entry, link);
}

/* No try is ever put off for longer than this: a later time was set by a clock that went wrong. */
static int64_t longest_delay(void)
{
	return qmgr.settings.maximal_backoff_ms + qmgr.settings.maximal_backoff_ms / 4;
}

static struct queue_entry *take_deferred(int64_t now)
{
	struct queue_entry *entry = due_first(&qmgr.deferred);
	if (entry == NULL)
		return NULL;
	if (entry->next_try_ms > now && entry->next_try_ms - now <= longest_delay())
		return NULL;
	due_remove(&qmgr.deferred, entry);
	return entry;
}

bool waiting_next(struct queue_entry **ret_entry)
{
	int64_t now = wall_now();
	struct queue_entry *entry = deferred_turn ? take_deferred(now) : take_incoming();
	if (entry == NULL)
		entry = deferred_turn ? take_incoming() : take_deferred(now);
	deferred_turn = !deferred_turn;
	*ret_entry = entry;
	return entry != NULL;
}
