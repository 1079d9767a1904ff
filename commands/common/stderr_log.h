/* Messages of a command: "postmap: warning: ..." on standard error.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_COMMANDS_COMMON_STDERR_LOG_H
#define TAMBO_COMMANDS_COMMON_STDERR_LOG_H

#include "base/log.h"

/* Log lines go to standard error behind the program's name. */
void stderr_log_open(const char *program);
/* Tells and ends with status 1. */
_Noreturn void stderr_log_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
