/* Signals, delivered on the loop through a signalfd.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/check.h"
#include "task/loop_private.h"

#define SIGNALS_MAX 65

static sigset_t handled;
static void (*handlers[SIGNALS_MAX])(int signo);
static int signal_fd = -1;

static void read_signals(void)
{
	struct signalfd_siginfo info;
	while (signal_fd >= 0 && read(signal_fd, &info, sizeof info) == sizeof info)
		if (info.ssi_signo < SIGNALS_MAX && handlers[info.ssi_signo] != NULL)
			handlers[info.ssi_signo]((int)info.ssi_signo);
}

int task_on_signal(int signo, void (*fn)(int signo))
{
	CHECK(signo > 0 && signo < SIGNALS_MAX && fn != NULL);
	bool first = signal_fd < 0;
	if (first)
		sigemptyset(&handled);
	sigaddset(&handled, signo);
	handlers[signo] = fn;
	if (sigprocmask(SIG_BLOCK, &handled, NULL) != 0)
		return -errno;
	int fd = signalfd(signal_fd, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	signal_fd = fd;
	return first ? task_watch_callback(fd, read_signals) : 0;
}

void task_signals_close(void)
{
	if (signal_fd < 0)
		return;
	close(signal_fd);
	signal_fd = -1;
	sigprocmask(SIG_UNBLOCK, &handled, NULL);
}
