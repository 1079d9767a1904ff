/* See clock.h.
 * SPDX-License-Identifier: ISC */
#include "sys/clock.h"

#include <time.h>

int64_t clock_wall_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
