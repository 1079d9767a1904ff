/* See writer.h. The task that finds no commit under way becomes the leader: it takes what waits (as
 * much as fits into the segment), has it written and flushed by the pool, wakes the others, and
 * goes on until its own record is done; then the next waiting task leads.
 * SPDX-License-Identifier: ISC */
#include "queue/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/list.h"
#include "base/memory.h"
#include "queue/io_private.h"
#include "queue/reader.h"
#include "task/task.h"

#define BATCH_RECORDS 250 /* four vectors each: below IOV_MAX */
#define BATCH_BYTES (8u * 1024 * 1024)
#define ENVELOPE_MAX (QUEUE_RECIPIENTS_INLINE_MAX + 20 * (QUEUE_ATTRIBUTE_MAX + 4) + 64)
#define NAP_US 2000
#define LONE_COMMITS 16

struct entry {
	struct list_node node;
	struct span queue_id, head, rest;
	bool moved; /* a copy: nobody is told */
	unsigned char header[RECORD_HEADER_SIZE];
	struct queue_position position;
	size_t size;
	bool done;
	int result;
};

/* A segment that this process has written to, until it is retired. */
struct written {
	uint64_t number;
	uint64_t bytes; /* of committed records */
	uint64_t dead;	/* as qmgr said last */
};

struct queue_writer {
	int journal, large;
	struct queue_reader *reader; /* for copies and for measuring */
	uint64_t segment_size;
	struct segment segment;
	uint64_t offset; /* where the next record goes */
	struct list_node pending;
	bool committing;
	unsigned lone_commits; /* the last ones, one record each, that nobody else waited for */
	struct task_event changed;
	struct queue_id_source ids;
	struct written *written;
	size_t written_count;
	struct queue_writer_options options;
};

int queue_writer_open(const struct queue_writer_options *options, struct queue_writer **ret_writer)
{
	struct queue_reader *reader;
	int error = queue_reader_open(options->queue_directory, &reader);
	if (error != 0)
		return error;
	int journal = queue_io_open_directory(options->queue_directory, "journal");
	int large = queue_io_open_directory(options->queue_directory, "large");
	if (journal < 0 || large < 0) {
		queue_reader_close(reader);
		if (journal >= 0)
			close(journal);
		if (large >= 0)
			close(large);
		return journal < 0 ? journal : large;
	}
	segment_sweep(journal);
	struct queue_writer *writer = NEW(struct queue_writer);
	writer->journal = journal;
	writer->large = large;
	writer->reader = reader;
	writer->segment_size =
		options->segment_size == 0 ? SEGMENT_SIZE_DEFAULT : options->segment_size;
	writer->segment.fd = -1;
	writer->ids.long_ids = options->long_ids;
	writer->options = *options;
	writer->options.queue_directory = NULL;
	if (writer->options.spare_segments == 0)
		writer->options.spare_segments = SEGMENT_SPARES_DEFAULT;
	list_init(&writer->pending);
	task_event_init(&writer->changed);
	*ret_writer = writer;
	return 0;
}

void queue_writer_close(struct queue_writer *writer)
{
	if (writer == NULL)
		return;
	CHECK(!writer->committing && list_is_empty(&writer->pending));
	segment_close(&writer->segment);
	queue_reader_close(writer->reader);
	close(writer->journal);
	close(writer->large);
	free(writer->written);
	free(writer);
}

int queue_writer_large_directory(const struct queue_writer *writer)
{
	return writer->large;
}

uint64_t queue_writer_segment(const struct queue_writer *writer)
{
	return writer->segment.fd < 0 ? 0 : writer->segment.number;
}

static struct written *find_written(struct queue_writer *writer, uint64_t number)
{
	for (size_t i = 0; i < writer->written_count; i++)
		if (writer->written[i].number == number)
			return &writer->written[i];
	return NULL;
}

static struct written *add_written(struct queue_writer *writer, uint64_t number, uint64_t bytes)
{
	writer->written =
		memory_resize(writer->written, writer->written_count + 1, sizeof *writer->written);
	struct written *written = &writer->written[writer->written_count++];
	*written = (struct written){.number = number, .bytes = bytes};
	return written;
}

