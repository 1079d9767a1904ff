/* Between the files of lib/account.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_ACCOUNT_ACCOUNT_PRIVATE_H
#define TAMBO_ACCOUNT_ACCOUNT_PRIVATE_H

#include "account/account.h"

/* Absolute, no "..", no NUL. */
bool account_path_is_safe(struct span path);
/* Sets mailbox and maildir from a path whose trailing '/' means Maildir; false: not safe. */
bool account_set_mailbox(struct account *account, struct span path);
/* The path (with '/' for a Maildir) of a userdb_mail= value; false: not of a kind we have. */
bool account_parse_location(struct span location, struct span home, struct buf *out);

#endif
