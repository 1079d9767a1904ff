/* Segment files: queue_directory/journal/<16 hex digits>.seg, preallocated and zeroed, first 4096
 * bytes a header {magic, version, number, epoch, size, CRC-32C}, then records. A number is never
 * used again. A segment whose records are all dead becomes <number>.spare and later a segment with
 * a new number and a new epoch, so its old records no longer count and need not be erased. The file
 * with the highest number is never unlinked: it remembers the number. A writer holds a flock on the
 * segment it appends to. A segment whose header does not name its own number holds nothing (a crash
 * came between taking a spare and renaming it). All functions block; none yields. Errors are
 * -errno.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_SEGMENT_H
#define TAMBO_QUEUE_SEGMENT_H

#include <sys/types.h>

#include "base/span.h"

#define SEGMENT_HEADER_SIZE 4096
#define SEGMENT_SIZE_DEFAULT (16u * 1024 * 1024)
#define SEGMENT_SIZE_MIN (64u * 1024)
#define SEGMENT_SPARES_DEFAULT 2

struct segment {
	int fd; /* -1: none */
	uint64_t number, epoch, size;
};

/* Makes (or takes a spare as) the next segment and locks it: allocated, header and name durable
 * when it returns 0. dir: descriptor of journal/. */
int segment_create(int dir, uint64_t size, struct segment *ret_segment);
/* Makes one spare ahead of time, when there is none. */
int segment_prepare_spare(int dir, uint64_t size);
/* Opens for reading. -ENOENT: no such segment. -EBADMSG: its header is not one, or names another
 * number: it holds no records. */
int segment_open(int dir, uint64_t number, struct segment *ret_segment);
void segment_close(struct segment *segment);
/* All records of the segment are dead: it becomes a spare, when there are fewer than spares, or
 * goes. -EBUSY: a writer still holds it. -ENOENT: already gone. */
int segment_retire(int dir, uint64_t number, size_t spares);

/* The numbers of all .seg files, ascending; free() them. */
int segment_list(int dir, uint64_t **ret_numbers, size_t *ret_count);
bool segment_exists(int dir, uint64_t number);
/* True while a writer appends to it; once false it grows no more. */
bool segment_is_written(int dir, uint64_t number);
/* Removes what a crash left of files that were being made. */
int segment_sweep(int dir);

#endif
