/* What an intruder would try, one verb each.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TESTS_WALL_PROBE_ATTEMPTS_H
#define TAMBO_TESTS_WALL_PROBE_ATTEMPTS_H

/* 0, or -errno; -ENOSYS also for a verb that there is none of. */
int attempt(const char *verb, const char *argument);

#endif
