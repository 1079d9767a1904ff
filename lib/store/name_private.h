/* Mailbox names: IMAP's "A/B" and the folder ".A.B" of Maildir++. Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_NAME_PRIVATE_H
#define TAMBO_STORE_NAME_PRIVATE_H

#include "store/store.h"

/* Appends the folder's name: "" for INBOX, ".A.B" otherwise. False: not a valid name. */
bool name_to_folder(struct span name, struct buf *ret_folder);
/* Appends the IMAP name of a folder; false when it is no mailbox of ours ("..", bad bytes). */
bool name_from_folder(struct span folder, struct buf *ret_name);
enum store_use name_use(struct span name);

#endif
