/* The right hand side of aliases(5), the content of :include: and .forward files: a list of
 * destinations. Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_LOCAL_ALIAS_H
#define TAMBO_LOCAL_ALIAS_H

#include "base/arena.h"

#define ALIAS_TARGETS_MAX 20000 /* of one list */

enum alias_kind {
	ALIAS_ADDRESS, /* internal form; may lack a domain */
	ALIAS_DIRECT,  /* \user: straight to that mailbox */
	ALIAS_COMMAND, /* without the '|' */
	ALIAS_FILE,    /* absolute path; a trailing '/' is a Maildir */
	ALIAS_INCLUDE, /* path of :include: */
};

struct alias_target {
	enum alias_kind kind;
	struct span text; /* in the arena */
};

enum alias_result { ALIAS_OK, ALIAS_TOO_MANY, ALIAS_BAD };

/* text: items separated by commas and line ends; "quotes" keep them together, (comments) are left
 * out of addresses, a '#' at the begin of a line starts a comment to its end (lines only: is_file).
 * A continued address ("Name <a@b>") counts as the address. Items that are nothing are passed over;
 * ALIAS_BAD: an unfinished quote, or an item that no address can be made of. */
enum alias_result alias_parse(struct span text, bool is_file, struct arena *arena,
	struct alias_target **ret_targets, size_t *ret_count);

#endif
