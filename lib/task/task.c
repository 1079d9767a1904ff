/* The loop: runs tasks until they wait, then waits for descriptors and timers.
 * SPDX-License-Identifier: ISC */
#include "task/task.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "task/loop_private.h"

#ifdef TASK_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef TASK_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define EVENTS_AT_ONCE 256
#define SHARE_MS 5
#define ROUNDS_A_TURN 4

struct loop task_loop = {.epoll_fd = -1};

int task_loop_open(void)
{
	CHECK(!task_loop.open);
	task_loop.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (task_loop.epoll_fd < 0)
		return -errno;
	/* A peer that is gone shall cost a write its EPIPE, also inside OpenSSL, never the process.
	 * Whoever runs a command resets this in the child. */
	signal(SIGPIPE, SIG_IGN);
	task_loop.open = true;
	task_loop.stopping = false;
	list_init(&task_loop.runnable);
	list_init(&task_loop.this_turn);
	list_init(&task_loop.all);
	task_loop.now = task_clock_read();
#ifdef TASK_TSAN
	task_loop.loop_fiber = __tsan_get_current_fiber();
#endif
	return 0;
}

void task_loop_on_rest(void (*fn)(void))
{
	task_loop.on_rest = fn;
}

void task_loop_on_turn(void (*fn)(void))
{
	size_t i = 0;
	while (i < TURN_FNS_MAX && task_loop.on_turn[i] != NULL && task_loop.on_turn[i] != fn)
		i++;
	CHECK(i < TURN_FNS_MAX);
	task_loop.on_turn[i] = fn;
}

void task_loop_stop(void)
{
	task_loop.stopping = true;
}

void task_loop_close(void)
{
	if (!task_loop.open)
		return;
	task_offload_close();
	task_signals_close();
	LIST_FOREACH(node, &task_loop.all) {
		struct task *task = LIST_ENTRY(node, struct task, all);
		list_remove(&task->all);
		task_stack_free(task);
	}
	task_stacks_drop();
	close(task_loop.epoll_fd);
	free(task_loop.watches);
	free(task_loop.heap);
	task_loop = (struct loop){.epoll_fd = -1};
}

/* --- switching --- */

static void enter_task(struct task *task)
{
	task_loop.current = task;
	task_loop.turn++;
#ifdef TASK_ASAN
	__sanitizer_start_switch_fiber(&task_loop.loop_fake_stack, task->stack, task->stack_size);
#endif
#ifdef TASK_TSAN
	__tsan_switch_to_fiber(task->fiber, 0);
#endif
	context_switch(&task_loop.context, &task->context);
#ifdef TASK_ASAN
	__sanitizer_finish_switch_fiber(task_loop.loop_fake_stack, NULL, NULL);
#endif
	task_loop.current = NULL;
	if (task->ended) {
		list_remove(&task->all);
		task_loop.task_count--;
		task_stack_free(task);
	}
}

static void leave_task(struct task *task)
{
#ifdef TASK_ASAN
	__sanitizer_start_switch_fiber(task->ended ? NULL : &task->fake_stack, task_loop.loop_stack,
		task_loop.loop_stack_size);
#endif
#ifdef TASK_TSAN
	__tsan_switch_to_fiber(task_loop.loop_fiber, 0);
#endif
	context_switch(&task->context, &task_loop.context);
#ifdef TASK_ASAN
	const void *bottom;
	__sanitizer_finish_switch_fiber(task->fake_stack, &bottom, &task_loop.loop_stack_size);
	memcpy(&task_loop.loop_stack, &bottom, sizeof bottom);
#endif
}

static void task_entry(void)
{
	struct task *task = task_loop.current;
#ifdef TASK_ASAN
	const void *bottom;
	__sanitizer_finish_switch_fiber(NULL, &bottom, &task_loop.loop_stack_size);
	memcpy(&task_loop.loop_stack, &bottom, sizeof bottom);
#endif
	task->fn(task->arg);
	task->ended = true;
	leave_task(task);
	abort();
}

struct task *task_spawn(const char *name, void (*fn)(void *arg), void *arg, size_t stack)
{
	CHECK(task_loop.open);
	struct task *task = task_stack_new(stack);
	if (task == NULL)
		return NULL;
	task->name = name;
	task->fn = fn;
	task->arg = arg;
	context_prepare(&task->context, task->stack, task->stack_size, task_entry);
	list_append(&task_loop.all, &task->all);
	list_append(&task_loop.runnable, &task->node);
	task_loop.task_count++;
	return task;
}

