/* What is done now and then: committing what nobody waits for, telling cleanup which bytes of the
 * journal are dead, compacting segments that a few deferred messages keep alive, removing large
 * files, and rewriting the ledger as a snapshot.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "qmgr/qmgr.h"
#include "queue/large.h"

#define GATHER_MS 300
#define IDLE_MS (60 * 1000)
#define TELL_AGAIN_MS (60 * 1000)
#define SNAPSHOT_AT (16u * 1024 * 1024)
#define SNAPSHOT_PER_ENTRY 256
#define LARGE_AGE_MS (6 * 3600 * 1000LL)
#define PEER_TIMEOUT (60 * 1000)

struct removal {
	struct list_node link;
	char queue_id[];
};

int64_t housekeeping_compact_every_ms = 60 * 1000;
uint64_t housekeeping_compact_min = 256 * 1024; /* dead bytes that make it worth while */

static struct list_node removals = LIST_INIT(removals);
static struct channel *to_cleanup;
static task_time last_tell, last_compact;

void housekeeping_release(struct queue_entry *entry)
{
	if (entry->envelope_flags & (QUEUE_LARGE_CONTENT | QUEUE_LARGE_RECIPIENTS)) {
		size_t len = strlen(entry->queue_id) + 1;
		struct removal *removal = memory_zalloc(1, sizeof *removal + len);
		memcpy(removal->queue_id, entry->queue_id, len);
		list_append(&removals, &removal->link);
	}
	queue_index_remove(&qmgr.index, entry);
	task_event_signal(&qmgr.housekeeping);
}

