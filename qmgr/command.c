/* Commands of postqueue (hurry) and postsuper (delete, hold, release, requeue, expire). A change is
 * committed to the ledger before it is made here and answered; when that fails it is made all the
 * same, as the ledger keeps it for later, and the answer is the error.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "qmgr/qmgr.h"
#include "queue/queue_id.h"

struct selection {
	const struct queue_command *command;
	struct buf ids; /* NUL behind each */
};

static bool is_named(struct span queues, const char *name)
{
	struct span word;
	while (span_token(&queues, ", ", &word))
		if (span_equal(word, span_from_cstr(name)))
			return true;
	return false;
}

/* Is the message one of those that were meant? */
static bool is_meant(const struct queue_command *command, const struct queue_entry *entry)
{
	return command->queues.len == 0 || is_named(command->queues, entry_queue_name(entry));
}

/* Does the action mean anything for this message? */
static bool applies(const struct queue_command *command, const struct queue_entry *entry)
{
	if (entry->flags & ENTRY_DEAD)
		return false;
	switch ((enum queue_action)command->action) {
	case QUEUE_HOLD:
		return !(entry->flags & ENTRY_HELD);
	case QUEUE_RELEASE:
		return entry->flags & ENTRY_HELD;
	case QUEUE_EXPIRE:
		return !(entry->flags & ENTRY_EXPIRE);
	case QUEUE_FLUSH_ALL:
	case QUEUE_FLUSH_ID:
	case QUEUE_FLUSH_SITE:
		return entry->owner == NULL && entry->next_try_ms != 0 &&
			!(entry->flags & ENTRY_HELD) && entry_left(entry) > 0;
	case QUEUE_DELETE:
	case QUEUE_REQUEUE:
		return true;
	}
	return false;
}

static bool select_entry(struct span key, void *value, void *arg)
{
	struct selection *selection = arg;
	if (is_meant(selection->command, value) && applies(selection->command, value)) {
		buf_append(&selection->ids, key);
		buf_append_char(&selection->ids, '\0');
	}
	return true;
}

static void select_messages(struct selection *selection)
{
	const struct queue_command *command = selection->command;
	bool all = command->action == QUEUE_FLUSH_ALL || command->action == QUEUE_FLUSH_SITE ||
		span_equal(command->argument, SPAN("ALL"));
	struct queue_entry *entry = queue_index_get(&qmgr.index, command->argument);
	if (all)
		table_each(&qmgr.index.entries, select_entry, selection);
	else if (entry != NULL)
		select_entry(command->argument, entry, selection);
}

struct site_search {
	struct span site;
	const struct queue_entry *entry;
	bool found;
};

static bool visit_site(void *arg, uint32_t index, const struct queue_recipient *recipient)
{
	struct site_search *search = arg;
	enum recipient_state state = queue_entry_run_at(search->entry, index).state;
	size_t at = span_find_last_char(recipient->address, '@');
	if (at != SIZE_MAX && (state == RECIPIENT_PENDING || state == RECIPIENT_DEFERRED) &&
		span_equal_nocase(span_skip(recipient->address, at + 1), search->site))
		search->found = true;
	return !search->found;
}

/* Has the message a recipient left at this site? Yields: the entry is pinned by the caller's id. */
static bool is_for_site(const char *queue_id, struct span site)
{
	struct queue_message loaded = {0};
	struct queue_cursor cursor = {0};
	struct site_search search = {site, NULL, false};
	size_t count = 1;
	struct queue_entry *entry = queue_index_get(&qmgr.index, span_from_cstr(queue_id));
	if (entry == NULL)
		return false;
	struct queue_position position = entry->position;
	int error = queue_message_load(qmgr.reader, &position, &loaded);
	while (error == 0 && count > 0 && !search.found) {
		search.entry = queue_index_get(&qmgr.index, span_from_cstr(queue_id));
		if (search.entry == NULL)
			break;
		error = queue_message_recipients(qmgr.reader, &loaded, &cursor, 100, visit_site,
			&search, &count);
	}
	queue_message_done(&loaded);
	return search.found;
}

static enum ledger_kind ledger_kind(enum queue_action action)
{
	switch (action) {
	case QUEUE_DELETE: return LEDGER_DELETE;
	case QUEUE_HOLD: return LEDGER_HOLD;
	case QUEUE_RELEASE: return LEDGER_RELEASE;
	case QUEUE_REQUEUE: return LEDGER_REQUEUE;
	case QUEUE_EXPIRE: return LEDGER_EXPIRE;
	case QUEUE_FLUSH_ALL:
	case QUEUE_FLUSH_ID:
	case QUEUE_FLUSH_SITE: break;
	}
	return LEDGER_MARK;
}

