/* Sequence sets (RFC 3501 section 9, sequence-set): "2,4:7,9,12:*", in any order, overlapping.
 * A parsed set is resolved once against the largest number of the mailbox and is then sorted and
 * merged, so that membership is a binary search.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAP_SEQUENCE_SET_H
#define TAMBO_IMAP_SEQUENCE_SET_H

#include "base/buf.h"
#include "imap/parser.h"

#define IMAP_SET_RANGES_MAX 20000

/* 0 stands for "*" before the set is resolved. */
struct imap_range {
	uint32_t first, last;
};

struct imap_set {
	struct imap_range *ranges;
	size_t count;
};

bool imap_parse_set(struct imap_parser *parser, struct imap_set *ret_set);
/* Replaces "*" by largest (0: an empty mailbox; "*" then matches nothing), orders and merges. */
void imap_set_resolve(struct imap_set *set, uint32_t largest);
/* Before imap_set_resolve: the largest number in a range without "*"; 0 when there is none. A
 * client that names a message number above the mailbox's is wrong. */
uint32_t imap_set_largest(const struct imap_set *set);
/* Of a resolved set. */
bool imap_set_has(const struct imap_set *set, uint32_t number);

/* Writes ascending numbers as "1:3,5"; call for each number, then once with 0. */
struct imap_set_writer {
	struct buf *out;
	uint32_t first, last; /* the open range; 0: none */
	bool any;
};
void imap_set_write_number(struct imap_set_writer *writer, uint32_t number);

#endif