static void forget_written(struct queue_writer *writer, struct written *written)
{
	*written = writer->written[--writer->written_count];
}

struct retire_job {
	int journal;
	size_t spares;
	uint64_t number;
	int result;
};

static void retire_offloaded(void *arg)
{
	struct retire_job *job = arg;
	job->result = segment_retire(job->journal, job->number, job->spares);
}

static int retire(struct queue_writer *writer, uint64_t number)
{
	struct retire_job job = {.journal = writer->journal,
		.number = number,
		.spares = writer->options.spare_segments};
	queue_reader_forget(writer->reader, number);
	task_offload(retire_offloaded, &job);
	if (job.result == -EBUSY)
		return 0;
	if (job.result != 0 && job.result != -ENOENT)
		return job.result;
	struct written *written = find_written(writer, number); /* the table may have moved */
	if (written != NULL)
		forget_written(writer, written);
	return 1;
}

/* Bytes of whole records in a segment of an earlier process. */
static bool add_length(
	void *arg, const struct queue_position *position, const struct queue_envelope *envelope)
{
	(void)envelope;
	*(uint64_t *)arg += position->length;
	return true;
}

int queue_writer_released(struct queue_writer *writer, uint64_t segment, uint64_t dead_bytes)
{
	struct written *written = find_written(writer, segment);
	if (written == NULL) {
		uint64_t bytes = 0, end;
		if (!segment_exists(writer->journal, segment))
			return 1;
		if (segment_is_written(writer->journal, segment))
			return 0;
		const struct queue_scan wanted = {
			.segment = segment, .visit = add_length, .arg = &bytes};
		int error = queue_reader_scan(writer->reader, &wanted, &end);
		if (error != 0 && error != -EBADMSG)
			return error == -ENOENT ? 1 : error;
		written = find_written(writer, segment);
		if (written == NULL)
			written = add_written(writer, segment, bytes);
	}
	written->dead = dead_bytes;
	if (dead_bytes < written->bytes || segment == queue_writer_segment(writer))
		return 0;
	return retire(writer, segment);
}

/* A spare is made ahead of time, by a task that outlives the writer if it must. */
struct spare_job {
	int journal;
	uint64_t size;
};

static void spare_offloaded(void *arg)
{
	struct spare_job *job = arg;
	segment_prepare_spare(job->journal, job->size);
}

static void spare_task(void *arg)
{
	struct spare_job *job = arg;
	task_offload(spare_offloaded, job);
	close(job->journal);
	free(job);
}

static void start_spare(struct queue_writer *writer)
{
	if (task_self() == NULL)
		return;
	struct spare_job *job = NEW(struct spare_job);
	job->journal = fcntl(writer->journal, F_DUPFD_CLOEXEC, 0);
	job->size = writer->segment_size;
	if (job->journal >= 0 && task_spawn("journal spare", spare_task, job, 0) != NULL)
		return;
	if (job->journal >= 0)
		close(job->journal);
	free(job);
}

struct create_job {
	int journal;
	uint64_t size;
	struct segment segment;
	int result;
};

static void create_offloaded(void *arg)
{
	struct create_job *job = arg;
	job->result = segment_create(job->journal, job->size, &job->segment);
}

/* By the leader. What was all dead before it was full goes now. */
static int next_segment(struct queue_writer *writer)
{
	uint64_t last = queue_writer_segment(writer);
	segment_close(&writer->segment);
	struct written *written = last == 0 ? NULL : find_written(writer, last);
	if (written != NULL && written->dead >= written->bytes)
		retire(writer, last);
	struct create_job job = {.journal = writer->journal, .size = writer->segment_size};
	task_offload(create_offloaded, &job);
	if (job.result != 0)
		return job.result;
	writer->segment = job.segment;
	writer->offset = SEGMENT_HEADER_SIZE;
	add_written(writer, job.segment.number, 0);
	queue_id_lease(&writer->ids, job.segment.number);
	start_spare(writer);
	return 0;
}

