/* pid/master.pid: locked by the running master, holds its process id.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SYS_PID_FILE_H
#define TAMBO_SYS_PID_FILE_H

#include <sys/types.h>

/* directory: relative to the present one. A descriptor that holds the lock, -EAGAIN when another
 * process has it, or -errno. */
int pid_file_lock(const char *directory);
/* The process that holds it, or 0. */
pid_t pid_file_holder(const char *directory);

#endif
