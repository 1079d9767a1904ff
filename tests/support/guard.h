/* Input that ends at an unreadable page: a parser that looks one byte too far dies.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TESTS_GUARD_H
#define TAMBO_TESTS_GUARD_H

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/span.h"

struct guard {
	char *map;
	size_t map_len;
};

/* A copy of bytes whose last byte is the last one readable. */
static inline struct span guard_copy(struct guard *guard, struct span bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (bytes.len / page + 1) * page;

	guard->map_len = room + page;
	guard->map = mmap(NULL, guard->map_len, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (guard->map == MAP_FAILED || mprotect(guard->map + room, page, PROT_NONE) != 0)
		abort();
	if (bytes.len > 0)
		memcpy(guard->map + room - bytes.len, bytes.ptr, bytes.len);
	return span_new(guard->map + room - bytes.len, bytes.len);
}

static inline void guard_free(struct guard *guard)
{
	munmap(guard->map, guard->map_len);
}

#endif
