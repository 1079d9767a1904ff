/* How many logins of one client network are looked at at once. Without a limit a guesser would send
 * a thousand passwords on a thousand connections before the first failure is known, and again after
 * each wait of the brake (throttle.h).
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_AUTH_GATE_H
#define TAMBO_AUTH_GATE_H

#include <stddef.h>

#include "base/span.h"
#include "task/task.h"

#define GATE_WIDTH 20    /* inside at once */
#define GATE_WAITING 2000 /* in front of it */

struct gate;

/* In a task. key: the client network (throttle_network). Waits for a place; NULL when there is none
 * by the deadline, or too many wait already. */
struct gate *gate_enter(struct span key, task_time deadline);
void gate_leave(struct gate *gate); /* may be NULL */
size_t gate_count(void); /* gates that exist, for tests */

#endif
