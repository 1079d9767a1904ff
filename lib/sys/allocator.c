/* See allocator.h. SPDX-License-Identifier: ISC */
#include "sys/allocator.h"

#include <malloc.h>

#define MAPPED_SIZE (1024 * 1024)
#define TRIMMED_SIZE (2 * MAPPED_SIZE)

void allocator_set_up(void)
{
#ifdef M_MMAP_THRESHOLD
	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_SIZE);
	(void)mallopt(M_TRIM_THRESHOLD, TRIMMED_SIZE);
#endif
}

void allocator_keep_small(void)
{
#ifdef M_ARENA_MAX
	(void)mallopt(M_ARENA_MAX, 1);
#endif
}
