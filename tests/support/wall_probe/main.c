/* A daemon that does what an intruder would try, from inside: it is put into daemon_directory under
 * the name of a real one, gets that one's rights, and obeys one-line commands of its client:
 * OPEN path, WRITE path, EXEC path, SOCKET family, CONNECT path, PTRACE pid, KILL pid, CHROOT path,
 * MOUNT, FORK, SIGIO pid, READ pid (its memory), WORKER service uid gid, ASK service, BREACH how,
 * WHOAMI, EMPTYLOG, OVERLOG how, EXIT status, WAIT. Answers "OK ..." or the name of the errno. A worker asks for
 * its room's files of root at the start, as the real ones do.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/control.h"
#include "daemon/daemon.h"

#define ANSWER_MS 5000

static const char *const private_files[] = {"smtpd_tls_key_file", NULL};
static const char *const local_files[] = {"auth_user_maps", NULL};

static void session(int fd_take, const struct address *peer);
static void serve(struct channel *channel_take, const char *peer);

/* As in each room's main.c. */
static struct daemon_spec specs[] = {
	{.name = "smtpd", .rights = 0, .chroot = true,
		.private_files = private_files},
	{.name = "smtp", .rights = DAEMON_NETWORK_OUT, .chroot = true},
	{.name = "anvil", .rights = DAEMON_NETWORK_OUT, .chroot = true},
	{.name = "imapd", .rights = 0, .worker_rights = DAEMON_FILES, .chroot = true,
		.private_files = private_files},
	{.name = "pop3d", .rights = 0, .worker_rights = DAEMON_FILES, .chroot = true},
	{.name = "local", .rights = 0, .worker_rights = DAEMON_FILES,
		.command_rights = DAEMON_EXEC, .private_files = local_files},
	{.name = "cleanup", .rights = DAEMON_QUEUE},
	{.name = "qmgr", .rights = DAEMON_QUEUE},
	{.name = "auth", .rights = DAEMON_PASSWORDS},
	{.name = "proxymap", .rights = 0},
};

static int result_of(long value)
{
	return value < 0 ? -errno : 0;
}

