/* Memory for the life of one command or message: allocated piece by piece, given back at once.
 * The cap bounds the sum; past it arena_alloc answers NULL and arena->overflow is set.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_BASE_ARENA_H
#define TAMBO_BASE_ARENA_H

#include "base/span.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used; /* bytes handed out since the last reset */
	size_t cap;
	bool overflow;
};

void arena_init(struct arena *arena, size_t cap);
void arena_done(struct arena *arena);
/* Everything handed out becomes invalid; one block is kept for the next use. */
void arena_reset(struct arena *arena);

/* Zeroed, aligned for any type; NULL when the cap is reached or there is no memory. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_array(struct arena *arena, size_t count, size_t size);
/* Grows an array by copying; old may be NULL with old_count 0. */
void *arena_grow(struct arena *arena, const void *old, size_t old_count, size_t count, size_t size);
/* A copy; empty (and arena->overflow set) when there is no room. */
struct span arena_dup(struct arena *arena, struct span bytes);
/* A copy with a NUL behind it, or NULL. */
char *arena_dup_cstr(struct arena *arena, struct span bytes);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_array((arena), (count), sizeof(type)))

#endif
