/* Tasks that wait for a peer: cancelled when the process stops, so that it need not wait for them.
 * SPDX-License-Identifier: ISC */
#include "qmgr/qmgr.h"

static struct list_node peer_tasks = LIST_INIT(peer_tasks);

void peer_task_begin(struct peer_task *peer_task)
{
	peer_task->task = task_self();
	list_append(&peer_tasks, &peer_task->link);
}

void peer_task_end(struct peer_task *peer_task)
{
	list_remove(&peer_task->link);
}

void peer_task_cancel_all(void)
{
	LIST_FOREACH(node, &peer_tasks)
		task_cancel(LIST_ENTRY(node, struct peer_task, link)->task);
}
