/* The writing end of the journal, for cleanup alone. Many tasks append; one of them commits for all
 * that wait at that moment (group commit: one pwritev and one fdatasync, in the thread pool while
 * there is anybody else to serve).
 *
 * DURABLE: queue_writer_append answers 0 only after the record's bytes, the segment's header and
 * its name are on disk. It answers -errno when they are not: the message must not be acknowledged,
 * and the record does not count. A failed write or flush ends the segment (what was committed in it
 * before stays good, what was not is wiped as far as the disk allows); the next append starts a
 * new one, and each append tries again, so a full disk heals by itself.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_WRITER_H
#define TAMBO_QUEUE_WRITER_H

#include "queue/envelope.h"
#include "queue/queue_id.h"
#include "queue/record.h"
#include "queue/segment.h"

struct queue_writer;

struct queue_writer_options {
	const char *queue_directory;
	uint64_t segment_size; /* 0: default */
	size_t spare_segments; /* kept for use again; 0: default */
	bool long_ids;
	/* Called after each commit, in the order of positions within a segment, on the task that
	 * did the commit: must not wait. moved: the copy made by a compaction. May be NULL. */
	void (*committed)(void *arg, struct span queue_id, const struct queue_position *position);
	/* Does nobody but the one who appends have anything to do in this process? After some
	 * commits like that, they are done without the thread pool. May be NULL: no. */
	bool (*alone)(void *arg);
	void *arg;
};

/* Opens journal/ and large/ (they exist); the first segment is made by the first append or id.
 * 0 or -errno. */
int queue_writer_open(const struct queue_writer_options *options, struct queue_writer **ret_writer);
/* No append may be under way. */
void queue_writer_close(struct queue_writer *writer);

/* A queue id for a new message; makes a segment when there is none. 0 or -errno. May yield. */
int queue_writer_new_id(struct queue_writer *writer, char ret_id[QUEUE_ID_MAX]);

/* Appends one message: envelope and, unless QUEUE_LARGE_CONTENT is set, its content. The borrowed
 * bytes must stay until it returns. Yields. -EMSGSIZE: larger than a segment or a record may be. */
int queue_writer_append(struct queue_writer *writer, const struct queue_envelope *envelope,
	struct span content, struct queue_position *ret_position);
/* Copies a live record as it is to the end of the journal (compaction). The record of the same
 * queue id with the higher position counts from then on. -EBADMSG: not a whole record. Yields. */
int queue_writer_copy(struct queue_writer *writer, const struct queue_position *from,
	struct queue_position *ret_position);

/* Told by qmgr: dead_bytes of this segment's record bytes are dead. Retires the segment when that
 * is all it holds and nobody writes to it. 1: retired; 0: not yet; or -errno. Blocks briefly. */
int queue_writer_released(struct queue_writer *writer, uint64_t segment, uint64_t dead_bytes);

/* The directory descriptors, for lib/queue/large. */
int queue_writer_large_directory(const struct queue_writer *writer);
/* The segment now written to; 0: none. */
uint64_t queue_writer_segment(const struct queue_writer *writer);

#endif
