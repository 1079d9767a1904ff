/* Message flags (RFC 3501 2.3.2): the system flags as bits, keywords by name.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAP_FLAG_H
#define TAMBO_IMAP_FLAG_H

#include "base/buf.h"
#include "imap/parser.h"

enum imap_flag {
	IMAP_FLAG_SEEN = 1,
	IMAP_FLAG_ANSWERED = 2,
	IMAP_FLAG_FLAGGED = 4,
	IMAP_FLAG_DELETED = 8,
	IMAP_FLAG_DRAFT = 16,
	IMAP_FLAG_RECENT = 32, /* never set by a client */
};

#define IMAP_KEYWORD_LENGTH_MAX 250
#define IMAP_KEYWORDS_MAX 100 /* in one list */

struct imap_flags {
	unsigned system; /* enum imap_flag */
	struct span *keywords;
	size_t keyword_count;
};

/* "(" flags ")"; the list may be empty. \Recent and \* are refused, unknown \Flags too. */
bool imap_parse_flag_list(struct imap_parser *parser, struct imap_flags *ret_flags);
/* STORE also takes the flags without parentheses. */
bool imap_parse_store_flags(struct imap_parser *parser, struct imap_flags *ret_flags);

/* "\Seen \Deleted" in a fixed order, no parentheses. */
void imap_flag_write(unsigned system, struct buf *out);

#endif
