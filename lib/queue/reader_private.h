/* The open segments of a reader.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_READER_PRIVATE_H
#define TAMBO_QUEUE_READER_PRIVATE_H

#include "queue/reader.h"

#define READER_SEGMENTS 32

struct open_segment {
	struct segment segment;
	uint64_t used;   /* reader's clock at the last hold */
	unsigned users;  /* tasks that read it now */
	bool forgotten;  /* closed when the last user is done */
};

struct queue_reader {
	int journal, large;
	uint64_t clock;
	struct open_segment open[READER_SEGMENTS];
};

int queue_reader_hold(struct queue_reader *reader, uint64_t number, struct open_segment **ret_open);
void queue_reader_release(struct open_segment *open);

#endif
