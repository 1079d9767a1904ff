/* See attempts.h. Needs nothing of a daemon: also run without one, where walls are left out.
 * SPDX-License-Identifier: ISC */
#include "attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/span.h"
#include "daemon/control.h"

static int result_of(long value)
{
	return value < 0 ? -errno : 0;
}

static pid_t pid_in(const char *argument)
{
	uint64_t pid = 0;
	return span_to_u64(span_from_cstr(argument), INT32_MAX, &pid) ? (pid_t)pid : -1;
}

static int close_after(long fd)
{
	if (fd < 0)
		return -errno;
	close((int)fd);
	return 0;
}

/* --- files --- */

static int try_open(const char *path)
{
	return close_after(open(path, O_RDONLY | O_CLOEXEC));
}

static int try_write(const char *path)
{
	return close_after(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int try_remove(const char *path)
{
	return result_of(unlink(path));
}

static int try_link(const char *path)
{
	return result_of(symlink("/etc/shadow", path));
}

static int try_mode(const char *path)
{
	return result_of(chmod(path, 0777));
}

static int try_owner(const char *path)
{
	return result_of(chown(path, (uid_t)-1, getegid()));
}

static int try_device(const char *path)
{
	return result_of(mknod(path, S_IFCHR | 0600, 0x103));
}

static int try_list(const char *path)
{
	return close_after(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int try_chroot(const char *path)
{
	return result_of(chroot(path));
}

static int try_mount(const char *argument)
{
	(void)argument;
	int error = result_of(mount("none", "/", "tmpfs", MS_RDONLY | MS_REMOUNT, "none"));
	return error == -EINVAL ? 0 : error; /* no such option: it was looked at */
}

/* --- the log --- */

static int try_empty_log(const char *argument)
{
	(void)argument;
	return result_of(ftruncate(CONTROL_LOG_FD, 0));
}

/* Making the log one that can be written over, or one write that is not appended. */
static int try_overwrite_log(const char *how)
{
	char byte = '?';
	struct iovec part = {&byte, 1};
	if (strcmp(how, "pwritev2") == 0)
		return result_of(syscall(SYS_pwritev2, CONTROL_LOG_FD, &part, 1, 0, 0, 0x20));
	if (strcmp(how, "copy") == 0)
		return result_of(fcntl(dup(CONTROL_LOG_FD), F_SETFL, O_NONBLOCK));
	if (strcmp(how, "hole") == 0)
		return result_of(fallocate(
			CONTROL_LOG_FD, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4096));
	return result_of(fcntl(CONTROL_LOG_FD, F_SETFL, 0));
}

/* --- sockets --- */

static int try_socket(const char *family)
{
	static const struct {
		const char *name;
		int family, type;
	} kinds[] = {
		{"inet", AF_INET, SOCK_STREAM}, {"inet6", AF_INET6, SOCK_STREAM},
		{"udp", AF_INET, SOCK_DGRAM}, {"unix", AF_UNIX, SOCK_STREAM},
		{"netlink", AF_NETLINK, SOCK_RAW}, {"raw", AF_INET, SOCK_RAW},
		{"packet", AF_PACKET, SOCK_RAW}, {"alg", AF_ALG, SOCK_SEQPACKET},
		{"vsock", AF_VSOCK, SOCK_STREAM},
	};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].name, family) == 0)
			return close_after(socket(kinds[i].family, kinds[i].type,
				kinds[i].type == SOCK_RAW && kinds[i].family == AF_INET ? IPPROTO_ICMP : 0));
	return -ENOSYS;
}

/* One end of a pair sends to somebody else: to an abstract name, which no file system guards. */
static int try_datagram(const char *name)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int pair[2];
	size_t len = strlen(name);
	if (len >= sizeof to.sun_path)
		return -ENAMETOOLONG;
	memcpy(to.sun_path + 1, name, len);
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len);
	ssize_t sent = sendto(pair[0], "x", 1, MSG_DONTWAIT, (struct sockaddr *)&to, size);
	int error = sent < 0 ? -errno : 0;
	close(pair[0]);
	close(pair[1]);
	return error;
}

static int try_listen(const char *argument)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	(void)argument;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int error = result_of(bind(fd, (struct sockaddr *)&any, sizeof any));
	if (error == 0)
		error = result_of(listen(fd, 1));
	close(fd);
	return error;
}

static int try_connect(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof to.sun_path)
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int error = result_of(connect(fd, (struct sockaddr *)&to, sizeof to));
	close(fd);
	return error;
}

/* --- other processes --- */

static int try_exec(const char *path)
{
	char *const arguments[] = {(char *)(uintptr_t)path, NULL};
	execv(path, arguments);
	return -errno;
}

static int try_fork(const char *argument)
{
	(void)argument;
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(0);
	(void)waitpid(pid, NULL, 0);
	return 0;
}

