/* What one parse of a message gives, as one value of the index: ENVELOPE, BODYSTRUCTURE ... ready
 * to send. Pure, but for cache_build_file.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_CACHE_PRIVATE_H
#define TAMBO_STORE_CACHE_PRIVATE_H

#include "store/mailbox.h"

#define CACHE_SIZE_MAX (4UL << 20) /* a message that needs more is cut in structure and headers */

/* Parses message (LF or CRLF) and appends the value; *ret_crlf_size (NULL: not wanted) is the size
 * of the whole message with CRLF line ends. False when it does not fit: nothing appended. */
bool cache_build(struct span message, struct buf *ret_value, uint64_t *ret_crlf_size);
/* The same for the message in a file, which is mapped: its bytes are the system's to drop, however
 * many there are. False also when the file becomes shorter meanwhile. */
bool cache_build_file(int fd, uint64_t size, struct buf *ret_value);
/* The piece of that kind; false when value is not one of ours. */
bool cache_get(struct span value, enum message_cache kind, struct span *ret_piece);

#endif
