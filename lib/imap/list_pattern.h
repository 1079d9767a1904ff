/* Mailbox patterns of LIST and LSUB (RFC 3501 6.3.8): "*" matches anything, "%" anything without
 * the separator. The time is bounded by pattern length times name length.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAP_LIST_PATTERN_H
#define TAMBO_IMAP_LIST_PATTERN_H

#include "base/span.h"

enum imap_list_match {
	IMAP_LIST_NO,
	IMAP_LIST_PARENT, /* a name below this one may match */
	IMAP_LIST_YES,
};

#define IMAP_LIST_PATTERN_MAX 1024

/* INBOX as the first level of both is compared without case. A pattern longer than the limit
 * matches nothing. */
enum imap_list_match imap_list_match(struct span pattern, struct span name, char separator);

#endif
