/* What the index keeps of a message: pieces lie where the message has them.
 * SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "store/cache_private.h"
#include "store/content.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span message = span_new(data, size), piece;
	struct buf value = BUF_INIT(1UL << 24);
	struct content_state state = {0};
	uint64_t length = content_crlf_length(&state, message), parsed_length;
	if (cache_build(message, &value, &parsed_length)) {
		CHECK(parsed_length == length);
		CHECK(cache_get(buf_span(&value), CACHE_PARTS, &piece));
		CHECK(piece.len % sizeof(struct message_part) == 0 && piece.len > 0);
		for (size_t at = 0; at < piece.len; at += sizeof(struct message_part)) {
			struct message_part part;
			memcpy(&part, piece.ptr + at, sizeof(part));
			CHECK(part.header_offset <= part.body_offset && part.body_offset <= part.end_offset
				&& part.end_offset <= length);
		}
		CHECK(cache_get(buf_span(&value), CACHE_PREVIEW, &piece));
		CHECK(span_is_utf8(piece));
	}
	/* A damaged value is refused or read within its bounds. */
	for (int kind = 0; kind < CACHE_KINDS; kind++)
		if (cache_get(message, (enum message_cache)kind, &piece))
			CHECK(piece.ptr >= message.ptr && piece.ptr + piece.len <= message.ptr + message.len);
	buf_done(&value);
	return 0;
}
