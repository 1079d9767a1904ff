/* Does a message match what SEARCH asks for (RFC 3501 6.4.4)? What the view and the index answer is
 * asked first; the message file is opened only when nothing else decides.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAPD_SEARCH_H
#define TAMBO_IMAPD_SEARCH_H

#include "imap/search.h"
#include "imapd/session.h"

/* Resolves sets against the mailbox and folds the texts (into arena). */
void search_prepare(struct session *session, struct imap_search_key *root, struct arena *arena);
/* *ret_opened: the file had to be read, the caller should yield. *ret_error: set when something
 * could not be read now, so that the answer may be wrong. */
bool search_matches(struct session *session, size_t index, const struct imap_search_key *root,
	bool *ret_opened, int *ret_error);

#endif