struct batch {
	struct entry *entries[BATCH_RECORDS];
	size_t count, bytes;
	struct segment segment;
	uint64_t offset;
	int result;
};

static void write_offloaded(void *arg)
{
	static const char zeros[8];
	struct batch *batch = arg;
	struct iovec vectors[BATCH_RECORDS * 4];
	size_t n = 0;
	for (size_t i = 0; i < batch->count; i++) {
		struct entry *entry = batch->entries[i];
		struct span parts[] = {{(const char *)entry->header, RECORD_HEADER_SIZE},
			entry->head, entry->rest,
			{zeros, entry->size - RECORD_HEADER_SIZE - entry->head.len -
					entry->rest.len}};
		record_header_encode(RECORD_MESSAGE, batch->segment.epoch, entry->head, entry->rest,
			entry->header);
		for (size_t k = 0; k < ARRAY_LEN(parts); k++)
			if (parts[k].len > 0)
				vectors[n++] = (struct iovec){
					(void *)(uintptr_t)parts[k].ptr, parts[k].len};
	}
	batch->result = queue_io_writev_at(batch->segment.fd, vectors, n, batch->offset);
	/* DURABLE: what this flush covers may be acknowledged. */
	if (batch->result == 0)
		batch->result = queue_io_fdatasync(batch->segment.fd);
	if (batch->result == 0)
		return;
	/* None of it counts. What can still be wiped is wiped, so that nothing unacknowledged comes
	 * back. */
	queue_io_zero(batch->segment.fd, batch->offset, batch->offset + batch->bytes);
	queue_io_fdatasync(batch->segment.fd);
}

static void finish_entry(struct entry *entry, int result)
{
	list_remove(&entry->node);
	entry->result = result;
	entry->done = true;
}

static void fill_batch(struct queue_writer *writer, struct batch *batch)
{
	batch->segment = writer->segment;
	batch->offset = writer->offset;
	LIST_FOREACH (node, &writer->pending) {
		struct entry *entry = LIST_ENTRY(node, struct entry, node);
		if (batch->count == BATCH_RECORDS || batch->bytes + entry->size > BATCH_BYTES ||
			writer->offset + batch->bytes + entry->size > writer->segment.size)
			break;
		entry->position = (struct queue_position){.segment = writer->segment.number,
			.offset = writer->offset + batch->bytes,
			.length = entry->size};
		batch->entries[batch->count++] = entry;
		batch->bytes += entry->size;
	}
}

static void finish_batch(struct queue_writer *writer, struct batch *batch)
{
	struct written *written = find_written(writer, batch->segment.number);
	if (batch->result == 0) {
		CHECK(written != NULL);
		writer->offset += batch->bytes;
		written->bytes += batch->bytes;
	} else {
		segment_close(&writer->segment);
	}
	for (size_t i = 0; i < batch->count; i++) {
		struct entry *entry = batch->entries[i];
		if (batch->result == 0 && !entry->moved && writer->options.committed != NULL)
			writer->options.committed(
				writer->options.arg, entry->queue_id, &entry->position);
		finish_entry(entry, batch->result);
	}
}

static void fail_pending(struct queue_writer *writer, int error)
{
	LIST_FOREACH (node, &writer->pending)
		finish_entry(LIST_ENTRY(node, struct entry, node), error);
}

/* Is there one record to write, and nobody else who might bring one? */
static bool is_lone(const struct queue_writer *writer)
{
	const struct queue_writer_options *options = &writer->options;
	return writer->pending.next == writer->pending.prev && options->alone != NULL &&
		options->alone(options->arg);
}

/* After a row of commits that nobody else waited for, the way through the thread pool costs more
 * than writing. Whoever comes meanwhile had to wait for this flush before his own in any case. */
static void write_batch(struct queue_writer *writer, struct batch *batch)
{
	bool calm = writer->lone_commits >= LONE_COMMITS && is_lone(writer);
	if (calm)
		(void)task_yield(); /* who is there already comes along */
	fill_batch(writer, batch);
	if (calm && is_lone(writer))
		write_offloaded(batch);
	else
		task_offload(write_offloaded, batch);
	writer->lone_commits = is_lone(writer) ? writer->lone_commits + 1 : 0;
	finish_batch(writer, batch);
}

