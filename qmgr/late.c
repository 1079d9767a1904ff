/* Deliveries that a predecessor is finishing (handover.c): their recipients are AWAY and left alone
 * until the predecessor's file says what became of them, or its end that nothing did.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/memory.h"
#include "qmgr/qmgr.h"
#include "queue/queue_id.h"
#include "sys/file_systems.h"

#define LOOK_MS 200
#define AGAIN_MS 1000 /* after a file that could not be read */
#define TEXTS_MAX (16 * 1024 * 1024)

static struct late_reader **readers;
static size_t count;
static struct file_systems systems;

/* The entries of one look, copied: applying them waits. */
struct look {
	struct arena arena;
	struct ledger_entry *entries;
	size_t count, room;
};

static void mark_away(void *arg, const struct ledger_entry *said)
{
	(void)arg;
	struct queue_entry *entry = queue_index_get(&qmgr.index, said->queue_id);
	if (entry == NULL || said->kind != LEDGER_MARK || said->first >= entry->recipient_count)
		return;
	enum recipient_state state = queue_entry_run_at(entry, said->first).state;
	if (state == RECIPIENT_PENDING || state == RECIPIENT_DEFERRED)
		queue_entry_set(&qmgr.index, entry, said->first, 1, RECIPIENT_AWAY, NULL);
}

static int open_again(void)
{
	for (size_t i = 0; i < count; i++)
		late_reader_close(readers[i]);
	free(readers);
	readers = NULL;
	count = 0;
	return late_readers_open(qmgr.settings.queue_directory, &readers, &count);
}

int late_prepare(void)
{
	int error = open_again();
	for (size_t i = 0; error >= 0 && i < count; i++)
		error = late_reader_read(readers[i], mark_away, NULL);
	if (error >= 0 && count > 0)
		file_systems_open(&systems);
	/* From the beginning: what was said so far is still to be applied. */
	return error < 0 ? error : open_again();
}

static void keep(void *arg, const struct ledger_entry *said)
{
	struct look *look = arg;
	if (look->count == look->room) {
		look->room = look->room == 0 ? 64 : look->room * 2;
		look->entries = memory_resize(look->entries, look->room, sizeof *look->entries);
	}
	struct ledger_entry *copy = &look->entries[look->count++];
	*copy = *said;
	copy->queue_id = arena_dup(&look->arena, said->queue_id);
	copy->dsn = arena_dup(&look->arena, said->dsn);
	copy->text = arena_dup(&look->arena, said->text);
	copy->remote_mta = arena_dup(&look->arena, said->remote_mta);
	copy->diagnostic = arena_dup(&look->arena, said->diagnostic);
}

static void flush(void *arg)
{
	*(int *)arg = file_systems_flush(&systems);
}

/* Written to a Maildir, and nobody waits for its checkpoint. */
static enum recipient_state settle_written(const struct ledger_entry *said)
{
	int error = 0;
	if (memcmp(said->boot, qmgr.boot, sizeof qmgr.boot) != 0)
		return RECIPIENT_PENDING;
	task_offload(flush, &error);
	return error < 0 ? RECIPIENT_PENDING : RECIPIENT_DONE;
}

static bool state_of(const struct ledger_entry *said, enum recipient_state *ret_state)
{
	switch ((enum ledger_kind)said->kind) {
	case LEDGER_SENT:
	case LEDGER_RETURNED: *ret_state = RECIPIENT_DONE; return true;
	case LEDGER_BOUNCED: *ret_state = RECIPIENT_BOUNCED; return true;
	case LEDGER_DEFERRED: *ret_state = RECIPIENT_DEFERRED; return true;
	case LEDGER_WRITTEN: *ret_state = settle_written(said); return true;
	case LEDGER_RETRY: case LEDGER_HOLD: case LEDGER_RELEASE: case LEDGER_EXPIRE:
	case LEDGER_WARNED: case LEDGER_REQUEUE: case LEDGER_DELETE: case LEDGER_DONE: case LEDGER_MARK:
		break;
	}
	return false;
}

static struct queue_entry *find_away(const struct ledger_entry *said)
{
	struct queue_entry *entry = queue_index_get(&qmgr.index, said->queue_id);
	if (entry == NULL || (entry->flags & ENTRY_DEAD) || said->first >= entry->recipient_count ||
		queue_entry_run_at(entry, said->first).state != RECIPIENT_AWAY)
		return NULL;
	return entry;
}

