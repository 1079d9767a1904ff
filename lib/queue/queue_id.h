/* Queue ids: the name of a message in logs, replies and large/. Two forms, as Postfix has them:
 * short (upper case hexadecimal) and long (enable_long_queue_ids: time in base 52, 'z', number in
 * base 51). An id is unique over restarts and whatever the clock does: its number is made of a
 * lease, the number of a segment that no other process or life has ever had, and a counter.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_QUEUE_ID_H
#define TAMBO_QUEUE_QUEUE_ID_H

#include "base/span.h"

#define QUEUE_ID_MAX 64 /* bytes, the NUL included */
#define QUEUE_ID_COUNTER_BITS 20

struct queue_id_source {
	uint64_t lease;   /* number of a segment of ours; 0: none yet */
	uint32_t counter; /* ids given under this lease */
	bool long_ids;
};

/* From now on ids are made under lease, which must never have been used before. */
void queue_id_lease(struct queue_id_source *source, uint64_t lease);
/* A new id as a C string. now_us: wall clock in microseconds. False when there is no lease, or it
 * is used up (2^20 ids): the caller begins another segment. */
bool queue_id_new(struct queue_id_source *source, int64_t now_us, char ret_id[QUEUE_ID_MAX]);
/* 6 to 63 letters and digits of ASCII: safe as a file name. */
bool queue_id_is_valid(struct span id);

#endif
