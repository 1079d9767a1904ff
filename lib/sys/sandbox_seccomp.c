/* The system calls a process may use, by what it is allowed to do. Everything else answers EPERM:
 * a refused call is an error its caller handles, and shows in the log. What only an intruder wants
 * (exec, ptrace, loading code into the kernel) is not in any list.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "sys/sandbox.h"
#include "sys/sandbox_private.h"

/* libseccomp's comparison macros leave the last field of a structure out. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define SOCKET_TYPE_MASK 0xf /* without SOCK_CLOEXEC and SOCK_NONBLOCK */

static const int always[] = {
	/* bytes of what is open; not pwritev2(): RWF_NOAPPEND would write over the log */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64),
	SCMP_SYS(pwrite64), SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(preadv2),
	SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(fstat), SCMP_SYS(dup),
	SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(pipe), SCMP_SYS(pipe2),
	SCMP_SYS(sendfile), SCMP_SYS(splice), SCMP_SYS(fadvise64), SCMP_SYS(memfd_create),
	SCMP_SYS(fstatfs), SCMP_SYS(copy_file_range),
	/* sockets that are open */
	SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	/* memory */
	SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise),
	SCMP_SYS(brk), SCMP_SYS(mincore), SCMP_SYS(msync), SCMP_SYS(mlock), SCMP_SYS(munlock),
	/* waiting, time */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_create),
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
	SCMP_SYS(timerfd_gettime), SCMP_SYS(signalfd4), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(alarm), SCMP_SYS(setitimer),
	/* threads and signals */
	SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list), SCMP_SYS(rseq),
	SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(membarrier), SCMP_SYS(gettid),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigsuspend),
	SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(set_tid_address),
	SCMP_SYS(arch_prctl),
	/* itself */
	SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(getgroups), SCMP_SYS(getresuid), SCMP_SYS(getresgid),
	SCMP_SYS(getrandom), SCMP_SYS(getrlimit), SCMP_SYS(getrusage), SCMP_SYS(times),
	SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getcpu), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

static const int opening[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat),
	SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(statfs),
	SCMP_SYS(getcwd), SCMP_SYS(chdir), SCMP_SYS(fchdir), SCMP_SYS(inotify_init1),
	SCMP_SYS(inotify_add_watch), SCMP_SYS(inotify_rm_watch), SCMP_SYS(flock),
	/* flushing what is open: the front of local does it for its workers */
	SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(syncfs), SCMP_SYS(sync_file_range),
};

/* Landlock guards the folders in which names come and go, but not mode, owner and attributes of
 * what a path leads to: those are changed through a descriptor or not at all. */
static const int changing[] = {
	SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat),
	SCMP_SYS(renameat2), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(linkat),
	/* not in every process: the log file is open there, and must not be emptied */
	SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
	SCMP_SYS(fchmod), SCMP_SYS(fchown), SCMP_SYS(utimensat), SCMP_SYS(umask),
};

static int add_list(scmp_filter_ctx filter, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
		if (error != 0 && error != -EDOM) /* -EDOM: not a call of this architecture */
			return error;
	}
	return 0;
}

static int allow_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp condition)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition);
}

/* Not F_SETOWN, F_SETSIG and their like: SIGIO would be a kill() that reaches any process of the
 * same uid (Landlock knows of it only since Linux 6.12). */
static int add_fcntl(scmp_filter_ctx filter, unsigned allow)
{
	static const unsigned commands[] = {
		F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_GETLK, F_SETLK, F_SETLKW,
		F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_ADD_SEALS, F_GET_SEALS, F_GETPIPE_SZ,
		F_SETPIPE_SZ,
	};
	int error = 0;
	for (size_t i = 0; i < ARRAY_LEN(commands) && error == 0; i++)
		error = allow_if(filter, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, commands[i]));
	/* F_SETFL must not take O_APPEND from the log file; ioctl(FIONBIO) serves instead. Libraries
	 * that connect insist on it: their processes write their log into a pipe
	 * (master/log_pipe.c). */
	struct scmp_arg_cmp append[] = {SCMP_A1(SCMP_CMP_EQ, F_SETFL),
		SCMP_A2(SCMP_CMP_MASKED_EQ, O_APPEND, O_APPEND)};
	unsigned count = (allow & (SANDBOX_CONNECT | SANDBOX_LOCAL)) ? 1 : 2;
	if (error == 0)
		error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), count, append);
	return error;
}

static int add_sockets(scmp_filter_ctx filter, unsigned allow)
{
	/* Not SOCK_DGRAM: with sendto() one end of such a pair reaches every datagram socket that has a
	 * name, abstract ones too, which Landlock knows of only since Linux 6.12. */
	static const unsigned types[] = {SOCK_STREAM, SOCK_SEQPACKET};
	int error = 0;
	for (size_t i = 0; i < ARRAY_LEN(types) && error == 0; i++) {
		struct scmp_arg_cmp pair[] = {SCMP_A0(SCMP_CMP_EQ, AF_UNIX),
			SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE_MASK, types[i])};
		error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 2, pair);
	}
	if (error == 0 && (allow & (SANDBOX_CONNECT | SANDBOX_LOCAL)))
		error = allow_if(filter, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	if (error == 0 && (allow & (SANDBOX_CONNECT | SANDBOX_LOCAL)))
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);
	if (error != 0 || !(allow & SANDBOX_CONNECT))
		return error;
	error = allow_if(filter, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET));
	if (error == 0)
		error = allow_if(filter, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET6));
	if (error == 0)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bind), 0);
	return error;
}

/* Threads of its own, signals to itself, and the harmless parts of calls with many faces. */
static int add_narrow(scmp_filter_ctx filter)
{
	unsigned long pid = (unsigned long)getpid();
	int error = allow_if(filter, SCMP_SYS(clone),
		SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	/* glibc falls back to clone(), whose flags can be looked at. */
	if (error == 0)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (error == 0)
		error = allow_if(filter, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, pid));
	if (error == 0)
		error = allow_if(filter, SCMP_SYS(kill), SCMP_A0(SCMP_CMP_EQ, pid));
	if (error == 0)
		error = allow_if(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	if (error == 0)
		error = allow_if(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_VMA));
	if (error == 0)
		error = allow_if(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONREAD));
	if (error == 0)
		error = allow_if(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONBIO));
	/* prlimit64 to read (no new limit), and of itself only */
	struct scmp_arg_cmp self_read[] = {SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0)};
	if (error == 0)
		error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, self_read);
	return error;
}

int sandbox_seccomp(unsigned allow)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (filter == NULL)
		return -ENOMEM;
	int error = add_list(filter, always, ARRAY_LEN(always));
	if (error == 0 && (allow & SANDBOX_OPEN))
		error = add_list(filter, opening, ARRAY_LEN(opening));
	if (error == 0 && (allow & SANDBOX_CHANGE))
		error = add_list(filter, changing, ARRAY_LEN(changing));
	if (error == 0 && !(allow & SANDBOX_OPEN)) {
		/* fstat() of newer C libraries is newfstatat(fd, "", AT_EMPTY_PATH) */
		error = allow_if(filter, SCMP_SYS(newfstatat),
			SCMP_A3(SCMP_CMP_MASKED_EQ, 0x1000, 0x1000));
	}
	if (error == 0)
		error = add_fcntl(filter, allow);
	if (error == 0)
		error = add_sockets(filter, allow);
	if (error == 0)
		error = add_narrow(filter);
	if (error == 0)
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (error == 0)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}
