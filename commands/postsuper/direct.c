/* See direct.h.
 * SPDX-License-Identifier: ISC */
#include "commands/postsuper/direct.h"

#include <errno.h>

#include "commands/common/queue_client.h"

int direct_open(struct direct *direct, const char *queue_directory)
{
	queue_index_init(&direct->index);
	direct->ledger = NULL;
	int error = queue_reader_open(queue_directory, &direct->reader);
	if (error < 0)
		return error;
	error = queue_index_load(&direct->index, queue_directory, direct->reader,
		&direct->ledger);
	if (error < 0)
		direct_close(direct);
	else
		queue_direct_tell_damage(&direct->index);
	return error;
}

void direct_close(struct direct *direct)
{
	ledger_close(direct->ledger);
	queue_reader_close(direct->reader);
	queue_index_done(&direct->index);
}

struct selection {
	struct direct *direct;
	const struct queue_command *command;
	uint64_t count;
};

static const char *queue_name(const struct queue_entry *entry)
{
	if (entry->flags & ENTRY_HELD)
		return "hold";
	return entry->next_try_ms == 0 ? "incoming" : "deferred";
}

static bool is_named(struct span queues, const char *name)
{
	struct span word;
	if (queues.len == 0)
		return true;
	while (span_token(&queues, ", ", &word))
		if (span_equal(word, span_from_cstr(name)))
			return true;
	return false;
}

static enum ledger_kind kind_of(uint32_t action, const struct queue_entry *entry)
{
	switch ((enum queue_action)action) {
	case QUEUE_DELETE: return LEDGER_DELETE;
	case QUEUE_HOLD: return entry->flags & ENTRY_HELD ? LEDGER_MARK : LEDGER_HOLD;
	case QUEUE_RELEASE: return entry->flags & ENTRY_HELD ? LEDGER_RELEASE : LEDGER_MARK;
	case QUEUE_REQUEUE: return LEDGER_REQUEUE;
	case QUEUE_EXPIRE: return entry->flags & ENTRY_EXPIRE ? LEDGER_MARK : LEDGER_EXPIRE;
	case QUEUE_FLUSH_ALL:
	case QUEUE_FLUSH_ID:
	case QUEUE_FLUSH_SITE: break;
	}
	return LEDGER_MARK;
}

static bool act(struct span key, void *value, void *arg)
{
	(void)key;
	struct selection *selection = arg;
	struct queue_entry *entry = value;
	enum ledger_kind kind = kind_of(selection->command->action, entry);
	if (kind == LEDGER_MARK || (entry->flags & ENTRY_DEAD) ||
		!is_named(selection->command->queues, queue_name(entry)))
		return true;
	struct ledger_entry said = {.kind = kind, .queue_id = span_from_cstr(entry->queue_id),
		.dsn = SPAN_EMPTY, .text = SPAN_EMPTY, .remote_mta = SPAN_EMPTY,
		.diagnostic = SPAN_EMPTY};
	static const uint8_t boot[16];
	ledger_append(selection->direct->ledger, &said);
	queue_index_apply(&selection->direct->index, &said, boot);
	selection->count++;
	return true;
}

int direct_command(struct direct *direct, const struct queue_command *command,
	uint64_t *ret_count)
{
	struct selection selection = {direct, command, 0};
	struct queue_entry *entry = queue_index_get(&direct->index, command->argument);
	if (span_equal(command->argument, SPAN("ALL")))
		table_each(&direct->index.entries, act, &selection);
	else if (entry != NULL)
		act(command->argument, entry, &selection);
	int error = ledger_commit(direct->ledger);
	if (error == 0)
		*ret_count = selection.count;
	return error;
}
