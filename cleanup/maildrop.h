/* Mail that sendmail(1) left in maildrop/, also while the server was down: picked up at once
 * (inotify) and by a scan each minute.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CLEANUP_MAILDROP_H
#define TAMBO_CLEANUP_MAILDROP_H

#include "net/socket.h"

/* Outside the sandbox: opens the folder and the watch. 0 or -errno. */
int maildrop_prepare(const char *queue_directory);
/* Starts the task. */
void maildrop_start(void);
/* A client of public/pickup: whatever byte it sends means "look now" (Postfix's postkick). */
void maildrop_poked(int fd_take, const struct address *peer);
void maildrop_stop(void);

#endif
