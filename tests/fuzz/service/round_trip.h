/* What the targets of this folder ask of a message that was decoded: it encodes to the same bytes.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_FUZZ_ROUND_TRIP_H
#define TAMBO_FUZZ_ROUND_TRIP_H

#include "base/check.h"
#include "ipc/message.h"

#define HEADER_SIZE 8

/* message: decoded from payload, without descriptors. */
static inline void check_round_trip(
	const struct message_type *type, const void *message, struct span payload)
{
	struct buf out = BUF_INIT(4 * MESSAGE_SIZE_MAX);
	int fds[MESSAGE_FDS_MAX];
	size_t fd_count;
	CHECK(message_encode(type, message, &out, fds, &fd_count) == 0);
	CHECK(fd_count == 0);
	CHECK(span_equal(span_skip(buf_span(&out), HEADER_SIZE), payload));
	buf_done(&out);
}

#endif
