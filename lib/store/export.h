/* Handing a Maildir back to Dovecot: its UID list and keyword names, made from what we know.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_EXPORT_H
#define TAMBO_STORE_EXPORT_H

#include "store/store.h"

/* Writes dovecot-uidlist (version 3) and dovecot-keywords of one mailbox; POP3 unique ids go along.
 * Keywords beyond 26 have no place there: *ret_left_out (may be NULL) says how many messages have
 * any. Nothing else may use the mailbox meanwhile. */
int store_export_dovecot(struct store *store, struct span mailbox, size_t *ret_left_out);

#endif
