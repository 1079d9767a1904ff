/* Address lists of header fields (RFC 5322 section 3.4 and 4.4: groups, comments, display names,
 * obsolete routes and phrases). Lenient, since it reads what people send: nonsense is skipped or
 * becomes a name without a host, never a failure. Linear in the input.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAIL_ADDRESS_LIST_H
#define TAMBO_MAIL_ADDRESS_LIST_H

#include "base/arena.h"
#include "base/buf.h"

#define MAIL_COMMENT_DEPTH_MAX 64

enum address_item_kind {
	ADDRESS_MAILBOX,
	ADDRESS_GROUP_START, /* mailbox holds the group's name */
	ADDRESS_GROUP_END,
};

struct address_item {
	enum address_item_kind kind;
	bool has_name, has_route;
	struct span name;    /* display name (or, without one, the comment behind the address),
	                      * unquoted, encoded words left as they are */
	struct span route;   /* "@a,@b" */
	struct span mailbox; /* local part, unquoted */
	struct span host;    /* domain without comments and folding; "" when it is missing */
};

struct address_list {
	struct address_item *items; /* in the arena, with all that they point to */
	size_t count;
	bool truncated; /* max or the arena's cap was reached: the rest is not there */
};

/* value: a field's raw value, folded or not. max: items, group marks included. */
void address_list_parse(struct span value, size_t max, struct arena *arena,
	struct address_list *ret_list);

/* Appends one mailbox as it stands in a header: name <local@host>, quoted where needed. */
void address_item_format(const struct address_item *mailbox, struct buf *out);
/* Appends local@host in internal form (unquoted). */
void address_item_address(const struct address_item *mailbox, struct buf *out);
/* Appends a phrase: as it is when it is atoms and spaces, otherwise as a quoted string. */
void mail_phrase_quote(struct span phrase, struct buf *out);

#endif