/* What the message needs next, unless a pass of its own sees to it. */
static void go_on(struct queue_entry *entry, enum recipient_state state)
{
	if (entry->owner != NULL)
		return;
	if (state == RECIPIENT_DONE)
		finish_if_done(entry);
	else if (state == RECIPIENT_DEFERRED)
		finish_later(entry);
	else
		waiting_retry(entry);
}

static void apply(const struct ledger_entry *said)
{
	enum recipient_state state;
	if (find_away(said) == NULL || !state_of(said, &state))
		return;
	struct queue_entry *entry = find_away(said); /* settling waits */
	if (entry == NULL)
		return;
	struct outcome outcome = {said->first, state, said->dsn, said->text, said->remote_mta,
		said->diagnostic, said->kind == LEDGER_RETURNED};
	bool again = state == RECIPIENT_PENDING;
	if (again)
		outcome = (struct outcome){said->first, RECIPIENT_DEFERRED, SPAN("4.3.0"),
			SPAN("not known to be durable"), SPAN_EMPTY, SPAN_EMPTY, false};
	char queue_id[QUEUE_ID_MAX];
	memcpy(queue_id, entry->queue_id, strlen(entry->queue_id) + 1);
	outcome_record_run(entry, &outcome, 1);
	entry = queue_index_get(&qmgr.index, span_from_cstr(queue_id));
	if (entry != NULL && !(entry->flags & ENTRY_DEAD))
		go_on(entry, state);
}

/* The predecessor has ended without a word on these. */
static void give_back(const struct ledger_entry *said)
{
	struct queue_entry *entry = find_away(said);
	if (entry == NULL || said->kind != LEDGER_MARK)
		return;
	log_info(entry->queue_id, "recipient %u: the process that delivered ended: delivered again",
		said->first);
	queue_entry_set(&qmgr.index, entry, said->first, 1, RECIPIENT_PENDING, NULL);
	go_on(entry, RECIPIENT_PENDING);
}

/* 1: the file is done with; 0: there may be more; -errno: it cannot be read now. */
static int look_at(struct late_reader *reader, struct look *marks)
{
	struct look look = {.entries = NULL};
	arena_init(&look.arena, TEXTS_MAX);
	int ended = late_reader_read(reader, keep, &look);
	for (size_t i = 0; i < look.count && !qmgr.stopping; i++)
		if (look.entries[i].kind == LEDGER_MARK)
			keep(marks, &look.entries[i]);
		else
			apply(&look.entries[i]);
	free(look.entries);
	arena_done(&look.arena);
	for (size_t i = 0; ended == 1 && i < marks->count && !qmgr.stopping; i++)
		give_back(&marks->entries[i]);
	/* Its entries stand in the ledger: deferrals perhaps not yet, which only means trying again. */
	if (ended == 1 && !qmgr.stopping)
		late_reader_remove(reader);
	return ended;
}

/* What cannot be read now is not given up: its recipients would be AWAY until the next start. */
static void follow(struct late_reader *reader)
{
	struct look marks = {.entries = NULL};
	int ended = 0;
	arena_init(&marks.arena, TEXTS_MAX);
	while (!qmgr.stopping && ended != 1) {
		int before = ended;
		ended = look_at(reader, &marks);
		if (ended < 0 && before >= 0)
			log_warning(NULL, "cannot read what an earlier queue manager delivered, will "
				"try again: %s", strerror(-ended));
		if (ended != 1 && task_sleep(ended < 0 ? AGAIN_MS : LOOK_MS) < 0)
			break;
	}
	free(marks.entries);
	arena_done(&marks.arena);
}

static size_t following;

static void run(void *arg)
{
	struct peer_task self;
	peer_task_begin(&self);
	follow(arg);
	late_reader_close(arg);
	peer_task_end(&self);
	if (--following == 0)
		file_systems_close(&systems);
}

void late_start(void)
{
	following = count;
	for (size_t i = 0; i < count; i++)
		if (task_spawn("late", run, readers[i], 0) == NULL)
			log_fatal(NULL, "no memory to begin");
	free(readers);
	readers = NULL;
	count = 0;
}
