/* The time of day, as it is written into records and logs. What measures or waits asks lib/task.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SYS_CLOCK_H
#define TAMBO_SYS_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970. It may be set back. */
int64_t clock_wall_ms(void);

#endif
