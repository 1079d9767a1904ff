/* Searching the decoded text of one message: header fields with their encoded words, text parts
 * with their transfer encoding and charset undone. Needles are folded (mail/fold.h). A message that
 * cannot be read matches nothing, and error tells.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAPD_SEARCH_TEXT_H
#define TAMBO_IMAPD_SEARCH_TEXT_H

#include "imapd/content.h"

struct search_text {
	struct content content;
	struct buf header; /* of the message, whole, once it was needed */
	int error;         /* -errno: something could not be read now, the answer may be wrong */
};

void search_text_init(struct search_text *text, struct session *session, uint32_t uid);
void search_text_done(struct search_text *text);

/* Some field of that name holds the needle; an empty needle: the field is there. */
bool search_text_header(struct search_text *text, struct span name, struct span needle);
bool search_text_any_header(struct search_text *text, struct span needle);
/* Some text part, or the header of a message inside (of any part), holds the needle. */
bool search_text_body(struct search_text *text, struct span needle, bool with_part_headers);

#endif
