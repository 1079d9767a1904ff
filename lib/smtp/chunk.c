/* See chunk.h. SPDX-License-Identifier: ISC */
#include "smtp/chunk.h"

enum smtp_chunk_result smtp_chunk_parse(struct span arguments, struct smtp_chunk *ret_chunk)
{
	struct span rest = arguments, size, last = SPAN_EMPTY, more;
	struct smtp_chunk chunk = {0};

	if (!span_token(&rest, " \t", &size) || !span_to_u64(size, INT64_MAX, &chunk.size))
		return SMTP_CHUNK_SYNTAX;
	chunk.last = span_token(&rest, " \t", &last);
	if (chunk.last && !span_equal_nocase(last, SPAN("LAST")))
		return SMTP_CHUNK_SYNTAX;
	if (span_token(&rest, " \t", &more))
		return SMTP_CHUNK_SYNTAX;
	if (chunk.size == 0 && !chunk.last)
		return SMTP_CHUNK_NULL;
	chunk.remaining = chunk.size;
	*ret_chunk = chunk;
	return SMTP_CHUNK_OK;
}

struct span smtp_chunk_take(struct smtp_chunk *chunk, struct span input)
{
	size_t len = chunk->remaining < input.len ? (size_t)chunk->remaining : input.len;

	chunk->remaining -= len;
	return span_head(input, len);
}