struct task *task_self(void)
{
	return task_loop.current;
}

uint64_t task_turn(void)
{
	return task_loop.current == NULL ? 0 : task_loop.turn;
}

size_t task_count(void)
{
	return task_loop.task_count;
}

bool task_is_canceled(void)
{
	return task_loop.current != NULL && task_loop.current->canceled;
}

/* --- waiting and waking --- */

static void deadline_passed(void *arg)
{
	task_wake(arg, -ETIMEDOUT);
}

static struct watch *task_watch(int fd)
{
	CHECK(fd >= 0);
	if ((size_t)fd >= task_loop.watch_count) {
		size_t count = task_loop.watch_count == 0 ? 64 : task_loop.watch_count;
		while (count <= (size_t)fd)
			count *= 2;
		task_loop.watches = memory_resize(task_loop.watches, count, sizeof(struct watch));
		memset(task_loop.watches + task_loop.watch_count, 0,
			(count - task_loop.watch_count) * sizeof(struct watch));
		task_loop.watch_count = count;
	}
	return &task_loop.watches[fd];
}

static void drop_waits(struct task *task)
{
	for (int i = 0; i < TASK_WAITS; i++) {
		if (task->wait_fd[i] < 0)
			continue;
		struct watch *watch = task_watch(task->wait_fd[i]);
		if (task->wait_io[i] == TASK_WRITE && watch->writer == task)
			watch->writer = NULL;
		else if (watch->reader == task)
			watch->reader = NULL;
		task->wait_fd[i] = -1;
	}
}

void task_wake(struct task *task, int result)
{
	if (!task->waiting)
		return;
	task->waiting = false;
	task->wake_result = result;
	drop_waits(task);
	task_timer_stop(&task->deadline);
	list_remove(&task->node);
	list_append(&task_loop.runnable, &task->node);
}

int task_suspend(task_time deadline)
{
	struct task *task = task_loop.current;
	CHECK(task != NULL);
	if (task->canceled) {
		drop_waits(task);
		list_remove(&task->node);
		return -ECANCELED;
	}
	if (deadline != TASK_FOREVER) {
		int64_t left = deadline - task_now();
		task_timer_start(&task->deadline, left > 0 ? left : 0, deadline_passed, task);
	}
	task->waiting = true;
	task_stacks_trim_later(task);
	leave_task(task);
	return task->wake_result;
}

void task_cancel(struct task *task)
{
	task->canceled = true;
	task_wake(task, -ECANCELED);
}

/* Nobody waits for the processor, and descriptors were looked at in this very millisecond. */
static bool is_alone(void)
{
	return list_is_empty(&task_loop.this_turn) && list_is_empty(&task_loop.runnable) &&
	       !task_loop.fake_clock && task_clock_read() == task_loop.now;
}

int task_yield(void)
{
	struct task *task = task_loop.current;
	CHECK(task != NULL);
	if (is_alone())
		return task->canceled ? -ECANCELED : 0;
	/* A cancelled task yields too: it may be waiting for another one to come to its end. */
	list_append(&task_loop.runnable, &task->node);
	task->wake_result = 0;
	leave_task(task);
	return task->canceled ? -ECANCELED : 0;
}

int task_share(void)
{
	if (task_loop.current == NULL || task_clock_read() - task_loop.now < SHARE_MS)
		return 0;
	return task_yield();
}

int task_sleep(int64_t ms)
{
	if (task_loop.current == NULL) {
		struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
		nanosleep(&pause, NULL);
		return 0;
	}
	list_init(&task_loop.current->node);
	int status = task_suspend(task_deadline(ms));
	return status == -ETIMEDOUT ? 0 : status;
}

/* --- descriptors --- */

