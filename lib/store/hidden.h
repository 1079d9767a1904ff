/* Folders that no IMAP name leads to: Dovecot can be told to write names in UTF-8 where Maildir++
 * has modified UTF-7 (RFC 3501 5.1.3). Their mail is safe, and nobody sees it.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_HIDDEN_H
#define TAMBO_STORE_HIDDEN_H

#include "store/store.h"

/* Tells each such folder that holds a Maildir, with the name that it gets (rename) or would get;
 * empty: there is none for it. error: 0, or why it was not renamed (-EEXIST: one of that name is
 * there). 0 or -errno. */
int store_hidden(struct store *store, bool rename,
	void (*tell)(const char *folder, struct span name, int error));

#endif
