/* Stacks of tasks: mapped with a guard page below, struct task at the top, some kept for reuse.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "task/loop_private.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define STACK_REGISTER(low, high) (unsigned)VALGRIND_STACK_REGISTER(low, high)
#define STACK_DEREGISTER(id) VALGRIND_STACK_DEREGISTER(id)
#else
#define STACK_REGISTER(low, high) ((void)(low), (void)(high), 0u)
#define STACK_DEREGISTER(id) ((void)(id))
#endif

#ifdef TASK_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef TASK_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
/* What only a task's stack points to is no leak. */
#define LEAK_ROOT(address, size) __lsan_register_root_region(address, size)
#define LEAK_ROOT_GONE(address, size) __lsan_unregister_root_region(address, size)
#else
#define LEAK_ROOT(address, size) ((void)(address), (void)(size))
#define LEAK_ROOT_GONE(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

#ifdef TAMBO_SANITIZED
#define STACK_DEFAULT (256 * 1024)
#else
#define STACK_DEFAULT (64 * 1024)
#endif
#define STACK_MIN (16 * 1024)
#define STACKS_KEPT 64
/* A stack is trimmed after this time asleep; looked at as often. */
#define TRIM_MS 5000

static struct task *kept[STACKS_KEPT];
static size_t kept_count;

static size_t guard_size(void)
{
	static size_t size;
	if (size == 0)
		size = (size_t)sysconf(_SC_PAGESIZE);
	return size;
}

static struct task *map_stack(size_t size)
{
	size_t guard = guard_size();
	size_t mapped = size + guard;
	char *base = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (base == MAP_FAILED)
		return NULL;
	if (mprotect(base, guard, PROT_NONE) != 0) {
		munmap(base, mapped);
		return NULL;
	}
	size_t head = (sizeof(struct task) + 63) / 64 * 64;
	struct task *task = (struct task *)(void *)(base + mapped - head);
	task->stack = base + guard;
	task->stack_size = size - head;
	LEAK_ROOT(task->stack, size);
	task->valgrind_id = STACK_REGISTER(task->stack, task->stack + task->stack_size);
	return task;
}

static void unmap_stack(struct task *task)
{
	char *base = task->stack - guard_size();
	size_t head = (sizeof(struct task) + 63) / 64 * 64;
	STACK_DEREGISTER(task->valgrind_id);
	LEAK_ROOT_GONE(task->stack, task->stack_size + head);
	munmap(base, guard_size() + task->stack_size + head);
}

struct task *task_stack_new(size_t size)
{
	struct task *task = NULL;
	bool plain = size == 0;
	if (plain)
		size = STACK_DEFAULT;
	if (size < STACK_MIN)
		size = STACK_MIN;
	size = (size + guard_size() - 1) / guard_size() * guard_size();
	if (plain && kept_count > 0)
		task = kept[--kept_count];
	else
		task = map_stack(size);
	if (task == NULL)
		return NULL;
	char *stack = task->stack;
	size_t stack_size = task->stack_size;
	unsigned id = task->valgrind_id;
	*task = (struct task){.stack = stack, .stack_size = stack_size, .valgrind_id = id,
		.wait_fd = {-1, -1, -1, -1}};
#ifdef TASK_TSAN
	task->fiber = __tsan_create_fiber(0);
#endif
	return task;
}

void task_stack_free(struct task *task)
{
	/* The last frames of a task are left, not returned from: their red zones are still there. */
	ASAN_UNPOISON_MEMORY_REGION(task->stack, task->stack_size);
	size_t head = (sizeof(struct task) + 63) / 64 * 64;
#ifdef TASK_TSAN
	__tsan_destroy_fiber(task->fiber);
#endif
	if (kept_count < STACKS_KEPT && task->stack_size + head == STACK_DEFAULT)
		kept[kept_count++] = task;
	else
		unmap_stack(task);
}

void task_stacks_drop(void)
{
	while (kept_count > 0)
		unmap_stack(kept[--kept_count]);
}

/* --- long waits --- */

#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(TAMBO_SANITIZED)
/* What lies below the saved stack pointer is dead: a deep call of long ago (a handshake, a search)
 * need not cost memory while the task sleeps. The red zone and the switch's own frame stay. */
static void trim(struct task *task)
{
	size_t page = guard_size();
	uintptr_t low = (uintptr_t)task->stack;
	uintptr_t high = ((uintptr_t)task->context.stack_pointer - 256) / page * page;
	if (high > low)
		(void)madvise(task->stack, high - low, MADV_DONTNEED);
}
#else
static void trim(struct task *task)
{
	(void)task;
}
#endif

static void trim_all(void *arg)
{
	bool again = false;
	(void)arg;
	LIST_FOREACH(node, &task_loop.all) {
		struct task *task = LIST_ENTRY(node, struct task, all);
		if (!task->waiting || task->trimmed)
			continue;
		if (task_loop.now - task->waiting_since < TRIM_MS) {
			again = true;
			continue;
		}
		trim(task);
		task->trimmed = true;
	}
	if (again) {
		task_timer_start(&task_loop.trim_timer, TRIM_MS, trim_all, NULL);
		return;
	}
	task_stacks_drop();
	if (task_loop.on_rest != NULL)
		task_loop.on_rest();
}

void task_stacks_trim_later(struct task *task)
{
	task->trimmed = false;
	task->waiting_since = task_loop.now;
	if (task_loop.trim_timer.heap_index == 0 && !task_loop.fake_clock)
		task_timer_start(&task_loop.trim_timer, TRIM_MS, trim_all, NULL);
}
