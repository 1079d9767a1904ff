/* See arena.h.
 * SPDX-License-Identifier: ISC */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#include "base/memory.h"

#define BLOCK_SIZE 4096
#define BLOCK_KEEP MEMORY_SMALL

struct arena_block {
	struct arena_block *next;
	size_t size;
	size_t used;
	alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *arena, size_t cap)
{
	*arena = (struct arena){.cap = cap};
}

static void free_blocks(struct arena_block *block)
{
	while (block != NULL) {
		struct arena_block *next = block->next;
		free(block);
		block = next;
	}
}

void arena_done(struct arena *arena)
{
	free_blocks(arena->blocks);
	arena_init(arena, arena->cap);
}

void arena_reset(struct arena *arena)
{
	struct arena_block *keep = arena->blocks;
	if (keep != NULL) {
		free_blocks(keep->next);
		keep->next = NULL;
		keep->used = 0;
		if (keep->size > BLOCK_KEEP) {
			free(keep);
			keep = NULL;
		}
	}
	*arena = (struct arena){.blocks = keep, .cap = arena->cap};
}

static struct arena_block *add_block(struct arena *arena, size_t need)
{
	size_t size = arena->blocks == NULL ? BLOCK_SIZE : arena->blocks->size * 2;
	if (size > BLOCK_KEEP)
		size = BLOCK_KEEP;
	if (size < need)
		size = need;
	/* A large one is an array, or bytes, of a size that a peer has chosen. */
	struct arena_block *block = size > BLOCK_KEEP
		? memory_try_resize(NULL, sizeof *block + size) : memory_alloc(sizeof *block + size);
	if (block == NULL)
		return NULL;
	*block = (struct arena_block){.next = arena->blocks, .size = size};
	arena->blocks = block;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t align = alignof(max_align_t);
	if (size > SIZE_MAX - align || arena->overflow) {
		arena->overflow = true;
		return NULL;
	}
	size = (size + align - 1) / align * align;
	if (size > arena->cap - arena->used) {
		arena->overflow = true;
		return NULL;
	}
	struct arena_block *block = arena->blocks;
	if (block == NULL || size > block->size - block->used)
		block = add_block(arena, size);
	if (block == NULL) {
		arena->overflow = true;
		return NULL;
	}
	void *ptr = block->bytes + block->used;
	block->used += size;
	arena->used += size;
	return memset(ptr, 0, size);
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes)) {
		arena->overflow = true;
		return NULL;
	}
	return arena_alloc(arena, bytes);
}

void *arena_grow(struct arena *arena, const void *old, size_t old_count, size_t count, size_t size)
{
	void *grown = arena_array(arena, count, size);
	if (grown != NULL && old_count > 0)
		memcpy(grown, old, (old_count < count ? old_count : count) * size);
	return grown;
}

struct span arena_dup(struct arena *arena, struct span bytes)
{
	char *copy = arena_dup_cstr(arena, bytes);
	return copy == NULL ? SPAN_EMPTY : span_new(copy, bytes.len);
}

char *arena_dup_cstr(struct arena *arena, struct span bytes)
{
	char *copy = arena_alloc(arena, bytes.len + 1);
	if (copy != NULL && bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	return copy;
}
