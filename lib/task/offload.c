/* A small pool of threads for calls that block (fsync, cold reads, getpwnam). The thread touches
 * only the job; the task sleeps until its job is done. A thread is started when a job finds none
 * that is free: a process with one client has one.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "task/loop_private.h"

#define THREADS_MAX 64
#define THREAD_STACK (512 * 1024)

struct job {
	struct list_node node;
	void (*fn)(void *arg);
	void *arg;
	struct task *task;
	bool done;
};

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t wanted;
	struct list_node waiting, finished;
	size_t waiting_count; /* jobs that no thread has taken yet */
	size_t free_count;    /* threads without a job */
	pthread_t threads[THREADS_MAX];
	unsigned thread_count, thread_target;
	bool started, stopping;
	int event_fd;
} pool = {.mutex = PTHREAD_MUTEX_INITIALIZER,
	.wanted = PTHREAD_COND_INITIALIZER,
	.thread_target = 4,
	.event_fd = -1};

void task_offload_threads(unsigned count)
{
	CHECK(!pool.started && count <= THREADS_MAX);
	pool.thread_target = count;
}

static void *thread_main(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&pool.mutex);
	for (;;) {
		struct list_node *node = list_pop(&pool.waiting);
		if (node == NULL) {
			if (pool.stopping)
				break;
			pthread_cond_wait(&pool.wanted, &pool.mutex);
			continue;
		}
		pool.waiting_count--;
		pool.free_count--;
		struct job *job = LIST_ENTRY(node, struct job, node);
		pthread_mutex_unlock(&pool.mutex);
		job->fn(job->arg);
		pthread_mutex_lock(&pool.mutex);
		pool.free_count++;
		bool first = list_is_empty(&pool.finished);
		list_append(&pool.finished, &job->node);
		if (first) {
			/* Whoever is woken wants the lock. */
			pthread_mutex_unlock(&pool.mutex);
			uint64_t one = 1;
			ssize_t written = write(pool.event_fd, &one, sizeof one);
			CHECK(written == sizeof one);
			pthread_mutex_lock(&pool.mutex);
		}
	}
	pthread_mutex_unlock(&pool.mutex);
	return NULL;
}

static void collect_finished(void)
{
	uint64_t count;
	struct list_node done;
	if (read(pool.event_fd, &count, sizeof count) < 0 && errno != EAGAIN)
		log_error(NULL, "offload: eventfd: %m");
	list_init(&done);
	pthread_mutex_lock(&pool.mutex);
	for (struct list_node *node; (node = list_pop(&pool.finished)) != NULL;)
		list_append(&done, node);
	pthread_mutex_unlock(&pool.mutex);
	for (struct list_node *node; (node = list_pop(&done)) != NULL;) {
		struct job *job = LIST_ENTRY(node, struct job, node);
		struct task *task = job->task;
		job->done = true;
		task_wake(task, 0);
	}
}

static int start_pool(void)
{
	if (pool.started)
		return 0;
	list_init(&pool.waiting);
	list_init(&pool.finished);
	pool.waiting_count = pool.free_count = 0;
	pool.stopping = false;
	pool.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool.event_fd < 0)
		return -errno;
	int status = task_watch_callback(pool.event_fd, collect_finished);
	if (status != 0) {
		close(pool.event_fd);
		pool.event_fd = -1;
		return status;
	}
	pool.started = true;
	return 0;
}

static void start_thread(void)
{
	sigset_t all, old;
	pthread_attr_t attributes;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	if (pthread_create(&pool.threads[pool.thread_count], &attributes, thread_main, NULL) == 0) {
		pool.thread_count++;
		pool.free_count++;
	}
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* False: there is no thread at all. */
static bool put_in_queue(struct job *job)
{
	pthread_mutex_lock(&pool.mutex);
	if (pool.waiting_count >= pool.free_count && pool.thread_count < pool.thread_target)
		start_thread();
	bool good = pool.thread_count > 0;
	if (good) {
		list_append(&pool.waiting, &job->node);
		pool.waiting_count++;
	}
	pthread_mutex_unlock(&pool.mutex);
	if (good)
		pthread_cond_signal(&pool.wanted);
	return good;
}

void task_offload(void (*fn)(void *arg), void *arg)
{
	struct task *task = task_self();
	struct job job = {.fn = fn, .arg = arg, .task = task};
	if (task == NULL || start_pool() != 0 || !put_in_queue(&job)) {
		fn(arg);
		return;
	}
	/* The job lives on this stack: it must be done before we go on, cancelled or not. */
	bool canceled = task->canceled;
	while (!job.done) {
		task->canceled = false;
		list_init(&task->node);
		if (task_suspend(TASK_FOREVER) == -ECANCELED)
			canceled = true;
	}
	task->canceled = canceled;
}

void task_offload_close(void)
{
	if (!pool.started)
		return;
	pthread_mutex_lock(&pool.mutex);
	pool.stopping = true;
	pthread_cond_broadcast(&pool.wanted);
	pthread_mutex_unlock(&pool.mutex);
	for (unsigned i = 0; i < pool.thread_count; i++)
		pthread_join(pool.threads[i], NULL);
	close(pool.event_fd);
	pool.event_fd = -1;
	pool.started = false;
	pool.thread_count = 0;
}
