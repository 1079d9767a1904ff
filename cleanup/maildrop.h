/* Mail that sendmail(1) left in maildrop/, also while the server was down: picked up at once
 * (inotify) and by a scan each minute.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CLEANUP_MAILDROP_H
#define TAMBO_CLEANUP_MAILDROP_H

/* Outside the sandbox: opens the folder and the watch. 0 or -errno. */
int maildrop_prepare(const char *queue_directory);
/* Starts the task. */
void maildrop_start(void);
void maildrop_stop(void);

#endif