static int register_fd(int fd, struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events | EPOLLET,
		.data.u64 = (uint64_t)watch->generation << 32 | (uint32_t)fd};
	if (epoll_ctl(task_loop.epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
		if (errno != EEXIST)
			return -errno;
		if (epoll_ctl(task_loop.epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0)
			return -errno;
	}
	watch->registered = true;
	watch->wants_write = (events & EPOLLOUT) != 0;
	return 0;
}

/* Room to write is asked for only while somebody waits for it: a UNIX socket reports it each time
 * the peer has read something, which would wake the loop for nothing. */
static int watch_writing(int fd, struct watch *watch, bool wanted)
{
	if (watch->wants_write == wanted)
		return 0;
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLRDHUP | EPOLLET | (wanted ? (uint32_t)EPOLLOUT : 0u),
		.data.u64 = (uint64_t)watch->generation << 32 | (uint32_t)fd};
	if (epoll_ctl(task_loop.epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0)
		return -errno;
	watch->wants_write = wanted;
	return 0;
}

int task_watch_callback(int fd, void (*callback)(void))
{
	struct watch *watch = task_watch(fd);
	watch->callback = callback;
	return register_fd(fd, watch, EPOLLIN);
}

/* 1: ready now; 0: the task is entered as a waiter; -errno. */
static int begin_wait(int slot, int fd, enum task_io io)
{
	struct watch *watch = task_watch(fd);
	struct task *task = task_loop.current;
	int status = 0;
	if (!watch->registered) {
		uint32_t events = io == TASK_ACCEPT ? EPOLLIN | EPOLLEXCLUSIVE :
			io == TASK_WRITE ? EPOLLIN | EPOLLRDHUP | EPOLLOUT : EPOLLIN | EPOLLRDHUP;
		status = register_fd(fd, watch, events);
		/* A regular file is always ready. */
		if (status == -EPERM)
			return 1;
	}
	bool *ready = io == TASK_WRITE ? &watch->ready_write : &watch->ready_read;
	if (status == 0 && !*ready && io != TASK_WRITE)
		ready = &watch->end_unread;
	if (status == 0 && !*ready && io == TASK_WRITE)
		status = watch_writing(fd, watch, true);
	if (status != 0)
		return status;
	if (*ready) {
		*ready = false;
		return 1;
	}
	struct task **waiter = io == TASK_WRITE ? &watch->writer : &watch->reader;
	CHECK(*waiter == NULL);
	*waiter = task;
	task->wait_fd[slot] = fd;
	task->wait_io[slot] = io;
	return 0;
}

int task_wait_fd(int fd, enum task_io io, task_time deadline)
{
	CHECK(task_loop.current != NULL);
	if (task_loop.current->canceled)
		return -ECANCELED;
	int status = begin_wait(0, fd, io);
	if (status != 0)
		return status > 0 ? 0 : status;
	list_init(&task_loop.current->node);
	status = task_suspend(deadline);
	return status > 0 ? 0 : status;
}

int task_wait_two(int fd_a, enum task_io io_a, int fd_b, enum task_io io_b, task_time deadline,
	int *ret_which)
{
	struct task *task = task_loop.current;
	CHECK(task != NULL);
	if (task->canceled)
		return -ECANCELED;
	int status = begin_wait(0, fd_a, io_a);
	if (status > 0)
		*ret_which = 0;
	if (status == 0 && fd_b >= 0) {
		status = begin_wait(1, fd_b, io_b);
		if (status != 0)
			drop_waits(task);
		if (status > 0)
			*ret_which = 1;
	}
	if (status != 0)
		return status > 0 ? 0 : status;
	list_init(&task->node);
	status = task_suspend(deadline);
	if (status < 0)
		return status;
	*ret_which = status - 1;
	return 0;
}

void task_fd_drained(int fd)
{
	if (task_loop.open && fd >= 0 && (size_t)fd < task_loop.watch_count)
		task_loop.watches[fd].ready_read = false;
}

bool task_fd_is_quiet(int fd)
{
	if (!task_loop.open || fd < 0 || (size_t)fd >= task_loop.watch_count)
		return false;
	const struct watch *watch = &task_loop.watches[fd];
	return watch->registered && !watch->ready_read && !watch->end_unread;
}

void task_forget_fd(int fd)
{
	if (!task_loop.open || fd < 0 || (size_t)fd >= task_loop.watch_count)
		return;
	struct watch *watch = &task_loop.watches[fd];
	if (watch->registered)
		epoll_ctl(task_loop.epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	if (watch->reader != NULL)
		task_wake(watch->reader, -ECANCELED);
	if (watch->writer != NULL)
		task_wake(watch->writer, -ECANCELED);
	*watch = (struct watch){.generation = watch->generation + 1};
}

int task_wait_any(int fd_a, bool write_a, int fd_b, bool write_b, task_time deadline)
{
	static const enum task_io directions[] = {TASK_READ, TASK_WRITE};
	const int fds[] = {fd_a, fd_a, fd_b, fd_b};
	const bool wanted[] = {true, write_a, true, write_b};
	struct task *task = task_loop.current;
	CHECK(task != NULL);
	if (task->canceled)
		return -ECANCELED;
	for (int i = 0; i < TASK_WAITS; i++) {
		if (fds[i] < 0 || !wanted[i])
			continue;
		int status = begin_wait(i, fds[i], directions[i % 2]);
		if (status != 0) {
			drop_waits(task);
			return status > 0 ? 0 : status;
		}
	}
	list_init(&task->node);
	int status = task_suspend(deadline);
	return status > 0 ? 0 : status;
}

/* The result tells a task that waits for two descriptors which one it was. */
static void wake_waiter(struct task *task, int fd, enum task_io io)
{
	bool second = task->wait_fd[1] == fd && (task->wait_io[1] == TASK_WRITE) == (io == TASK_WRITE);
	bool first = task->wait_fd[0] == fd && (task->wait_io[0] == TASK_WRITE) == (io == TASK_WRITE);
	task_wake(task, !first && second ? 2 : 1);
}

static void dispatch_event(const struct epoll_event *event)
{
	int fd = (int)(uint32_t)event->data.u64;
	struct watch *watch = task_watch(fd);
	if (!watch->registered || watch->generation != (uint32_t)(event->data.u64 >> 32))
		return;
	if (watch->callback != NULL) {
		watch->callback();
		return;
	}
	if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) {
		if (watch->reader != NULL)
			wake_waiter(watch->reader, fd, TASK_READ);
		else
			watch->ready_read = true;
		/* No further edge tells a reader that takes the last bytes now of the end. */
		if (event->events & (EPOLLRDHUP | EPOLLHUP))
			watch->end_unread = true;
	}
	if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
		if (watch->writer != NULL) {
			wake_waiter(watch->writer, fd, TASK_WRITE);
		} else {
			watch->ready_write = true;
			(void)watch_writing(fd, watch, false);
		}
	}
}