static int try_ptrace(const char *argument)
{
	pid_t pid = pid_in(argument);
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return -errno;
	(void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return 0;
}

static int try_read_memory(const char *argument)
{
	char byte;
	static const char target = 'x';
	struct iovec own = {&byte, 1}, other = {(void *)(uintptr_t)&target, 1};
	int error = result_of(process_vm_readv(pid_in(argument), &own, 1, &other, 1, 0));
	return error == -EFAULT ? 0 : error; /* the address means nothing there, but it was looked at */
}

static int try_kill(const char *argument)
{
	return result_of(kill(pid_in(argument), 0));
}

static int try_tgkill(const char *argument)
{
	return result_of(syscall(SYS_tgkill, pid_in(argument), pid_in(argument), 0));
}

/* A signal by way of fcntl(): the readable end of a pipe signals its owner. */
static int try_sigio(const char *argument)
{
	int pair[2];
	if (pipe(pair) < 0)
		return -errno;
	int error = result_of(fcntl(pair[0], F_SETOWN, pid_in(argument)));
	close(pair[0]);
	close(pair[1]);
	return error;
}

static int try_pidfd(const char *argument)
{
	return close_after(syscall(SYS_pidfd_open, pid_in(argument), 0));
}

static int try_limits(const char *argument)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
	struct rlimit old;
	pid_t pid = pid_in(argument);
	if (getrlimit(RLIMIT_CORE, &old) == 0)
		limit = old;
	return result_of(prlimit(pid, RLIMIT_CORE, &limit, NULL));
}

/* --- rights --- */

static int try_user(const char *how)
{
	if (strcmp(how, "setuid") == 0)
		return result_of(syscall(SYS_setuid, 0));
	if (strcmp(how, "setresuid") == 0)
		return result_of(syscall(SYS_setresuid, 0, 0, 0));
	if (strcmp(how, "setgid") == 0)
		return result_of(syscall(SYS_setgid, 0));
	if (strcmp(how, "setgroups") == 0)
		return result_of(syscall(SYS_setgroups, 0, NULL));
	if (strcmp(how, "setfsuid") == 0) {
		/* It tells nothing but the old one: asked twice. */
		(void)syscall(SYS_setfsuid, 1);
		long now = syscall(SYS_setfsuid, -1);
		(void)syscall(SYS_setfsuid, geteuid());
		return now == 1 ? 0 : -EPERM;
	}
	return -ENOSYS;
}

static int try_capabilities(const char *argument)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	(void)argument;
	memset(data, 0, sizeof data);
	data[0].effective = data[0].permitted = 1U << CAP_SYS_CHROOT;
	return result_of(syscall(SYS_capset, &header, data));
}

/* In a child where there may be one: it would change this process. */
static int try_unshare(const char *argument)
{
	(void)argument;
	return result_of(unshare(CLONE_NEWUSER));
}

static int try_dumpable(const char *argument)
{
	(void)argument;
	return result_of(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

/* --- what the kernel offers besides --- */

static int try_kernel(const char *what)
{
	struct io_uring_params ring = {0};
	struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event,
		.config = PERF_COUNT_SW_CPU_CLOCK, .exclude_kernel = 1};
	union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4,
		.max_entries = 1};
	if (strcmp(what, "io_uring") == 0)
		return close_after(syscall(SYS_io_uring_setup, 1, &ring));
	if (strcmp(what, "bpf") == 0)
		return close_after(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
	if (strcmp(what, "keyctl") == 0)
		return result_of(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1));
	if (strcmp(what, "userfaultfd") == 0)
		return close_after(syscall(SYS_userfaultfd, O_CLOEXEC | 1));
	if (strcmp(what, "perf") == 0)
		return close_after(syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
	if (strcmp(what, "personality") == 0)
		return result_of(syscall(SYS_personality, 0x0040000));
	if (strcmp(what, "seccomp") == 0)
		return result_of(syscall(SYS_seccomp, 2 /* SECCOMP_GET_ACTION_AVAIL */, 0, &(uint32_t){0}));
	return -ENOSYS;
}

static int try_exit(const char *argument)
{
	_exit((int)pid_in(argument));
}

static const struct {
	const char *verb;
	int (*run)(const char *argument);
} attempts[] = {
	{"CAPSET", try_capabilities}, {"CHROOT", try_chroot}, {"CONNECT", try_connect},
	{"DATAGRAM", try_datagram},
	{"DEVICE", try_device}, {"DUMPABLE", try_dumpable}, {"EMPTYLOG", try_empty_log},
	{"EXEC", try_exec}, {"EXIT", try_exit}, {"FORK", try_fork}, {"KERNEL", try_kernel},
	{"KILL", try_kill}, {"LIMITS", try_limits}, {"LINK", try_link}, {"LIST", try_list},
	{"LISTEN", try_listen}, {"MODE", try_mode}, {"MOUNT", try_mount}, {"OPEN", try_open},
	{"OVERLOG", try_overwrite_log}, {"OWNER", try_owner}, {"PIDFD", try_pidfd},
	{"PTRACE", try_ptrace}, {"READ", try_read_memory}, {"REMOVE", try_remove},
	{"SIGIO", try_sigio}, {"SOCKET", try_socket}, {"TGKILL", try_tgkill}, {"UNSHARE", try_unshare},
	{"USER", try_user}, {"WRITE", try_write},
};

int attempt(const char *verb, const char *argument)
{
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
		if (strcmp(attempts[i].verb, verb) == 0)
			return attempts[i].run(argument);
	return -ENOSYS;
}
