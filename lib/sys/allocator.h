/* How malloc gets its memory from the system.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SYS_ALLOCATOR_H
#define TAMBO_SYS_ALLOCATOR_H

/* Blocks of a MiB and more are mapped each for itself: they come zeroed, cost only what of them is
 * used, and go back when they are freed. (Left alone, glibc moves that limit up with what it sees
 * freed; then each LMDB environment clears 2 MiB when it is opened, and keeps them.) Called once,
 * at the start of a process. */
void allocator_set_up(void);

/* A process of which there may be one for each user: its threads share one heap. */
void allocator_keep_small(void);

#endif
