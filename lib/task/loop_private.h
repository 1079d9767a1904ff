/* What the files of lib/task share: the loop, the task and the wait.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TASK_LOOP_PRIVATE_H
#define TAMBO_TASK_LOOP_PRIVATE_H

#include "task/context.h"
#include "task/task.h"

#if defined(__SANITIZE_ADDRESS__)
#define TASK_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TASK_ASAN
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define TASK_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TASK_TSAN
#endif
#endif

#define TASK_WAITS 4 /* descriptors and directions that one task can wait for at once */

struct task {
	struct context context;
	struct list_node node; /* in the run queue, or among an event's waiters */
	struct list_node all;
	const char *name;
	void (*fn)(void *arg);
	void *arg;
	char *stack; /* behind its guard page */
	size_t stack_size;
	bool waiting, canceled, ended;
	bool trimmed;            /* since it began to wait, see task_stacks_trim */
	task_time waiting_since;
	int wake_result;
	int wait_fd[TASK_WAITS]; /* -1: none */
	enum task_io wait_io[TASK_WAITS];
	struct task_timer deadline;
	void *fake_stack; /* AddressSanitizer's */
	void *fiber;      /* ThreadSanitizer's */
	unsigned valgrind_id;
};

/* One per descriptor. Registration is edge-triggered and made once; an edge that nobody waited for
 * is remembered in ready_*, so a waiter may wake for nothing and must try its call again; so is the
 * end of a stream, in end_unread, for a reader that read all but the end.
 * INVARIANT: whoever waits for a descriptor has seen EAGAIN, or a read that got less than it asked
 * for, on it since its last wait. */
struct watch {
	struct task *reader, *writer;
	void (*callback)(void); /* the loop's own descriptors */
	uint32_t generation;
	bool registered, wants_write, ready_read, ready_write, end_unread;
};

#define TURN_FNS_MAX 4

struct loop {
	bool open, stopping;
	void (*on_turn[TURN_FNS_MAX])(void), (*on_rest)(void);
	int epoll_fd;
	struct context context;
	struct task *current;
	struct list_node runnable, all;
	struct list_node this_turn; /* those that still have to run in it */
	size_t task_count;
	uint64_t turn;
	struct watch *watches;
	size_t watch_count;
	struct task_timer **heap; /* 1-based */
	size_t heap_count, heap_alloc;
	task_time now;
	bool fake_clock;
	struct task_timer trim_timer;
	void *loop_stack;
	size_t loop_stack_size;
	void *loop_fake_stack, *loop_fiber;
};

extern struct loop task_loop;

/* Sleeps the running task until task_wake. Returns the wake result. */
int task_suspend(task_time deadline);
void task_wake(struct task *task, int result);
/* Registers fd with the loop and a callback for its edges. 0 or -errno. */
int task_watch_callback(int fd, void (*callback)(void));
task_time task_clock_read(void);
void task_timers_run(void);
task_time task_timers_next(void);
struct task *task_stack_new(size_t size);
void task_stack_free(struct task *task);
void task_stacks_drop(void);
/* A task begins to wait: sees to it that its stack is trimmed if the wait becomes long. */
void task_stacks_trim_later(struct task *task);
void task_offload_close(void);
void task_signals_close(void);

#endif
