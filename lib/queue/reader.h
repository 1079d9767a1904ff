/* The reading end of the journal: for qmgr (by position), for its start and for commands (by
 * scanning). Read only; needs no lock; works beside a running writer.
 *
 * Bytes in the page cache are read in place; others are read in the thread pool while the task
 * sleeps, so every function marked "yields" may do so. Without a task loop they just block.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_READER_H
#define TAMBO_QUEUE_READER_H

#include "queue/envelope.h"
#include "queue/record.h"
#include "queue/segment.h"

struct queue_reader;

/* 0 or -errno. Keeps at most 32 segments open. */
int queue_reader_open(const char *queue_directory, struct queue_reader **ret_reader);
void queue_reader_close(struct queue_reader *reader);

/* Numbers of the segments there are, ascending; free() them. */
int queue_reader_segments(struct queue_reader *reader, uint64_t **ret_numbers, size_t *ret_count);
/* Closes a descriptor that is no longer wanted (the segment was retired). */
void queue_reader_forget(struct queue_reader *reader, uint64_t segment);
/* Bytes of the file; 0 when it is not there or holds nothing. */
uint64_t queue_reader_segment_size(struct queue_reader *reader, uint64_t segment);
bool queue_reader_segment_exists(struct queue_reader *reader, uint64_t segment);

struct queue_scan {
	uint64_t segment;
	uint64_t from;  /* 0: the first record; otherwise the end of a known one */
	uint64_t until; /* what begins before it is committed, not just being written; 0: not known */
	/* Answers false to stop. The envelope's spans live until it returns. */
	bool (*visit)(void *arg, const struct queue_position *position,
		const struct queue_envelope *envelope);
	/* Bytes that should hold records and do not: they were damaged, or (behind the last record)
	 * their writer was interrupted before it could acknowledge them. May be NULL. */
	void (*damaged)(void *arg, const struct queue_position *region);
	void *arg;
};
/* Visits the records of a segment in order. Checksums are checked. A record whose content is
 * damaged is visited while its envelope is whole and something follows it: reading the content will
 * say so. Other damage is passed over. The end of what is written ends the scan, and so does the
 * first record that is not whole while the segment's writer lives. *ret_end: offset behind the last
 * record visited: where a later scan of a growing segment goes on. The same queue id may occur
 * again in a higher segment (a compaction copied it): the later one counts. 0, -ENOENT, -EBADMSG
 * (not a segment: holds nothing), -EIO. Yields. */
int queue_reader_scan(
	struct queue_reader *reader, const struct queue_scan *wanted, uint64_t *ret_end);

/* One message as loaded: the envelope, checked. Its spans point into bytes. */
struct queue_message {
	struct queue_position position;
	struct queue_envelope envelope;
	uint64_t content_offset; /* in the segment; unused for large content */
	struct record_header header;
	struct buf bytes;
};

/* Reads the envelope of the record at position (its length may be 0: not known); message must be
 * zeroed or done. -EBADMSG: no whole envelope there. Yields. */
int queue_message_load(struct queue_reader *reader, const struct queue_position *position,
	struct queue_message *ret_message);
void queue_message_done(struct queue_message *message);

/* Appends the content of an inline message (at most its size, checked); -EBADMSG when its checksum
 * fails, -EINVAL when it is large, -EMSGSIZE when out is too small. Yields. */
int queue_message_content(struct queue_reader *reader, const struct queue_message *message,
	struct buf *out);
/* Appends the bytes of a record as they are on disk, whether they make sense or not (the position's
 * length must be known). 0 or -errno. Yields. */
int queue_reader_raw(struct queue_reader *reader, const struct queue_position *position,
	struct buf *out);
/* Opens the content of a large message, read only, at offset 0: fd or -errno. */
int queue_message_open_large(struct queue_reader *reader, const struct queue_message *message);
/* Appends at most max bytes of content, inline or large, from the start (headers, postcat). Yields.
 */
int queue_message_content_part(struct queue_reader *reader, const struct queue_message *message,
	uint64_t offset, size_t max, struct buf *out);

/* Where a walk over recipients stands. Zeroed: at the first. */
struct queue_cursor {
	uint32_t index;  /* of the next recipient */
	uint64_t offset; /* private: where its run begins */
	uint32_t run_index;
};

/* Visits at most limit recipients from the cursor on and moves it behind them. Works in windows:
 * memory does not grow with the number of recipients. Setting cursor->index forward (with the rest
 * as it was, or zero) skips. *ret_count: how many were visited; 0 at the end. visit answers false
 * to stop behind the recipient it was given. -EBADMSG: damaged. Yields, but not between visits of
 * the same run. */
int queue_message_recipients(struct queue_reader *reader, const struct queue_message *message,
	struct queue_cursor *cursor, size_t limit,
	bool (*visit)(void *arg, uint32_t index, const struct queue_recipient *recipient),
	void *arg, size_t *ret_count);

#endif
