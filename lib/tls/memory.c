/* OpenSSL's memory. What it could not allocate once it may miss for the rest of the process's life:
 * an algorithm that it failed to fetch stays "unsupported", and every handshake fails. So it gets
 * memory as we do, or the process ends and master starts another.
 * SPDX-License-Identifier: ISC */
#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/memory.h"
#include "tls/tls_private.h"

static void *allocate(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return memory_alloc(size);
}

static void *resize(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return memory_resize(old, 1, size);
}

static void release(void *ptr, const char *file, int line)
{
	(void)file;
	(void)line;
	free(ptr);
}

void tls_memory_set_up(void)
{
	static bool done;
	if (!done)
		(void)CRYPTO_set_mem_functions(allocate, resize, release);
	done = true;
}
