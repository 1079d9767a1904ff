/* The content of a message that comes in: in memory, or, above journal_inline_limit, in its own
 * file large/<queue id>, which is written in few large pieces.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CLEANUP_CONTENT_H
#define TAMBO_CLEANUP_CONTENT_H

#include "queue/large.h"

struct content {
	struct buf bytes;       /* all of it, or what has not yet gone to the file */
	struct large_file file;
	uint64_t size, limit;   /* limit: 0 for none */
	const char *queue_id;   /* borrowed */
	int error;              /* the first: 0, -EFBIG (limit) or of the file */
	bool is_roomy;          /* one of the few that may gather more before the file */
};

void content_init(struct content *content, const char *queue_id, uint64_t limit);
void content_done(struct content *content); /* removes a file that was not committed */
/* Appends; errors are kept. May yield. */
void content_write(struct content *content, struct span bytes);
void content_write_cstr(struct content *content, const char *text);
/* Where more content may be put directly, behind what is there (room: buf->cap); content_took takes
 * what has been put there. */
struct buf *content_room(struct content *content);
void content_took(struct content *content, size_t count);
/* Fills size and flags of the envelope; a file is committed. *ret_inline: what goes into the
 * record. */
int content_finish(struct content *content, struct queue_envelope *envelope,
	struct span *ret_inline);

#endif