static int try_open(const char *path, int flags)
{
	int fd = open(path, flags, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int try_fork(void)
{
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(0);
	return 0;
}

static int try_exec(const char *path)
{
	char *const arguments[] = {(char *)(uintptr_t)path, NULL};
	execv(path, arguments);
	return -errno;
}

/* A signal by way of fcntl(): the readable end of a pipe signals its owner. */
static int try_sigio(pid_t pid)
{
	int pair[2];
	if (pipe(pair) < 0)
		return -errno;
	int error = fcntl(pair[0], F_SETOWN, pid) < 0 ? -errno : 0;
	close(pair[0]);
	close(pair[1]);
	return error;
}

static int try_read_memory(pid_t pid)
{
	char byte;
	struct iovec own = {&byte, 1}, other = {&byte, 1};
	return process_vm_readv(pid, &own, 1, &other, 1, 0) < 0 ? -errno : 0;
}

static int try_socket(const char *family)
{
	int number = strcmp(family, "inet") == 0 ? AF_INET : strcmp(family, "unix") == 0 ? AF_UNIX
										     : AF_NETLINK;
	int fd = socket(number, SOCK_STREAM, 0);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
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
		return result_of(fallocate(CONTROL_LOG_FD, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4096));
	return result_of(fcntl(CONTROL_LOG_FD, F_SETFL, 0));
}

static int try_worker(const char *arguments)
{
	char service[64];
	unsigned uid, gid;
	struct channel *channel = NULL;
	if (sscanf(arguments, "%63s %u %u", service, &uid, &gid) != 3)
		return -EINVAL;
	int error = daemon_connect_worker(
		service, uid, gid, task_deadline(ANSWER_MS), &channel);
	channel_free(channel);
	return error;
}

/* Everything a process may not do to the socket between master and it. */
static int breach(const char *how)
{
	struct control_message message;
	char longer[sizeof message + 100] = {0};
	control_message_init(&message, CONTROL_CONNECT);
	(void)control_message_set_text(&message, "cleanup");
	if (strcmp(how, "garbage") == 0) {
		memset(&message, 0xa5, sizeof message);
	} else if (strcmp(how, "short") == 0) {
		return result_of(send(CONTROL_FD, &message, 5, MSG_NOSIGNAL));
	} else if (strcmp(how, "long") == 0) {
		memcpy(longer, &message, sizeof message);
		return result_of(send(CONTROL_FD, longer, sizeof longer, MSG_NOSIGNAL));
	} else if (strcmp(how, "descriptor") == 0) {
		return control_send(CONTROL_FD, &message, STDERR_FILENO);
	} else if (strcmp(how, "types") == 0) {
		for (message.type = 30; message.type < 90; message.type++)
			if (control_send(CONTROL_FD, &message, -1) != 0)
				return -EIO;
		return 0;
	} else if (strcmp(how, "flood") == 0) {
		/* Never reads an answer: the loop of this process does not run meanwhile. */
		for (int i = 0; i < 2000000; i++) {
			int error = control_send(CONTROL_FD, &message, -1);
			if (error != 0 && error != -EAGAIN)
				return error;
		}
		return 0;
	}
	return control_send(CONTROL_FD, &message, -1);
}

/* Is there somebody at the other end who keeps the channel open? */
static int try_ask(const char *service)
{
	struct channel *channel = daemon_connect(service, task_deadline(ANSWER_MS));
	if (channel == NULL)
		return -EACCES;
	int error = channel_wait(channel, task_deadline(300));
	channel_free(channel);
	return error == -ETIMEDOUT ? 0 : -EPIPE;
}

static int obey(const char *verb, const char *argument)
{
	if (strcmp(verb, "OPEN") == 0)
		return try_open(argument, O_RDONLY);
	if (strcmp(verb, "WRITE") == 0)
		return try_open(argument, O_WRONLY | O_CREAT);
	if (strcmp(verb, "EXEC") == 0)
		return try_exec(argument);
	if (strcmp(verb, "SOCKET") == 0)
		return try_socket(argument);
	if (strcmp(verb, "PTRACE") == 0)
		return result_of(ptrace(PTRACE_ATTACH, (pid_t)atoi(argument), NULL, NULL));
	if (strcmp(verb, "KILL") == 0)
		return result_of(kill((pid_t)atoi(argument), 0));
	if (strcmp(verb, "SIGIO") == 0)
		return try_sigio((pid_t)atoi(argument));
	if (strcmp(verb, "READ") == 0)
		return try_read_memory((pid_t)atoi(argument));
	if (strcmp(verb, "EMPTYLOG") == 0)
		return result_of(ftruncate(CONTROL_LOG_FD, 0));
	if (strcmp(verb, "OVERLOG") == 0)
		return try_overwrite_log(argument);
	if (strcmp(verb, "CHROOT") == 0)
		return result_of(chroot(argument));
	if (strcmp(verb, "MOUNT") == 0)
		return result_of(mount("none", "/", "tmpfs", 0, NULL));
	if (strcmp(verb, "FORK") == 0)
		return try_fork();
	if (strcmp(verb, "WORKER") == 0)
		return try_worker(argument);
	if (strcmp(verb, "ASK") == 0)
		return try_ask(argument);
	if (strcmp(verb, "BREACH") == 0)
		return breach(argument);
	if (strcmp(verb, "EXIT") == 0)
		_exit(atoi(argument));
	return -ENOSYS;
}

static void talk(struct stream *stream)
{
	struct span line;
	while (!daemon_is_stopping()) {
		int error = stream_wait_input(stream, task_deadline(200));
		if (error == -ETIMEDOUT)
			continue;
		if (error != 0 || stream_read_line(stream, 1000, task_deadline(5000), &line) != 0)
			break;
		char *text = span_dup_cstr(span_trim(line));
		char *argument = strchr(text, ' ');
		if (argument != NULL)
			*argument++ = '\0';
		if (strcmp(text, "WHOAMI") == 0) {
			(void)stream_write_format(stream, "OK %s pid=%d uid=%d gid=%d\n", daemon_service(),
				(int)getpid(), (int)geteuid(), (int)getegid());
		} else {
			error = obey(text, argument == NULL ? "" : argument);
			(void)stream_write_format(stream, "%s\n",
				error == 0 ? "OK" : strerrorname_np(-error));
		}
		free(text);
		if (stream_flush(stream, task_deadline(ANSWER_MS)) != 0)
			break;
	}
}

static void session(int fd_take, const struct address *peer)
{
	struct stream *stream = stream_new(fd_take, 4096, 4096);
	(void)peer;
	log_info(NULL, "probe connected");
	talk(stream);
	stream_free(stream);
}

static void serve(struct channel *channel_take, const char *peer)
{
	log_info(NULL, "peer %s", peer);
	while (!daemon_is_stopping() && channel_wait(channel_take, task_deadline(100)) == -ETIMEDOUT)
		;
	channel_free(channel_take);
}

/* A story may patch the name in a copy of this program, to give one room's rights to another's
 * sockets. */
static volatile char rights_of[sizeof "wall_probe_as" + sizeof "proxymap"] = "wall_probe_as\0smtpd";

int main(int argc, char **argv)
{
	char patched[sizeof "proxymap"];
	const char *name = basename(argv[0]);
	for (size_t i = 0; i < sizeof patched; i++)
		patched[i] = rights_of[sizeof "wall_probe_as" + i];
	if (strcmp(name, "smtpd") == 0)
		name = patched;
	for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
		if (strcmp(specs[i].name, name) != 0)
			continue;
		specs[i].session = session;
		specs[i].serve = serve;
		return daemon_main(&specs[i], argc, argv);
	}
	fprintf(stderr, "wall_probe: no rights for %s\n", name);
	return EXIT_FAILURE;
}