static void wait_again(struct queue_entry *entry)
{
	if (entry->owner != NULL)
		((struct message *)entry->owner)->retry_soon = true;
	else if (queue_entry_count(entry, RECIPIENT_DONE) == entry->recipient_count)
		finish_if_done(entry);
	else
		waiting_add(entry);
}

static void delete_entry(struct queue_entry *entry)
{
	log_info(entry->queue_id, "removed");
	if (entry->owner != NULL) {
		entry->flags |= ENTRY_DEAD;
		active_abandon(entry->owner);
		return;
	}
	waiting_remove(entry);
	housekeeping_release(entry);
}

static void apply(enum queue_action action, struct queue_entry *entry)
{
	switch (action) {
	case QUEUE_FLUSH_ALL:
	case QUEUE_FLUSH_ID:
	case QUEUE_FLUSH_SITE:
		waiting_retry(entry);
		break;
	case QUEUE_DELETE:
		delete_entry(entry);
		break;
	case QUEUE_HOLD:
		log_info(entry->queue_id, "placed on hold");
		waiting_remove(entry);
		entry->flags |= ENTRY_HELD;
		if (entry->owner != NULL)
			active_abandon(entry->owner);
		break;
	case QUEUE_RELEASE:
		log_info(entry->queue_id, "released from hold");
		entry->flags &= ~(uint32_t)ENTRY_HELD;
		wait_again(entry);
		break;
	case QUEUE_REQUEUE:
		log_info(entry->queue_id, "requeued");
		entry->flags &= ~(uint32_t)ENTRY_HELD;
		waiting_remove(entry);
		entry->next_try_ms = 0;
		entry->tries = 0;
		if (entry->owner != NULL)
			active_abandon(entry->owner);
		wait_again(entry);
		break;
	case QUEUE_EXPIRE:
		log_info(entry->queue_id, "expired");
		entry->flags |= ENTRY_EXPIRE;
		if (entry->owner != NULL)
			active_abandon(entry->owner);
		else
			waiting_retry(entry);
		break;
	}
}

static bool next_id(struct span *rest, char id[QUEUE_ID_MAX])
{
	if (rest->len == 0)
		return false;
	struct span word = span_head(*rest, span_find_char(*rest, '\0'));
	*rest = span_skip(*rest, word.len + 1);
	size_t len = word.len < QUEUE_ID_MAX ? word.len : QUEUE_ID_MAX - 1;
	memcpy(id, word.ptr, len);
	id[len] = '\0';
	return true;
}

static int commit_all(const struct selection *selection)
{
	enum ledger_kind kind = ledger_kind((enum queue_action)selection->command->action);
	struct span rest = buf_span(&selection->ids);
	char id[QUEUE_ID_MAX];
	if (kind == LEDGER_MARK)
		return 0;
	while (next_id(&rest, id)) {
		struct queue_entry *entry = queue_index_get(&qmgr.index, span_from_cstr(id));
		if (entry != NULL)
			outcome_note(entry, kind, 0, 0);
	}
	return qmgr_commit();
}

/* INVARIANT: what the ledger says, or is going to say, is done here: also when the message has gone
 * to another queue meanwhile, and when the ledger cannot be written now. */
static uint64_t apply_all(const struct selection *selection)
{
	const struct queue_command *command = selection->command;
	struct span rest = buf_span(&selection->ids);
	char id[QUEUE_ID_MAX];
	uint64_t count = 0;
	while (next_id(&rest, id)) {
		if (command->action == QUEUE_FLUSH_SITE && !is_for_site(id, command->argument))
			continue;
		struct queue_entry *entry = queue_index_get(&qmgr.index, span_from_cstr(id));
		if (entry == NULL || !applies(command, entry))
			continue;
		apply((enum queue_action)command->action, entry);
		if (++count % 256 == 0)
			(void)task_yield();
	}
	return count;
}

int command_run(const struct queue_command *command, bool privileged, uint64_t *ret_count)
{
	bool flush = command->action == QUEUE_FLUSH_ALL || command->action == QUEUE_FLUSH_ID ||
		command->action == QUEUE_FLUSH_SITE;
	if (!flush && !privileged)
		return -EPERM;
	if (flush)
		schedule_resume_all(&qmgr.schedule);
	struct selection selection = {.command = command};
	buf_init(&selection.ids, SIZE_MAX / 4);
	select_messages(&selection);
	int error = commit_all(&selection);
	uint64_t count = error == -ESHUTDOWN ? 0 : apply_all(&selection);
	if (error == 0)
		*ret_count = count;
	buf_done(&selection.ids);
	deliver_kick();
	return error;
}
