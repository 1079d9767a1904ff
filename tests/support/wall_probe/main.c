/* A daemon that does what an intruder would try, from inside: it is put into daemon_directory under
 * the name of a real one, gets that one's rights, and obeys one-line commands of its client: those
 * of attempts.c, and WORKER service uid gid [tree], ASK service, HOARD service count, GUESS
 * own|none|pair, BREACH how, WHOAMI. TELL service command and TELLWORKER service uid gid tree|-
 * command pass a command on to another probe. Answers "OK ..." or the name of the errno. A worker
 * names its room's files of root too, which it must not get. "wall_probe harness
 * [permissive | seccomp] [landlock[=folder]]..." obeys standard input without master, behind these
 * walls alone (permissive: what the most trusted may); without any, behind none.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attempts.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/control.h"
#include "daemon/daemon.h"
#include "service/auth.h"
#include "sys/sandbox.h"

#define ANSWER_MS 5000

static const char *const private_files[] = {"smtpd_tls_key_file", NULL};
static const char *const local_files[] = {"auth_user_maps", NULL};

static void session(int fd_take, const struct address *peer);
static void serve(struct channel *channel_take, const char *peer);

/* As in each room's main.c and worker_main.c. */
static struct daemon_spec specs[] = {
	{.name = "smtpd", .rights = 0, .chroot = true,
		.private_files = private_files},
	{.name = "smtp", .rights = DAEMON_NETWORK_OUT, .chroot = true},
	{.name = "anvil", .rights = DAEMON_NETWORK_OUT, .chroot = true},
	{.name = "imapd", .rights = 0, .chroot = true, .private_files = private_files},
	{.name = "imapd-worker", .is_worker = true, .rights = DAEMON_FILES,
		.private_files = private_files},
	{.name = "pop3d", .rights = 0, .chroot = true},
	{.name = "pop3d-worker", .is_worker = true, .rights = DAEMON_FILES},
	{.name = "local", .rights = 0, .private_files = local_files},
	{.name = "local-worker", .is_worker = true, .rights = DAEMON_FILES,
		.command_rights = DAEMON_EXEC, .private_files = local_files},
	{.name = "cleanup", .rights = DAEMON_QUEUE},
	{.name = "qmgr", .rights = DAEMON_QUEUE},
	{.name = "auth", .rights = DAEMON_PASSWORDS},
	{.name = "proxymap", .rights = 0},
};

/* --- other daemons --- */

/* "service uid gid [tree [command]]"; tree "-": none. */
static int connect_worker(
	const char *arguments, struct channel **ret_channel, const char **ret_rest)
{
	char service[64], tree[500] = "-";
	unsigned uid, gid;
	int used = 0;
	if (sscanf(arguments, "%63s %u %u %499s%n", service, &uid, &gid, tree, &used) < 3)
		return -EINVAL;
	char *command = strstr(service, "+command");
	if (command != NULL)
		*command = '\0';
	struct daemon_worker worker = {.service = service,
		.uid = uid,
		.gid = gid,
		.command = command != NULL,
		.tree = strcmp(tree, "-") == 0 ? SPAN_EMPTY : span_from_cstr(tree)};
	if (ret_rest != NULL)
		*ret_rest = arguments + used + strspn(arguments + used, " ");
	return daemon_connect_worker(&worker, task_deadline(ANSWER_MS), ret_channel);
}

static int try_worker(const char *arguments)
{
	struct channel *channel = NULL;
	int error = connect_worker(arguments, &channel, NULL);
	channel_free(channel);
	return error;
}

/* Says the command to the probe at the other end; its answer goes to our client. */
static int pass_on(struct channel *channel_take, const char *command, struct stream *client)
{
	struct stream *other = stream_new(channel_release(channel_take, NULL), 4096, 4096);
	struct span line;
	int error = stream_write_format(other, "%s\n", command);
	if (error == 0)
		error = stream_flush(other, task_deadline(ANSWER_MS));
	if (error == 0)
		error = stream_read_line(other, 1000, task_deadline(2 * ANSWER_MS), &line);
	if (error == 0)
		error = stream_write(client, line);
	stream_free(other);
	return error;
}

static int tell(const char *arguments, struct stream *client)
{
	char service[64];
	int used = 0;
	if (sscanf(arguments, "%63s%n", service, &used) != 1)
		return -EINVAL;
	struct channel *channel = daemon_connect(service, task_deadline(ANSWER_MS));
	if (channel == NULL)
		return -EACCES;
	return pass_on(channel, arguments + used + strspn(arguments + used, " "), client);
}

static int tell_worker(const char *arguments, struct stream *client)
{
	struct channel *channel = NULL;
	const char *command;
	int error = connect_worker(arguments, &channel, &command);
	return error != 0 ? error : pass_on(channel, command, client);
}

static int result_of(long value)
{
	return value < 0 ? -errno : 0;
}

/* A guess at alice's password, as a front that says what it likes of its client. how: "own" passes
 * our client's connection, "none" none, "pair" one that leads nowhere. */
