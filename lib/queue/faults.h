/* For tests only: every step on which durability rests asks this hook first. It may answer an errno
 * (the step is not done and fails so), 0 (go on), or not come back at all (a crash there).
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_FAULTS_H
#define TAMBO_QUEUE_FAULTS_H

/* operation: "write", "fdatasync", "fsync", "rename", "open", "truncate", "fsync-directory". May be
 * called in a thread of the pool. NULL, the default: no faults. */
extern int (*queue_faults)(const char *operation);

#endif
