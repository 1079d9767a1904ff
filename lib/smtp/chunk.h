/* BDAT (RFC 3030 section 2): its argument, and the account of how much of a chunk is still to come.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_CHUNK_H
#define TAMBO_SMTP_CHUNK_H

#include "base/span.h"

enum smtp_chunk_result {
	SMTP_CHUNK_OK,
	SMTP_CHUNK_SYNTAX,
	SMTP_CHUNK_NULL, /* "BDAT 0" without LAST */
};

struct smtp_chunk {
	uint64_t size;      /* as announced */
	uint64_t remaining; /* octets of this chunk that are still to be read */
	bool last;
};

/* arguments: "86" or "86 LAST", trimmed. A size above INT64_MAX is a syntax error: what follows
 * cannot be found again, so the caller has to hang up. */
enum smtp_chunk_result smtp_chunk_parse(struct span arguments, struct smtp_chunk *ret_chunk);
/* The part of input that belongs to the chunk; remaining shrinks by its length. */
struct span smtp_chunk_take(struct smtp_chunk *chunk, struct span input);

#endif
