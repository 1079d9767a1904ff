/* Completion of addresses: append_at_myorigin, append_dot_mydomain, for the envelope and, in mail
 * of local origin, for header fields. A field in which nothing is missing is left byte for byte.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CLEANUP_REWRITE_H
#define TAMBO_CLEANUP_REWRITE_H

#include "base/arena.h"
#include "base/buf.h"

/* Appends the address (internal form) completed. "" stays "". */
void rewrite_address(struct span address, struct buf *out);
/* value: a field's raw value. True when something was missing: *out then has the whole field anew,
 * folded, with LF line ends. */
bool rewrite_header_field(struct span name, struct span value, struct buf *out);

#endif