static int wait_events(void)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int timeout = -1;
	task_time next = task_timers_next();
	if (!list_is_empty(&task_loop.runnable))
		timeout = 0;
	else if (next != TASK_FOREVER && !task_loop.fake_clock) {
		int64_t left = next - task_loop.now;
		timeout = left <= 0 ? 0 : left > 60000 ? 60000 : (int)left;
	} else if (next <= task_loop.now)
		timeout = 0;
	int count = epoll_wait(task_loop.epoll_fd, events, EVENTS_AT_ONCE, timeout);
	if (count < 0 && errno != EINTR)
		return -errno;
	task_loop.now = task_clock_read();
	for (int i = 0; i < count; i++)
		dispatch_event(&events[i]);
	return 0;
}

/* Only those that are runnable now: what they make runnable waits for the next round. */
static void run_round(void)
{
	struct list_node *turn = &task_loop.this_turn;
	*turn = task_loop.runnable;
	turn->next->prev = turn->prev->next = turn;
	list_init(&task_loop.runnable);
	for (struct list_node *node; (node = list_pop(turn)) != NULL;)
		enter_task(LIST_ENTRY(node, struct task, node));
}

/* What one task does often wakes another: a few rounds within the millisecond in which descriptors
 * were looked at. */
static void run_tasks(void)
{
	for (int round = 0; round < ROUNDS_A_TURN; round++) {
		if (list_is_empty(&task_loop.runnable) || task_loop.stopping)
			return;
		if (round > 0 && (task_loop.fake_clock || task_clock_read() != task_loop.now))
			return;
		run_round();
	}
}

int task_loop_run(void)
{
	CHECK(task_loop.open && task_loop.current == NULL);
	while (!task_loop.stopping && task_loop.task_count > 0) {
		task_loop.now = task_clock_read();
		task_timers_run();
		run_tasks();
		for (size_t i = 0; i < TURN_FNS_MAX && task_loop.on_turn[i] != NULL; i++)
			task_loop.on_turn[i]();
		if (task_loop.stopping || task_loop.task_count == 0)
			break;
		int status = wait_events();
		if (status != 0)
			return status;
	}
	return 0;
}