/* By the leader: writes what waits, once. */
static void commit_once(struct queue_writer *writer)
{
	struct entry *first = LIST_ENTRY(writer->pending.next, struct entry, node);
	if (writer->segment.fd < 0 || writer->offset + first->size > writer->segment.size) {
		int error = next_segment(writer);
		if (error != 0) {
			fail_pending(writer, error);
			return;
		}
		if (writer->offset + first->size > writer->segment.size) {
			finish_entry(first, -EMSGSIZE);
			return;
		}
	}
	struct batch *batch = NEW(struct batch);
	write_batch(writer, batch);
	free(batch);
}

static void nap_offloaded(void *arg)
{
	(void)arg;
	nanosleep(&(struct timespec){.tv_nsec = NAP_US * 1000}, NULL);
}

/* Waits for the leader. A cancelled task must wait too: its record is being written. */
static void wait_for_leader(struct queue_writer *writer)
{
	CHECK(task_self() != NULL);
	if (task_event_wait(&writer->changed, TASK_FOREVER) != 0)
		task_offload(nap_offloaded, NULL);
}

static int append_entry(struct queue_writer *writer, struct entry *entry)
{
	entry->size = record_size(entry->head.len + entry->rest.len);
	if (entry->head.len + entry->rest.len > RECORD_BODY_MAX)
		return -EMSGSIZE;
	list_append(&writer->pending, &entry->node);
	while (!entry->done) {
		if (writer->committing) {
			wait_for_leader(writer);
			continue;
		}
		writer->committing = true;
		commit_once(writer);
		writer->committing = false;
		task_event_signal(&writer->changed);
	}
	return entry->result;
}

int queue_writer_new_id(struct queue_writer *writer, char ret_id[QUEUE_ID_MAX])
{
	struct timespec now;
	for (;;) {
		clock_gettime(CLOCK_REALTIME, &now);
		if (queue_id_new(&writer->ids, (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000,
			    ret_id))
			return 0;
		if (writer->committing) {
			wait_for_leader(writer);
			continue;
		}
		writer->committing = true;
		int error = next_segment(writer);
		writer->committing = false;
		task_event_signal(&writer->changed);
		if (error != 0)
			return error;
	}
}

int queue_writer_append(struct queue_writer *writer, const struct queue_envelope *envelope,
	struct span content, struct queue_position *ret_position)
{
	struct buf head = BUF_INIT(ENVELOPE_MAX);
	struct entry entry = {.queue_id = envelope->queue_id, .rest = content};
	int error = -EMSGSIZE;
	CHECK((envelope->flags & QUEUE_LARGE_CONTENT) == 0 ? content.len == envelope->size
							   : content.len == 0);
	if (queue_envelope_encode(envelope, &head)) {
		entry.head = buf_span(&head);
		error = append_entry(writer, &entry);
	}
	buf_done(&head);
	if (error == 0)
		*ret_position = entry.position;
	return error;
}

int queue_writer_copy(struct queue_writer *writer, const struct queue_position *from,
	struct queue_position *ret_position)
{
	struct queue_message message = {0};
	struct buf content = BUF_INIT(RECORD_BODY_MAX), head = BUF_INIT(ENVELOPE_MAX);
	int error = queue_message_load(writer->reader, from, &message);
	if (error != 0)
		return error;
	message.envelope.flags |= QUEUE_COPIED;
	if (!queue_envelope_encode(&message.envelope, &head))
		error = -EBADMSG;
	else if ((message.envelope.flags & QUEUE_LARGE_CONTENT) == 0)
		error = queue_message_content(writer->reader, &message, &content);
	struct entry entry = {.queue_id = message.envelope.queue_id,
		.moved = true,
		.head = buf_span(&head),
		.rest = buf_span(&content)};
	if (error == 0)
		error = append_entry(writer, &entry);
	if (error == 0)
		*ret_position = entry.position;
	buf_done(&content);
	buf_done(&head);
	queue_message_done(&message);
	return error;
}
