/* The ledger's files and the coding of an entry, shared by its two ends.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_LEDGER_PRIVATE_H
#define TAMBO_QUEUE_LEDGER_PRIVATE_H

#include "base/ascii.h"
#include "base/buf.h"
#include "queue/ledger.h"

#define LEDGER_HEADER_SIZE 4096
#define LEDGER_NAME_LENGTH 40
#define LEDGER_LOG_SUFFIX ".log"
#define LEDGER_SNAPSHOT_SUFFIX ".snapshot"
#define LEDGER_NEW_LOG "new.log"
#define LEDGER_NEW_SNAPSHOT "new.snapshot"

struct ledger_header {
	uint64_t number, epoch;
	uint64_t previous_length; /* of the log before: what stands behind does not count; 0: all of
				     it */
};

void ledger_header_encode(const struct ledger_header *header,
	unsigned char ret_bytes[LEDGER_HEADER_SIZE]);
bool ledger_header_decode(struct span bytes, struct ledger_header *ret_header);

/* Appends u32 length and the entry; long texts are cut, a queue id must be valid or empty. */
void ledger_entry_encode(const struct ledger_entry *entry, struct buf *out);
/* Without the length; spans point into bytes. */
bool ledger_entry_decode(struct span bytes, struct ledger_entry *ret_entry);
/* Entries behind their lengths become records. */
void ledger_frame(struct span entries, uint64_t epoch, struct buf *out);
/* Gives every whole record of a log's bytes (without its header) to visit; damage is skipped.
 * Returns the offset behind the last one. */
size_t ledger_scan(struct span bytes, uint64_t epoch,
	void (*visit)(void *arg, const struct ledger_entry *entry), void *arg, uint64_t *count);

struct ledger_reading {
	void (*visit)(void *arg, const struct ledger_entry *entry);
	void *arg;
	uint64_t count;
	uint64_t highest;     /* number of any file */
	uint64_t last_length; /* valid bytes of the highest log; 0: there is none */
	uint64_t bytes;       /* in logs */
};

int ledger_read_directory(int directory, struct ledger_reading *reading);
void ledger_make_name(char name[LEDGER_NAME_LENGTH], uint64_t number, const char *suffix);
/* Removes logs up to number, and snapshots below it. */
void ledger_remove_older(int directory, uint64_t number);

#endif
