/* tambo-uidl: POP3 unique ids that messages had under another server, lines "UID UIDL".
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_UIDL_PRIVATE_H
#define TAMBO_STORE_UIDL_PRIVATE_H

#include "base/buf.h"
#include "base/table.h"

#define UIDL_FILE "tambo-uidl"
#define UIDL_FILE_MAX (64UL * 1024 * 1024)
#define UIDL_LEN_MAX 70 /* RFC 1939 section 7 */

/* Appends a line; an id that is no UIDL is left out. */
void uidl_format(uint32_t uid, struct span uidl, struct buf *out);
/* Fills table (4 bytes of UID -> char *, to be freed). Pure. */
void uidl_parse(struct span text, struct table *uidls);

#endif
