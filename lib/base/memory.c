/* See memory.h.
 * SPDX-License-Identifier: ISC */
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void *memory_alloc(size_t size)
{
	void *ptr = malloc(size == 0 ? 1 : size);
	if (ptr == NULL)
		check_fail("out of memory", __FILE__, __LINE__);
	return ptr;
}

void *memory_zalloc(size_t count, size_t size)
{
	void *ptr = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);
	if (ptr == NULL)
		check_fail("out of memory", __FILE__, __LINE__);
	return ptr;
}

void *memory_resize(void *ptr, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		check_fail("array too large", __FILE__, __LINE__);
	void *moved = realloc(ptr, bytes == 0 ? 1 : bytes);
	if (moved == NULL)
		check_fail("out of memory", __FILE__, __LINE__);
	return moved;
}

void *memory_try_resize(void *ptr, size_t size)
{
	return realloc(ptr, size);
}

char *memory_dup_cstr(const char *s)
{
	size_t size = strlen(s) + 1;
	return memcpy(memory_alloc(size), s, size);
}

void memory_wipe(void *ptr, size_t size)
{
	if (size > 0)
		explicit_bzero(ptr, size);
}
