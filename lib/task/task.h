/* Tasks: stackful coroutines on one epoll loop per process. Code reads top to bottom as if it
 * blocked; every function here that waits takes a deadline. One thread runs all tasks; only
 * task_offload uses other threads. A task runs until it waits: what happens between two waits is
 * atomic to all other tasks.
 *
 * Errors are -errno. -ETIMEDOUT: the deadline passed. -ECANCELED: task_cancel was called on the
 * waiting task (every later wait of that task answers -ECANCELED too, so it runs to its end).
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TASK_TASK_H
#define TAMBO_TASK_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct task;

/* Monotonic milliseconds; a deadline is a value of this clock. */
typedef int64_t task_time;
#define TASK_FOREVER INT64_MAX

/* The loop's time, refreshed at each turn. Under task_clock_fake it is what the test set. */
task_time task_now(void);
/* task_now() + ms, saturating. */
task_time task_deadline(int64_t ms);

/* Creates this process's loop. 0 or -errno. */
int task_loop_open(void);
/* Runs until task_loop_stop, or until no task is left. Returns 0 or -errno. */
int task_loop_run(void);
void task_loop_stop(void);
/* fn is called at the end of each turn, before the loop looks for what comes next: it must not
 * wait. For what can be done once for all that a turn did. Each of a few functions once, however
 * often it is named; until the loop is closed. */
void task_loop_on_turn(void (*fn)(void));
/* fn is called when all tasks have waited for some seconds, once until one of them has run: it must
 * not wait. For giving back what only busy times need. */
void task_loop_on_rest(void (*fn)(void));
/* Frees the loop, its stacks and threads; all tasks must have ended or are dropped. */
void task_loop_close(void);

/* Starts fn(arg) as a new task; it runs when the caller next waits. stack: bytes, 0 for the default
 * (64 KiB; four times as much under a sanitizer). name: a literal. Returns NULL when no stack is to
 * be had (-ENOMEM). */
struct task *task_spawn(const char *name, void (*fn)(void *arg), void *arg, size_t stack);
/* The running task; NULL on the loop itself. */
struct task *task_self(void);
/* Makes the task's present and later waits answer -ECANCELED. Harmless on an ended task only while
 * the caller knows that it has not ended: keep a task pointer no longer than that. */
void task_cancel(struct task *task);
bool task_is_canceled(void);
/* Differs from every earlier one when the running task has waited since; 0 outside of tasks. */
uint64_t task_turn(void);
/* Tasks alive. */
size_t task_count(void);

/* Lets all other runnable tasks run once; cheap when there are none. 0 or -ECANCELED. */
int task_yield(void);
/* For loops that a peer can keep busy for ever: yields once this turn of the loop has taken some
 * milliseconds. 0 or -ECANCELED. */
int task_share(void);
/* 0 after ms, or -ECANCELED. */
int task_sleep(int64_t ms);

/* TASK_ACCEPT: as TASK_READ, for a listening socket that several processes share: one is woken. */
enum task_io { TASK_READ = 1, TASK_WRITE = 2, TASK_ACCEPT = 3 };
/* Waits until fd can be read or written (or has an error or hangup). 0, -ETIMEDOUT, -ECANCELED.
 * Several tasks may wait for one fd, one for each direction. The fd stays registered between waits;
 * call task_forget_fd before closing it. */
int task_wait_fd(int fd, enum task_io io, task_time deadline);
void task_forget_fd(int fd);
/* The last read from that stream socket got less than it asked for (and no descriptors): there is
 * nothing more to read now, and the caller may wait without having seen EAGAIN. */
void task_fd_drained(int fd);
/* The loop watches fd and has seen nothing to read since the last wait or read of all there was. */
bool task_fd_is_quiet(int fd);
/* Waits for either of two fds (the second may be -1): *ret_which is 0 or 1. For relays. */
int task_wait_two(int fd_a, enum task_io io_a, int fd_b, enum task_io io_b, task_time deadline,
	int *ret_which);

/* Waits until either fd (the second may be -1) can be read, or written where that is asked for: for
 * relays that try all four and wait when none moved. 0, -ETIMEDOUT, -ECANCELED. */
int task_wait_any(int fd_a, bool write_a, int fd_b, bool write_b, task_time deadline);

/* Runs fn(arg) in the thread pool and sleeps until it is done (it cannot be cancelled: fn always
 * runs to its end before task_offload returns). fn must not call anything of lib/task. Without a
 * loop it runs in place. */
void task_offload(void (*fn)(void *arg), void *arg);
/* The most threads of the pool; default 4. Before the first task_offload; 0 makes all offloads
 * run in place. */
void task_offload_threads(unsigned count);

/* An event that tasks wait for. A signal wakes those waiting now; nothing is remembered. */
struct task_event {
	struct list_node waiters;
};
void task_event_init(struct task_event *event);
/* 0, -ETIMEDOUT or -ECANCELED */
int task_event_wait(struct task_event *event, task_time deadline);
void task_event_signal(struct task_event *event); /* wakes all */
void task_event_signal_one(struct task_event *event); /* wakes the one that waited longest */

/* A mutual exclusion lock between tasks. */
struct task_lock {
	bool held;
	struct task_event freed;
};
void task_lock_init(struct task_lock *lock);
int task_lock_take(struct task_lock *lock, task_time deadline); /* 0, -ETIMEDOUT, -ECANCELED */
void task_lock_release(struct task_lock *lock);

/* Calls fn(arg) on the loop once after ms (not in a task: it must not wait). Cancel with
 * task_timer_stop; stopping a timer that has run is harmless. */
struct task_timer {
	size_t heap_index; /* 0: not set */
	task_time when;
	void (*fn)(void *arg);
	void *arg;
};
void task_timer_start(struct task_timer *timer, int64_t ms, void (*fn)(void *arg), void *arg);
void task_timer_stop(struct task_timer *timer);

/* Signals are delivered on the loop (signalfd): fn(signo) runs on the loop, must not wait. */
int task_on_signal(int signo, void (*fn)(int signo));

/* For tests: time moves only by task_clock_advance; sleeping tasks wake accordingly. */
void task_clock_fake(task_time start);
void task_clock_advance(int64_t ms);

#endif
