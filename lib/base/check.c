/* See check.h.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"

#include <stdlib.h>

#include "base/log.h"

_Noreturn void check_fail(const char *what, const char *file, int line)
{
	log_panic(NULL, "%s:%d: %s", file, line, what);
	abort();
}
