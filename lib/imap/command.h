/* IMAP commands: tag and name, and the arguments that are more than a string or a set (RFC 3501
 * section 6 and 9; RFC 2971 ID; RFC 5161 ENABLE; RFC 6154 and 5258, the part of LIST that
 * SPECIAL-USE needs; RFC 7162 STORE and SELECT parameters). FETCH and SEARCH have their own files.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAP_COMMAND_H
#define TAMBO_IMAP_COMMAND_H

#include "imap/flag.h"
#include "imap/sequence_set.h"

/* "tag SP name", with "UID name" as one: sets *ret_uid. The cursor stands behind the name. *ret_tag
 * is set to "" when not even a tag was found. */
bool imap_parse_command(
	struct imap_parser *parser, struct span *ret_tag, struct span *ret_name, bool *ret_uid);

enum imap_store_operation { IMAP_STORE_SET, IMAP_STORE_ADD, IMAP_STORE_REMOVE };

struct imap_store {
	struct imap_set set;
	enum imap_store_operation operation;
	bool silent;
	bool unchanged_since_given;
	uint64_t unchanged_since;
	struct imap_flags flags;
};

/* set [(UNCHANGEDSINCE n)] [+-]FLAGS[.SILENT] flags, up to the end. */
bool imap_parse_store(struct imap_parser *parser, struct imap_store *ret_store);

enum imap_status_item {
	IMAP_STATUS_MESSAGES = 1,
	IMAP_STATUS_RECENT = 2,
	IMAP_STATUS_UIDNEXT = 4,
	IMAP_STATUS_UIDVALIDITY = 8,
	IMAP_STATUS_UNSEEN = 16,
	IMAP_STATUS_HIGHESTMODSEQ = 32,
};
/* "(" items ")", up to the end. */
bool imap_parse_status_items(struct imap_parser *parser, unsigned *ret_items);

struct imap_select {
	struct span mailbox;
	bool condstore;
};
/* mailbox [(CONDSTORE)], up to the end. */
bool imap_parse_select(struct imap_parser *parser, struct imap_select *ret_select);

enum imap_list_option {
	IMAP_LIST_SELECT_SUBSCRIBED = 1,
	IMAP_LIST_SELECT_SPECIAL_USE = 2,
	IMAP_LIST_SELECT_RECURSIVE = 4,
	IMAP_LIST_RETURN_SUBSCRIBED = 8,
	IMAP_LIST_RETURN_CHILDREN = 16,
	IMAP_LIST_RETURN_SPECIAL_USE = 32,
	IMAP_LIST_EXTENDED = 64, /* some part of the extended syntax was used */
};

#define IMAP_LIST_PATTERNS_MAX 50

struct imap_list {
	unsigned options;
	struct span reference;
	struct span *patterns;
	size_t pattern_count;
};
/* [selection options] reference patterns [RETURN options], up to the end. */
bool imap_parse_list(struct imap_parser *parser, struct imap_list *ret_list);

#define IMAP_ID_PAIRS_MAX 30
#define IMAP_ID_KEY_MAX 30
#define IMAP_ID_VALUE_MAX 1024

/* NIL or a list of pairs, up to the end; appends `name=value, name=value` for the log. */
bool imap_parse_id(struct imap_parser *parser, struct buf *out);

struct imap_append {
	struct span mailbox;
	struct imap_flags flags;
	bool has_date;
	int64_t date;
};
/* mailbox [flags] [date-time], up to the message's "{n}", which is not taken. */
bool imap_parse_append(struct imap_parser *parser, struct imap_append *ret_append);

#endif
