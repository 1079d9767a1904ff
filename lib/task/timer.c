/* Timers in a binary heap, and the loop's clock (real or, in tests, fake).
 * SPDX-License-Identifier: ISC */
#include <time.h>

#include "base/check.h"
#include "base/memory.h"
#include "task/loop_private.h"

task_time task_clock_read(void)
{
	struct timespec now;
	if (task_loop.fake_clock)
		return task_loop.now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (task_time)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

task_time task_now(void)
{
	if (!task_loop.open && !task_loop.fake_clock)
		return task_clock_read();
	return task_loop.now;
}

task_time task_deadline(int64_t ms)
{
	task_time now = task_now();
	return ms >= TASK_FOREVER - now ? TASK_FOREVER : now + ms;
}

void task_clock_fake(task_time start)
{
	task_loop.fake_clock = true;
	task_loop.now = start;
}

void task_clock_advance(int64_t ms)
{
	task_loop.now += ms;
}

static void place(size_t index, struct task_timer *timer)
{
	task_loop.heap[index] = timer;
	timer->heap_index = index;
}

static void sift_up(size_t index, struct task_timer *timer)
{
	while (index > 1 && task_loop.heap[index / 2]->when > timer->when) {
		place(index, task_loop.heap[index / 2]);
		index /= 2;
	}
	place(index, timer);
}

static void sift_down(size_t index, struct task_timer *timer)
{
	for (;;) {
		size_t child = index * 2;
		if (child > task_loop.heap_count)
			break;
		if (child < task_loop.heap_count &&
			task_loop.heap[child + 1]->when < task_loop.heap[child]->when)
			child++;
		if (task_loop.heap[child]->when >= timer->when)
			break;
		place(index, task_loop.heap[child]);
		index = child;
	}
	place(index, timer);
}

static void timer_add(struct task_timer *timer, task_time when)
{
	if (task_loop.heap_count + 2 > task_loop.heap_alloc) {
		task_loop.heap_alloc = task_loop.heap_alloc == 0 ? 64 : task_loop.heap_alloc * 2;
		task_loop.heap = memory_resize(task_loop.heap, task_loop.heap_alloc,
			sizeof *task_loop.heap);
	}
	timer->when = when;
	sift_up(++task_loop.heap_count, timer);
}

void task_timer_start(struct task_timer *timer, int64_t ms, void (*fn)(void *arg), void *arg)
{
	task_timer_stop(timer);
	timer->fn = fn;
	timer->arg = arg;
	timer_add(timer, task_deadline(ms));
}

void task_timer_stop(struct task_timer *timer)
{
	size_t index = timer->heap_index;
	if (index == 0)
		return;
	CHECK(task_loop.heap[index] == timer);
	struct task_timer *last = task_loop.heap[task_loop.heap_count--];
	timer->heap_index = 0;
	if (last == timer)
		return;
	if (index > 1 && task_loop.heap[index / 2]->when > last->when)
		sift_up(index, last);
	else
		sift_down(index, last);
}

task_time task_timers_next(void)
{
	return task_loop.heap_count == 0 ? TASK_FOREVER : task_loop.heap[1]->when;
}

void task_timers_run(void)
{
	while (task_loop.heap_count > 0 && task_loop.heap[1]->when <= task_loop.now) {
		struct task_timer *timer = task_loop.heap[1];
		task_timer_stop(timer);
		timer->fn(timer->arg);
	}
}
