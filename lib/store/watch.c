/* inotify for the mailboxes that have views: one descriptor and one task for the process. Without
 * it (no loop, no watches left) views are woken every few seconds instead.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/table.h"
#include "store/folder_private.h"

#define POLL_MS 5000
#define EVENTS                                                                                     \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |        \
		IN_MOVE_SELF | IN_ONLYDIR)

static struct {
	int fd;
	bool is_running;
	struct task *task;
	struct table by_watch; /* int -> struct folder */
	struct list_node unwatched;
} watcher = {.fd = -1, .unwatched = LIST_INIT(watcher.unwatched)};

static struct span key_of(const int *watch)
{
	return span_new(watch, sizeof(*watch));
}

static void read_events(int fd)
{
	union {
		struct inotify_event event;
		char bytes[4096];
	} buffer;
	for (;;) {
		ssize_t n = read(fd, &buffer, sizeof(buffer));
		if (n <= 0)
			return;
		for (ssize_t at = 0; at < n;) {
			struct inotify_event event;
			memcpy(&event, buffer.bytes + at, sizeof(event));
			at += (ssize_t)(sizeof(event) + event.len);
			struct folder *folder = table_get(&watcher.by_watch, key_of(&event.wd));
			if (folder != NULL)
				folder_signal(folder);
		}
	}
}

static void signal_unwatched(void)
{
	LIST_FOREACH(node, &watcher.unwatched)
		folder_signal(LIST_ENTRY(node, struct folder, unwatched));
}

static void run(void *arg)
{
	/* Its own descriptor: a successor may have started before this task sees its end. */
	int fd = (int)(intptr_t)arg;
	for (;;) {
		task_time deadline = list_is_empty(&watcher.unwatched) ? TASK_FOREVER
			: task_deadline(POLL_MS);
		int error = task_wait_fd(fd, TASK_READ, deadline);
		if (error == -ETIMEDOUT)
			signal_unwatched();
		else if (error != 0)
			break;
		else
			read_events(fd);
	}
	task_forget_fd(fd);
	(void)close(fd);
	if (watcher.fd == fd) {
		watcher.fd = -1;
		watcher.is_running = false;
	}
}

static bool start(void)
{
	if (watcher.is_running)
		return true;
	if (task_self() == NULL)
		return false;
	watcher.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watcher.fd < 0)
		return false;
	watcher.task = task_spawn("store-watch", run, (void *)(intptr_t)watcher.fd, 0);
	watcher.is_running = watcher.task != NULL;
	if (!watcher.is_running) {
		(void)close(watcher.fd);
		watcher.fd = -1;
	}
	return watcher.is_running;
}

static int add_one(struct folder *folder, const char *sub)
{
	struct buf path = BUF_INIT(8192);
	buf_append_format(&path, "%s/%s/%s", folder->store->root, folder->dir, sub);
	int watch = path.overflow ? -1 : inotify_add_watch(watcher.fd, buf_cstr(&path), EVENTS);
	buf_done(&path);
	if (watch >= 0)
		(void)table_put(&watcher.by_watch, key_of(&watch), folder);
	return watch;
}

void watch_add(struct folder *folder)
{
	if (folder->watch_new >= 0 || !start())
		return;
	folder->watch_new = add_one(folder, "new");
	folder->watch_cur = add_one(folder, "cur");
	if (folder->watch_new < 0 || folder->watch_cur < 0)
		list_append(&watcher.unwatched, &folder->unwatched);
}

static void remove_one(int *watch)
{
	if (*watch >= 0) {
		(void)table_remove(&watcher.by_watch, key_of(watch));
		if (watcher.fd >= 0)
			(void)inotify_rm_watch(watcher.fd, *watch);
	}
	*watch = -1;
}

void watch_remove(struct folder *folder)
{
	remove_one(&folder->watch_new);
	remove_one(&folder->watch_cur);
	list_remove(&folder->unwatched);
	if (watcher.is_running && watcher.by_watch.count == 0 && list_is_empty(&watcher.unwatched)) {
		/* The last one: the task goes too, so that a loop may end. */
		watcher.is_running = false;
		watcher.fd = -1;
		task_cancel(watcher.task);
	}
}
