/* Telling qmgr what was queued, on a channel of our own. Losing any of it is harmless: qmgr scans
 * segments at its start and whenever we connect (service/qmgr.h, queue_added).
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CLEANUP_QMGR_LINK_H
#define TAMBO_CLEANUP_QMGR_LINK_H

#include "queue/writer.h"

/* Starts the task that holds the channel, to the end of the process. */
void qmgr_link_start(void);
/* In the order of commits. Does not wait. */
void qmgr_link_added(void *arg, struct span queue_id, const struct queue_position *position);

#endif
