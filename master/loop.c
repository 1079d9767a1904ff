/* The event loop: control sockets, signals, and a clock for what waits. Master has no coroutines:
 * nothing it does takes long, and it must be easy to see that it is right.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "master/master.h"

#define WATCH_INTERVAL_MS 2000
#define BUSY_INTERVAL_MS 100
#define STOP_MS 10000
#define QUICK_STOP_MS 1000
#define HEAR_MS 2000
#define DRAIN_MS (3600 * 1000)

static int epoll_fd = -1;
static int64_t next_watch;
static int drain_signal; /* 0: not draining */

int64_t clock_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int loop_add(struct source *source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0 ? -errno : 0;
}

void loop_watch_writes(struct source *source, bool on)
{
	struct epoll_event event = {.events = EPOLLIN | (on ? EPOLLOUT : 0), .data.ptr = source};
	(void)epoll_ctl(epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
}

void loop_remove(struct source *source)
{
	(void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

static bool has_clients(const struct process *process)
{
	unsigned both = PROGRAM_CHROOT | PROGRAM_LISTENS;
	return process->role == CONTROL_ROLE_SERVICE && (process->program->flags & both) == both;
}

static void stop_all(int signo, int64_t ms)
{
	log_info(NULL, "terminating on signal %d", signo);
	notify_systemd("STOPPING=1");
	master.stopping = true;
	/* Who gives work to others hears what became of it: it ends last. */
	LIST_FOREACH(node, &master.processes) {
		struct process *process = LIST_ENTRY(node, struct process, all_node);
		bool last = (process->program->flags & PROGRAM_HANDS_OVER) != 0;
		process_stop(process, last ? ms + HEAR_MS : ms);
	}
	groups_give_up();
}

/* Those with clients finish first; the others serve them as long as that takes. */
static void start_drain(int signo)
{
	drain_signal = signo;
	log_info(NULL, "draining on signal %d", signo);
	LIST_FOREACH(node, &master.processes) {
		struct process *process = LIST_ENTRY(node, struct process, all_node);
		if (!has_clients(process))
			continue;
		if (process->group != NULL)
			process->group->wanted = 0;
		process_stop(process, DRAIN_MS);
	}
}

static void end_drain(void)
{
	if (drain_signal == 0 || master.stopping)
		return;
	LIST_FOREACH(node, &master.processes)
		if (has_clients(LIST_ENTRY(node, struct process, all_node)))
			return;
	stop_all(drain_signal, STOP_MS);
}

static void reload(void)
{
	notify_systemd("RELOADING=1");
	master_log_reopen();
	if (config_load() == 0) {
		master_log_reopen(); /* maillog_file may be another one now */
		log_info(NULL, "reload -- version %s, configuration %s", TAMBO_VERSION, master.config_dir);
	} else {
		log_error(NULL, "the configuration is not usable: the one before stays in force");
	}
	notify_systemd("READY=1");
	groups_run();
}

static void take_signal(struct source *source, unsigned events)
{
	struct signalfd_siginfo info;
	(void)events;
	while (read(source->fd, &info, sizeof info) == (ssize_t)sizeof info) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			process_reap();
			break;
		case SIGHUP:
			if (!master.stopping && drain_signal == 0)
				reload();
			break;
		case SIGUSR1:
			if (!master.stopping)
				start_drain((int)info.ssi_signo);
			break;
		case SIGQUIT:
			stop_all((int)info.ssi_signo, QUICK_STOP_MS);
			break;
		default:
			stop_all((int)info.ssi_signo, STOP_MS);
			break;
		}
	}
}

int loop_open(void)
{
	static const int signals[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1};
	static struct source signal_source;
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return -errno;
	signal_source.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_source.fd < 0)
		return -errno;
	signal_source.ready = take_signal;
	return loop_add(&signal_source);
}

static int next_wait(void)
{
	int64_t wait = groups_next_ms();
	bool late = false;
	LIST_FOREACH(node, &master.processes)
		late = late || LIST_ENTRY(node, struct process, all_node)->kill_after != 0;
	if (late && (wait < 0 || wait > BUSY_INTERVAL_MS))
		wait = BUSY_INTERVAL_MS;
	if (wait < 0 || wait > WATCH_INTERVAL_MS)
		wait = WATCH_INTERVAL_MS;
	return (int)wait;
}

static void run_clock(void)
{
	process_kill_late();
	master_log_retry();
	end_drain();
	if (!master.stopping)
		groups_run();
	if (clock_ms() >= next_watch && !master.stopping) {
		watch_check();
		next_watch = clock_ms() + WATCH_INTERVAL_MS;
	}
}

int loop_run(void)
{
	while (!master.stopping || !list_is_empty(&master.processes)) {
		/* One event a turn: handling it may free the source of another. */
		struct epoll_event event;
		int n = epoll_wait(epoll_fd, &event, 1, next_wait());
		if (n < 0 && errno != EINTR) {
			log_fatal(NULL, "epoll: %s", strerror(errno));
			return EXIT_FAILURE;
		}
		if (n == 1) {
			struct source *source = event.data.ptr;
			source->ready(source, event.events);
		}
		run_clock();
	}
	return EXIT_SUCCESS;
}
