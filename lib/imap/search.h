/* What SEARCH asks for (RFC 3501 6.4.4, RFC 7162 3.1.5): a tree of keys, bounded in depth and
 * number.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAP_SEARCH_H
#define TAMBO_IMAP_SEARCH_H

#include "imap/flag.h"
#include "imap/sequence_set.h"

#define IMAP_SEARCH_DEPTH_MAX 50
#define IMAP_SEARCH_KEYS_MAX 1000

enum imap_search_kind {
	IMAP_SEARCH_ALL,
	IMAP_SEARCH_AND,      /* of children, at least one */
	IMAP_SEARCH_OR,	      /* of two children */
	IMAP_SEARCH_NOT,      /* of one child */
	IMAP_SEARCH_SEQUENCE, /* set: not yet resolved */
	IMAP_SEARCH_UID,
	IMAP_SEARCH_FLAG,    /* all bits of flags are set */
	IMAP_SEARCH_KEYWORD, /* text */
	IMAP_SEARCH_BEFORE,
	IMAP_SEARCH_ON,
	IMAP_SEARCH_SINCE, /* internal date; day */
	IMAP_SEARCH_SENT_BEFORE,
	IMAP_SEARCH_SENT_ON,
	IMAP_SEARCH_SENT_SINCE,
	IMAP_SEARCH_LARGER,
	IMAP_SEARCH_SMALLER, /* number */
	IMAP_SEARCH_HEADER,  /* name, text; an empty text: the field is there */
	IMAP_SEARCH_BODY,    /* text */
	IMAP_SEARCH_TEXT,
	IMAP_SEARCH_MODSEQ, /* number: this or greater */
};

struct imap_search_key {
	enum imap_search_kind kind;
	struct imap_search_key *child; /* the first */
	struct imap_search_key *next;  /* sibling */
	struct imap_set set;
	unsigned flags;
	int64_t day;
	uint64_t number;
	struct span name, text;
};

struct imap_search {
	struct imap_search_key *root; /* IMAP_SEARCH_AND of what was asked */
	struct span charset;	      /* as given; "" for none */
	bool modseq;		      /* some key is MODSEQ: the answer tells the highest */
};

/* [CHARSET x] keys, up to the end. */
bool imap_parse_search(struct imap_parser *parser, struct imap_search *ret_search);

#endif
