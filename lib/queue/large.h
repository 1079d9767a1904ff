/* Files of their own for what is too large for the journal: large/<queue id> holds the content of
 * one message and nothing else (its descriptor is given to delivery agents), large/<queue id>.rcpt
 * its recipients as RECORD_RECIPIENTS records, when they are many.
 *
 * DURABLE: both are flushed, and the directory is, before the record that refers to them is
 * appended. A file without a record is what a crash left of a message that was never acknowledged.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_LARGE_H
#define TAMBO_QUEUE_LARGE_H

#include "base/buf.h"
#include "queue/queue_id.h"
#include "queue/envelope.h"
#include "queue/record.h"

struct large_file {
	int fd; /* -1: none */
	int directory;
	uint64_t size;
	char name[QUEUE_ID_MAX + 8];
};

#define LARGE_FILE_NONE ((struct large_file){.fd = -1, .directory = -1})

/* Creates large/<id> or, with recipients, large/<id>.rcpt; -EEXIST when there is one. */
int large_create(int directory, const char *queue_id, bool recipients, struct large_file *ret_file);
/* Yields (the write is done in the thread pool). */
int large_write(struct large_file *file, struct span bytes);
/* Writes the last bytes, if any, flushes the file and the directory, closes. On failure the file is
 * removed. Yields. */
int large_finish(struct large_file *file, struct span last);
/* Closes and removes what was not finished; harmless when there is none. */
void large_abort(struct large_file *file);

/* Removes both files of a message whose record is dead; those that are not there do not matter.
 * 0 or -errno. Does not flush the directory: what a crash brings back is swept at the next start.
 */
int large_remove(int directory, struct span queue_id);
/* Calls visit with each queue id that has a file in large/ (twice, if it has two). For the sweep at
 * start: a file whose id has no record, and which is older than the oldest unfinished intake, goes.
 */
int large_each(int directory, void (*visit)(void *arg, struct span queue_id, int64_t modified_ms),
	void *arg);

/* Collects the recipients of one message: in memory up to QUEUE_RECIPIENTS_INLINE_MAX, then in the
 * file. */
struct recipient_list {
	struct buf run;          /* encoded: all of them, or the run not yet written */
	uint32_t count;
	uint64_t epoch;          /* of the file */
	uint32_t run_count;
	struct large_file file;
	int directory;
	const char *queue_id;    /* borrowed */
};

void recipient_list_init(struct recipient_list *list, int directory, const char *queue_id);
void recipient_list_done(struct recipient_list *list); /* removes a file not committed */
/* 0, -EMSGSIZE (a limit of record.h), or -errno of the file. May yield. */
int recipient_list_add(struct recipient_list *list, const struct queue_recipient *recipient);
/* Fills recipient_count, recipients, recipients_epoch and the flag of the envelope; a file is
 * committed. May yield. */
int recipient_list_finish(struct recipient_list *list, struct queue_envelope *envelope);

#endif
