/* Events and locks between tasks.
 * SPDX-License-Identifier: ISC */
#include <errno.h>

#include "base/check.h"
#include "task/loop_private.h"

void task_event_init(struct task_event *event)
{
	list_init(&event->waiters);
}

int task_event_wait(struct task_event *event, task_time deadline)
{
	struct task *task = task_self();
	CHECK(task != NULL);
	list_append(&event->waiters, &task->node);
	int status = task_suspend(deadline);
	return status > 0 ? 0 : status;
}

void task_event_signal(struct task_event *event)
{
	LIST_FOREACH(node, &event->waiters)
		task_wake(LIST_ENTRY(node, struct task, node), 0);
}

void task_event_signal_one(struct task_event *event)
{
	if (!list_is_empty(&event->waiters))
		task_wake(LIST_ENTRY(event->waiters.next, struct task, node), 0);
}

void task_lock_init(struct task_lock *lock)
{
	lock->held = false;
	task_event_init(&lock->freed);
}

int task_lock_take(struct task_lock *lock, task_time deadline)
{
	while (lock->held) {
		int status = task_event_wait(&lock->freed, deadline);
		if (status != 0)
			return status;
	}
	lock->held = true;
	return 0;
}

void task_lock_release(struct task_lock *lock)
{
	CHECK(lock->held);
	lock->held = false;
	task_event_signal_one(&lock->freed);
}
