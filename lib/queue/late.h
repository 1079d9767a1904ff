/* Deliveries that outlive their queue manager: when it is replaced while some are under way, it
 * goes on with them without the ledger, which its successor has. Which they are, and what becomes
 * of them, stands in ledger/<random>.late: first LEDGER_MARK for recipients that are under way,
 * then their outcomes. The writer holds a flock on it for as long as it lives: when that is free,
 * what has no outcome is to be delivered again.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_LATE_H
#define TAMBO_QUEUE_LATE_H

#include <stddef.h>

#include "queue/ledger.h"

struct late_log;

/* 0 or -errno. */
int late_log_create(const char *queue_directory, struct late_log **ret_log);
/* Adds an entry to what late_log_commit writes. */
void late_log_append(struct late_log *log, const struct ledger_entry *entry);
/* DURABLE: 0 when what was appended before is on disk; otherwise it is kept for the next call.
 * Yields. */
int late_log_commit(struct late_log *log);
void late_log_close(struct late_log *log); /* NULL is allowed */

struct late_reader;

/* All there are, or NULL and 0; also those that can only be set aside. 0 or -errno. */
int late_readers_open(
	const char *queue_directory, struct late_reader ***ret_readers, size_t *ret_count);
/* Gives each entry that was not given before to visit. 1: the writer has ended, and this was all;
 * 0: it lives; or -errno. Blocks briefly. */
int late_reader_read(struct late_reader *reader,
	void (*visit)(void *arg, const struct ledger_entry *entry), void *arg);
/* Removes the file: everything in it stands in the ledger. */
void late_reader_remove(struct late_reader *reader);
/* Moves the file to corrupt/: it cannot be read. What only it says is not known any more: its
 * recipients are delivered again. 0 or -errno. */
int late_reader_set_aside(struct late_reader *reader, const char *queue_directory);
const char *late_reader_name(const struct late_reader *reader);
void late_reader_close(struct late_reader *reader);

#endif
