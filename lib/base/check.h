/* CHECK(condition): an invariant of our own code. It stays on in release: a process that is wrong
 * about itself stops, with a log line, before it touches mail; master starts it again.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_BASE_CHECK_H
#define TAMBO_BASE_CHECK_H

_Noreturn void check_fail(const char *what, const char *file, int line);

#define CHECK(condition)                                                                           \
	((condition) ? (void)0 : check_fail(#condition, __FILE__, __LINE__))

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
