/* The header of a message that comes in, as a stream: fields are completed, dropped, counted, and
 * the missing ones added. Header and body checks get their place here: after a field is complete,
 * before it is written.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CLEANUP_HEADER_H
#define TAMBO_CLEANUP_HEADER_H

#include "cleanup/content.h"

struct header_filter {
	struct content *content;
	const char *queue_id;  /* borrowed */
	struct span sender, full_name; /* of a From: to add; borrowed */
	bool complete;         /* addresses in fields are completed */
	bool add_missing;
	int64_t arrival_ms;
	struct buf field;      /* the field that is being read */
	bool in_header, line_start, first_line_done, began;
	unsigned seen;         /* bits of the table's rows that matter */
	uint32_t hops;
	struct buf message_id; /* for the envelope and the log */
};

void header_filter_init(struct header_filter *filter, struct content *content,
	const char *queue_id);
void header_filter_done(struct header_filter *filter);
/* Content with LF line ends, in pieces of any size; behind the header it goes on unchanged. */
void header_filter_write(struct header_filter *filter, struct span bytes);
/* The end of the content: ends a header that had no end. */
void header_filter_end(struct header_filter *filter);

#endif
