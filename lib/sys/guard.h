/* For a library that works in place on a mapped file which may be damaged: a fault while it reads
 * there comes back as an error. Any other fault, there or elsewhere, ends the process as ever,
 * after its last words.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SYS_GUARD_H
#define TAMBO_SYS_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/* Before guard_run; again where somebody may have taken the signals over. last_words: called when
 * this process is about to die of SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT; may use only what is
 * async-signal-safe. */
void guard_install(void (*last_words)(void));

/* Calls body. False: it met SIGBUS, SIGFPE, or SIGSEGV at an address within the len bytes at map
 * (the mapped file and what lies right behind it; NULL and SIZE_MAX: anywhere, for one that only
 * reads), or called guard_fail. What body was working on is then in no defined state. Not to be
 * nested; body must not wait. */
bool guard_run(const void *map, size_t len, void (*body)(void *arg), void *arg);
/* Leaves body. Outside of guard_run: ends the process. */
_Noreturn void guard_fail(void);

#endif