static int guess(const char *how, struct stream *client)
{
	int pair[2] = {-1, -1};
	struct auth_start start = {.service = SPAN("imap"), .mechanism = SPAN("PLAIN"),
		.has_response = true, .response = SPAN("\0alice\0wrong"),
		.local_address = SPAN("192.0.2.1"), .client_fd = -1};
	void *message;
	if (strcmp(how, "own") == 0)
		start.client_fd = stream_fd(client);
	else if (strcmp(how, "pair") == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0)
		start.client_fd = pair[0];
	struct channel *channel = daemon_connect("auth", task_deadline(ANSWER_MS));
	int error = channel == NULL ? -EACCES : channel_call(channel, &auth_start_type, &start,
		&auth_reply_type, task_deadline(60000), &message);
	if (error == 0)
		error = ((struct auth_reply *)message)->status == AUTH_OK ? 0 : -EACCES;
	channel_free(channel);
	close(pair[0]);
	close(pair[1]);
	return error;
}

/* Many channels at once: E2BIG when the other end closed some of them. */
static int hoard(const char *arguments)
{
	char service[64];
	unsigned count = 0, closed = 0;
	if (sscanf(arguments, "%63s %u", service, &count) != 2 || count > 10000)
		return -EINVAL;
	struct channel **channels = memory_zalloc(count, sizeof *channels);
	for (unsigned i = 0; i < count; i++) {
		channels[i] = daemon_connect(service, task_deadline(ANSWER_MS));
		/* Not faster than the other end takes them: master refuses what piles up. */
		if (i % 250 == 249)
			(void)task_sleep(100);
	}
	/* Behind the last one, all are decided. */
	(void)task_sleep(500);
	for (unsigned i = 0; i < count; i++) {
		struct pollfd item = {.fd = channels[i] == NULL ? -1 : channel_fd(channels[i]),
			.events = POLLIN};
		closed += channels[i] == NULL || poll(&item, 1, 0) != 0;
		channel_free(channels[i]);
	}
	free(channels);
	return closed == 0 ? 0 : -E2BIG;
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
	if (strcmp(verb, "WORKER") == 0)
		return try_worker(argument);
	if (strcmp(verb, "ASK") == 0)
		return try_ask(argument);
	if (strcmp(verb, "HOARD") == 0)
		return hoard(argument);
	if (strcmp(verb, "BREACH") == 0)
		return breach(argument);
	return attempt(verb, argument);
}

/* One command, answered. */
static void obey_line(struct stream *stream, char *text)
{
	char *argument = strchr(text, ' ');
	if (argument != NULL)
		*argument++ = '\0';
	else
		argument = text + strlen(text);
	int error;
	if (strcmp(text, "WHOAMI") == 0) {
		(void)stream_write_format(stream, "OK %s pid=%d uid=%d gid=%d\n", daemon_service(),
			(int)getpid(), (int)geteuid(), (int)getegid());
		return;
	}
	if (strcmp(text, "TELL") == 0 || strcmp(text, "TELLWORKER") == 0) {
		error = text[4] == 'W' ? tell_worker(argument, stream) : tell(argument, stream);
		if (error == 0)
			return;
	} else if (strcmp(text, "GUESS") == 0) {
		error = guess(argument, stream);
	} else {
		error = obey(text, argument);
	}
	(void)stream_write_format(stream, "%s\n", error == 0 ? "OK" : strerrorname_np(-error));
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
		obey_line(stream, text);
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
	struct stream *stream = stream_new(channel_release(channel_take, NULL), 4096, 4096);
	log_info(NULL, "peer %s", peer);
	talk(stream);
	stream_free(stream);
}

/* --- without master --- */

/* Each command in a child of its own, which closes the walls and tries. */
static int harness_child(const struct sandbox *sandbox, bool walls, char *text)
{
	const char *warning;
	char *argument = strchr(text, ' ');
	if (argument != NULL)
		*argument++ = '\0';
	int error = walls ? sandbox_enter(sandbox, &warning) : 0;
	if (error == 0)
		error = attempt(text, argument == NULL ? "" : argument);
	return -error;
}

static int harness(int argc, char **argv)
{
	struct sandbox_folder folders[16];
	struct sandbox sandbox = {.allow = ~0U, .any_folder = true, .folders = folders};
	char text[1000];
	for (int i = 2; i < argc && i < 16; i++) {
		if (strcmp(argv[i], "seccomp") == 0)
			sandbox.allow = 0;
		else if (strcmp(argv[i], "permissive") != 0)
			sandbox.any_folder = false;
		if (strncmp(argv[i], "landlock=", 9) == 0)
			folders[sandbox.folder_count++] = (struct sandbox_folder){argv[i] + 9, true};
	}
	while (fgets(text, sizeof text, stdin) != NULL) {
		text[strcspn(text, "\n")] = '\0';
		pid_t pid = fork();
		int status = 0;
		if (pid == 0)
			_exit(harness_child(&sandbox, argc > 2, text));
		(void)waitpid(pid, &status, 0);
		printf("%s\n", status == 0 ? "OK" : WIFEXITED(status)
			? strerrorname_np(WEXITSTATUS(status)) : "killed");
		fflush(stdout);
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const char *name = basename(argv[0]);
	if (argc > 1 && strcmp(argv[1], "harness") == 0)
		return harness(argc, argv);
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
