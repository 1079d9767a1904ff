/* tambo-mailbox, the small durable file of each mailbox: UIDVALIDITY, the UIDNEXT mark, a mark for
 * modification sequences, the names of keywords. Parsing and formatting are pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_RECORD_PRIVATE_H
#define TAMBO_STORE_RECORD_PRIVATE_H

#include "base/table.h"
#include "store/store.h"

#define RECORD_FILE "tambo-mailbox"
#define RECORD_SIZE_MAX (256 * 1024)

struct record {
	uint32_t uidvalidity;  /* 0: not known */
	/* INVARIANT: no UID at or above it was ever given to a message that anyone could see. */
	uint32_t uidnext_mark;
	uint64_t modseq_mark;
	char **keywords;       /* by number; NULL where none has that number */
	size_t keyword_count;
};

void record_init(struct record *record);
void record_done(struct record *record);
/* False: torn or foreign; *ret_record is unchanged. */
bool record_parse(struct span text, struct record *ret_record);
void record_format(const struct record *record, struct buf *out);
/* Number of the keyword (any case), or SIZE_MAX. */
size_t record_keyword_find(const struct record *record, struct span name);
/* Gives it the lowest free number; SIZE_MAX when there is no room. */
size_t record_keyword_add(struct record *record, struct span name);
/* Puts it at this very number (takeover); false when the number is taken or too large. */
bool record_keyword_put(struct record *record, size_t number, struct span name);
/* May this be an IMAP keyword? (RFC 3501 flag-keyword, at most STORE_KEYWORD_LEN bytes) */
bool record_keyword_is_valid(struct span name);

#endif