static int open_large(void)
{
	struct buf path = BUF_INIT(4096);
	buf_append_format(&path, "%s/large", qmgr.settings.queue_directory);
	int fd = open(buf_cstr(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	buf_done(&path);
	return fd;
}

/* After the commit that says the messages are done. */
static void remove_large(struct list_node *list)
{
	struct list_node *node;
	int directory = list_is_empty(list) ? -1 : open_large();
	while ((node = list_pop(list)) != NULL) {
		struct removal *removal = LIST_ENTRY(node, struct removal, link);
		int error = directory < 0 ? -ENOENT
			: large_remove(directory, span_from_cstr(removal->queue_id));
		if (error < 0 && error != -ENOENT)
			log_warning(removal->queue_id, "cannot remove the message's file: %s",
				strerror(-error));
		free(removal);
	}
	if (directory >= 0)
		close(directory);
}

struct sweep {
	int directory;
	int64_t before;
};

static void sweep_file(void *arg, struct span queue_id, int64_t modified_ms)
{
	struct sweep *sweep = arg;
	if (modified_ms < sweep->before && queue_index_get(&qmgr.index, queue_id) == NULL)
		(void)large_remove(sweep->directory, queue_id);
}

/* What a crash left of messages that were never acknowledged. A segment that cannot be read may
 * name them: then all stay. */
static void sweep_large(void)
{
	if (qmgr.index.unreadable != 0)
		return;
	struct sweep sweep = {open_large(), wall_now() - LARGE_AGE_MS};
	if (sweep.directory < 0)
		return;
	(void)large_each(sweep.directory, sweep_file, &sweep);
	close(sweep.directory);
}

static void close_peer(void)
{
	channel_free(to_cleanup);
	to_cleanup = NULL;
}

void housekeeping_close(void)
{
	struct list_node *node;
	while ((node = list_pop(&removals)) != NULL)
		free(LIST_ENTRY(node, struct removal, link));
	close_peer();
}

static bool open_peer(void)
{
	if (to_cleanup == NULL)
		to_cleanup = qmgr.peers.connect("cleanup", task_deadline(PEER_TIMEOUT));
	return to_cleanup != NULL;
}

static void forget_retired(void)
{
	for (size_t i = qmgr.index.segment_count; i-- > 0;) {
		const struct queue_segment *segment = &qmgr.index.segments[i];
		uint64_t number = segment->number;
		if (segment->live_count > 0 || queue_reader_segment_exists(qmgr.reader, number))
			continue;
		queue_reader_forget(qmgr.reader, number);
		queue_index_forget_segment(&qmgr.index, number);
	}
}

static void tell_released(bool again)
{
	bool told = false;
	for (size_t i = 0; i < qmgr.index.segment_count; i++) {
		struct queue_segment *segment = &qmgr.index.segments[i];
		if (segment->live_count > 0 || segment->dead_bytes == 0 || (segment->told && !again))
			continue;
		if (!open_peer())
			return;
		/* open_peer may have waited */
		if (i >= qmgr.index.segment_count)
			break;
		segment = &qmgr.index.segments[i];
		struct queue_released released = {segment->number, segment->dead_bytes,
			segment->live_count == 0};
		segment->told = true;
		told = true;
		if (channel_send(to_cleanup, &queue_released_type, &released) < 0) {
			close_peer();
			return;
		}
	}
	if (told && channel_flush(to_cleanup, task_deadline(PEER_TIMEOUT)) < 0)
		close_peer();
}

struct candidates {
	uint64_t segment;
	struct queue_position places[QUEUE_COMPACT_MAX];
	size_t count;
	bool busy;
};

static bool collect(struct span key, void *value, void *arg)
{
	(void)key;
	struct candidates *candidates = arg;
	struct queue_entry *entry = value;
	if (entry->position.segment != candidates->segment)
		return true;
	/* Its bytes may be being read. */
	candidates->busy = candidates->busy || entry->owner != NULL;
	if (candidates->busy || candidates->count == QUEUE_COMPACT_MAX)
		return !candidates->busy;
	candidates->places[candidates->count++] = entry->position;
	return true;
}

/* The copies are met by the same scan that finds new mail: nothing before them may
 * be passed over. */
static void moved(const struct queue_compacted *answer)
{
	for (size_t i = 0; i < answer->place_count; i++)
		if (answer->places[i].length > 0)
			(void)intake_scan(answer->places[i].segment,
				answer->places[i].offset + answer->places[i].length);
}

static void compact(uint64_t segment)
{
	struct candidates *candidates = NEW(struct candidates);
	struct queue_compacted *answer;
	candidates->segment = segment;
	table_each(&qmgr.index.entries, collect, candidates);
	if (!candidates->busy && candidates->count > 0 && open_peer()) {
		struct queue_compact request = {candidates->places, candidates->count};
		int error = channel_call(to_cleanup, &queue_compact_type, &request,
			&queue_compacted_type, task_deadline(PEER_TIMEOUT), (void **)&answer);
		if (error == 0)
			moved(answer);
		else
			close_peer();
	}
	free(candidates);
}

/* One segment at a time: the oldest of whose room live records take little (most is dead, or was
 * never used because its writer ended). The newest is being written. */
static void compact_one(void)
{
	for (size_t i = 0; i + 1 < qmgr.index.segment_count; i++) {
		const struct queue_segment *segment = &qmgr.index.segments[i];
		if (segment->live_count == 0 || segment->live_count > QUEUE_COMPACT_MAX)
			continue;
		uint64_t size = queue_reader_segment_size(qmgr.reader, segment->number);
		if (segment->live_bytes * 100 >= size * (uint64_t)qmgr.settings.compact_percent)
			continue;
		compact(segment->number);
		return;
	}
}

static void snapshot(void)
{
	uint64_t limit = SNAPSHOT_AT + SNAPSHOT_PER_ENTRY * (uint64_t)qmgr.index.entries.count;
	if (ledger_log_bytes(qmgr.ledger) < limit)
		return;
	int error = ledger_snapshot_begin(qmgr.ledger);
	if (error == 0) {
		error = queue_index_snapshot(&qmgr.index, qmgr.ledger, qmgr.boot);
		if (error == 0)
			error = ledger_snapshot_commit(qmgr.ledger);
		else
			ledger_snapshot_abort(qmgr.ledger);
	}
	if (error < 0)
		log_warning(NULL, "cannot write a snapshot of the ledger: %s", strerror(-error));
}

static void tick(void)
{
	struct list_node mine = LIST_INIT(mine);
	while (!list_is_empty(&removals))
		list_append(&mine, list_pop(&removals));
	if (ledger_pending(qmgr.ledger) > 0) {
		int error = qmgr_commit();
		if (error < 0) {
			log_error(NULL, "cannot write the ledger: %s", strerror(-error));
			while (!list_is_empty(&mine))
				list_append(&removals, list_pop(&mine));
			return;
		}
	}
	remove_large(&mine);
	bool again = task_now() - last_tell >= TELL_AGAIN_MS;
	if (again)
		last_tell = task_now();
	tell_released(again);
	forget_retired();
	if (task_now() - last_compact >= housekeeping_compact_every_ms) {
		last_compact = task_now();
		compact_one();
	}
	snapshot();
}

void housekeeping_run(void *unused)
{
	(void)unused;
	last_tell = last_compact = task_now();
	sweep_large();
	while (!qmgr.stopping) {
		if (ledger_pending(qmgr.ledger) == 0 && list_is_empty(&removals) &&
			task_event_wait(&qmgr.housekeeping, task_deadline(IDLE_MS)) == -ECANCELED)
			return;
		if (task_sleep(GATHER_MS) < 0 || qmgr.stopping)
			return;
		qmgr.ledger_users++;
		tick();
		qmgr.ledger_users--;
	}
}
