/* Heap memory that never answers NULL: a process that cannot get a small block ends with a clear
 * message and master starts it again; what it had acknowledged is in the journal. Memory whose size
 * a peer chooses is taken through struct arena or BUF_LARGE, which report overflow instead.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_BASE_MEMORY_H
#define TAMBO_BASE_MEMORY_H

#include <stddef.h>

void *memory_alloc(size_t size);
/* Zeroed; the product is checked. */
void *memory_zalloc(size_t count, size_t size);
/* Grows or shrinks an array; the product is checked. */
void *memory_resize(void *ptr, size_t count, size_t size);
/* NULL when there is none. */
void *memory_try_resize(void *ptr, size_t size);
char *memory_dup_cstr(const char *s);
/* Overwrites a secret in a way the compiler keeps. */
void memory_wipe(void *ptr, size_t size);

/* What a process must be able to get. */
#define MEMORY_SMALL (64 * 1024)

#define NEW(type) ((type *)memory_zalloc(1, sizeof(type)))

#endif
