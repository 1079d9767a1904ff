/* Deliveries that a predecessor is finishing (handover.c): their recipients are AWAY and left alone
 * until the predecessor's file says what became of them, or its end that nothing did.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/memory.h"
#include "qmgr/qmgr.h"
#include "queue/queue_id.h"
#include "sys/fd.h"
#include "sys/file_systems.h"

#define LOOK_MS 200
#define AGAIN_MAX 60  /* then it never will be */
#define START_TRIES 5 /* at the start, where nobody else is served meanwhile */
#define START_WAIT_US (100 * 1000)
#define TEXTS_MAX (16 * 1024 * 1024)

int64_t late_again_ms = 1000; /* after a file that could not be read */

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

static void set_aside(struct late_reader *reader, int error)
{
	int failed = late_reader_set_aside(reader, qmgr.settings.queue_directory);
	log_error(NULL, "cannot read what an earlier queue manager delivered: %s: what ledger/%s "
		"names is delivered again, perhaps a second time", strerror(-error),
		late_reader_name(reader));
	if (failed == 0)
		log_error(NULL, "ledger/%s is kept in corrupt/", late_reader_name(reader));
	else
		log_error(NULL, "ledger/%s cannot be moved to corrupt/: %s", late_reader_name(reader),
			strerror(-failed));
}

/* One that can never be read must not keep all other mail waiting. */
static int mark_or_set_aside(struct late_reader *reader)
{
	int error = late_reader_read(reader, mark_away, NULL);
	for (int i = 1; error < 0 && i < START_TRIES; i++) {
		usleep(START_WAIT_US);
		error = late_reader_read(reader, mark_away, NULL);
	}
	if (error >= 0 || fd_is_shortage(error))
		return error;
	set_aside(reader, error);
	return 0;
}

int late_prepare(void)
{
	int error = open_again();
	for (size_t i = 0; error >= 0 && i < count; i++)
		error = mark_or_set_aside(readers[i]);
	/* From the beginning: what was said so far is still to be applied. */
	if (error >= 0)
		error = open_again();
	if (error >= 0 && count > 0)
		file_systems_open(&systems);
	return error;
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

struct away {
	struct queue_entry **entries;
	size_t count;
};

static bool collect_away(struct span key, void *value, void *arg)
{
	(void)key;
	struct away *away = arg;
	struct queue_entry *entry = value;
	if (!(entry->flags & ENTRY_DEAD) && queue_entry_count(entry, RECIPIENT_AWAY) > 0)
		away->entries[away->count++] = entry;
	return true;
}

/* Nobody will say what became of them. Another predecessor's, whose file can be read, are among
 * them: they may come twice. */
static void give_back_all(void)
{
	struct away away = {memory_alloc((qmgr.index.entries.count + 1) * sizeof *away.entries), 0};
	table_each(&qmgr.index.entries, collect_away, &away);
	for (size_t i = 0; i < away.count; i++) {
		struct queue_entry *entry = away.entries[i];
		for (uint32_t at = 0, end; at < entry->recipient_count; at = end) {
			struct queue_run run = queue_entry_run_at(entry, at);
			end = run.first + run.count;
			if (run.state == RECIPIENT_AWAY)
				queue_entry_set(&qmgr.index, entry, at, end - at, RECIPIENT_PENDING, NULL);
		}
		go_on(entry, RECIPIENT_PENDING);
	}
	free(away.entries);
}

/* What cannot be read now is not given up at once. */
static void follow(struct late_reader *reader)
{
	struct look marks = {.entries = NULL};
	int ended = 0, failures = 0;
	arena_init(&marks.arena, TEXTS_MAX);
	while (!qmgr.stopping && ended != 1) {
		ended = look_at(reader, &marks);
		failures = ended < 0 ? failures + 1 : 0;
		if (failures == 1)
			log_warning(NULL, "cannot read what an earlier queue manager delivered, will "
				"try again: %s", strerror(-ended));
		if (failures > AGAIN_MAX && !fd_is_shortage(ended)) {
			set_aside(reader, ended);
			give_back_all();
			break;
		}
		if (ended != 1 && task_sleep(ended < 0 ? late_again_ms : LOOK_MS) < 0)
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
