/* |command: run as the recipient, content on standard input, exit status as in <sysexits.h>. A
 * command without shell characters is run directly.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "local/command_line.h"
#include "local/worker.h"
#include "store/content.h"
#include "task/task.h"

#define OUTPUT_MAX 2000
#define OUTPUT_READ_MAX (1UL << 20)
#define KILL_GRACE_MS 5000

struct command {
	const struct local_work *work;
	struct command_line line;
	char *environment[LOCAL_VARIABLES_MAX + 4];
	pid_t pid;
	int pid_fd, in, out; /* our ends of the pipes */
	struct buf output;
	size_t output_seen;
	task_time deadline;
	bool timed_out;
};

static char *variable(struct span name, struct span value)
{
	struct buf text = BUF_INIT(16384);
	buf_append(&text, name);
	buf_append_char(&text, '=');
	buf_append(&text, value);
	return buf_steal(&text);
}

static void build_environment(struct command *command)
{
	const struct local_work *work = command->work;
	size_t count = 0;
	const char *zone = getenv("TZ");
	command->environment[count++] = variable(SPAN("PATH"), SPAN("/usr/local/bin:/usr/bin:/bin"));
	if (zone != NULL)
		command->environment[count++] = variable(SPAN("TZ"), span_from_cstr(zone));
	for (size_t i = 0; i < work->variable_count && i < LOCAL_VARIABLES_MAX; i++)
		if (memchr(work->variables[i].value.ptr, 0, work->variables[i].value.len) == NULL
			&& memchr(work->variables[i].name.ptr, 0, work->variables[i].name.len) == NULL)
			command->environment[count++] = variable(work->variables[i].name,
				work->variables[i].value);
	command->environment[count] = NULL;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	int error = posix_spawnattr_setflags(attributes,
		POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (error == 0)
		error = posix_spawnattr_setsigmask(attributes, &none);
	if (error == 0)
		error = posix_spawnattr_setsigdefault(attributes, &all);
	return error;
}

static int spawn(struct command *command, int in, int out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char *directory = span_dup_cstr(command->work->directory);
	const char *where = access(directory, X_OK) == 0 && directory[0] == '/' ? directory : "/";
	if (posix_spawn_file_actions_init(&actions) != 0 || posix_spawnattr_init(&attributes) != 0) {
		free(directory);
		return -ENOMEM;
	}
	int error = set_attributes(&attributes);
	if (error == 0)
		error = posix_spawn_file_actions_addchdir_np(&actions, where);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, in, 0);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, out, 2);
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	if (error == 0)
		error = posix_spawnp(&command->pid, command->line.words[0], &actions, &attributes,
			command->line.words, command->environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attributes);
	free(directory);
	return -error;
}

static void close_fd(int *fd)
{
	if (*fd >= 0) {
		task_forget_fd(*fd);
		(void)close(*fd);
	}
	*fd = -1;
}

static int start(struct command *command)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	int error = pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 ? -errno : 0;
	if (error == 0)
		error = spawn(command, in[0], out[1]);
	if (in[0] >= 0)
		(void)close(in[0]);
	if (out[1] >= 0)
		(void)close(out[1]);
	command->in = in[1];
	command->out = out[0];
	if (error != 0)
		return error;
	(void)fcntl(command->in, F_SETFL, O_NONBLOCK);
	(void)fcntl(command->out, F_SETFL, O_NONBLOCK);
	command->pid_fd = (int)syscall(SYS_pidfd_open, command->pid, 0);
	return command->pid_fd < 0 ? -errno : 0;
}

/* --- talking to it --- */

/* What it says: the first OUTPUT_MAX bytes are kept; what says too much is cut off. */
static void read_output(struct command *command)
{
	char bytes[4096];
	while (command->out >= 0) {
		ssize_t n = read(command->out, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close_fd(&command->out);
			return;
		}
		command->output_seen += (size_t)n;
		size_t room = OUTPUT_MAX - command->output.len;
		buf_append_bytes(&command->output, bytes, (size_t)n < room ? (size_t)n : room);
		if (command->output_seen > OUTPUT_READ_MAX)
			close_fd(&command->out);
	}
}

/* 0, -EPIPE: it does not want more, -ETIMEDOUT. Output is read meanwhile, or both
 * sides would wait. */
static int write_input(struct command *command, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(command->in, bytes.ptr, bytes.len);
		if (n >= 0) {
			bytes = span_skip(bytes, (size_t)n);
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		int which;
		int error = task_wait_two(command->in, TASK_WRITE, command->out, TASK_READ,
			command->deadline, &which);
		if (error != 0)
			return error;
		if (which == 1)
			read_output(command);
	}
	return 0;
}

struct piece {
	struct work_reader *reader;
	struct span bytes;
	int error;
};

static void read_in_pool(void *arg)
{
	struct piece *piece = arg;
	piece->error = work_read(piece->reader, &piece->bytes);
}

/* 0 or what made reading or writing end early; -EPIPE is the command's business. */
static int feed(struct command *command)
{
	struct work_reader reader;
	struct piece piece = {.reader = &reader};
	struct content_state state = {0};
	struct buf lines = BUF_INIT(1UL << 20);
	int error = 0;
	bool last = false;
	work_reader_init(&reader, command->work);
	while (error == 0 && !last) {
		if (command->work->content_fd >= 0)
			task_offload(read_in_pool, &piece);
		else
			piece.error = work_read(&reader, &piece.bytes);
		error = piece.error;
		last = error == 0 && piece.bytes.len == 0;
		buf_reset(&lines);
		content_to_lf(&state, error == 0 ? piece.bytes : SPAN_EMPTY, &lines);
		if (last)
			content_to_lf_end(&state, &lines);
		if (error == 0)
			error = write_input(command, buf_span(&lines));
	}
	work_reader_done(&reader);
	buf_done(&lines);
	close_fd(&command->in);
	return error;
}

static int wait_for_end(struct command *command)
{
	for (;;) {
		int which = 0;
		int error = task_wait_two(command->pid_fd, TASK_READ, command->out, TASK_READ,
			command->deadline, &which);
		if (error != 0)
			return error;
		if (which == 1) {
			read_output(command);
			continue;
		}
		read_output(command);
		return 0;
	}
}

static int reap(struct command *command)
{
	int status = 0;
	while (waitpid(command->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* The whole group: what the command started goes with it. */
static int stop(struct command *command)
{
	command->timed_out = true;
	(void)kill(-command->pid, SIGTERM);
	command->deadline = task_deadline(KILL_GRACE_MS);
	if (wait_for_end(command) != 0)
		(void)kill(-command->pid, SIGKILL);
	(void)kill(-command->pid, SIGKILL);
	return reap(command);
}

/* --- what it means --- */

static const struct {
	int status;
	const char *dsn, *text;
} exits[] = {
	{64, "5.3.0", "command line usage error"}, {65, "5.6.0", "data format error"},
	{66, "5.3.0", "cannot open input"}, {67, "5.1.1", "user unknown"},
	{68, "5.1.2", "host name unknown"}, {69, "5.3.0", "service unavailable"},
	{70, "5.3.0", "internal software error"}, {71, "4.3.0", "system resource problem"},
	{72, "5.3.0", "critical OS file missing"}, {73, "5.2.0", "can't create user output file"},
	{74, "4.3.0", "input/output error"}, {75, "4.3.0", "temporary failure"},
	{76, "5.5.0", "remote error in protocol"}, {77, "5.7.0", "permission denied"},
	{78, "5.3.5", "local configuration error"},
};

static void add_output(struct command *command, struct answer *answer)
{
	struct span output = span_trim(buf_span(&command->output));
	if (output.len == 0)
		return;
	buf_append_cstr(&answer->text, " Command output: ");
	for (size_t i = 0; i < output.len; i++) {
		char c = output.ptr[i];
		buf_append_char(&answer->text, (unsigned char)c < ' ' || c == 127 ? ' ' : c);
	}
}

static void explain(struct command *command, int status, struct answer *answer)
{
	struct span text = command->work->command;
	if (command->timed_out) {
		answer_set(answer, LOCAL_BOUNCED, "5.3.0", "Command time limit exceeded: \"%.*s\".",
			SPAN_ARGS(text));
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		answer_set(answer, LOCAL_DELIVERED, "2.0.0", "delivered to command: %.*s",
			SPAN_ARGS(text));
		return;
	} else if (WIFSIGNALED(status)) {
		answer_set(answer, LOCAL_BOUNCED, "5.3.0", "Command died with signal %d: \"%.*s\".",
			WTERMSIG(status), SPAN_ARGS(text));
	} else {
		answer_set(answer, LOCAL_BOUNCED, "5.3.0", "Command died with status %d: \"%.*s\".",
			WEXITSTATUS(status), SPAN_ARGS(text));
		for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
			if (exits[i].status == WEXITSTATUS(status))
				answer_set(answer, exits[i].dsn[0] == '4' ? LOCAL_DEFERRED : LOCAL_BOUNCED,
					exits[i].dsn, "%s.", exits[i].text);
	}
	add_output(command, answer);
}

static void run(struct command *command, struct answer *answer)
{
	int error = start(command);
	if (error != 0) {
		if (command->pid > 0) {
			(void)kill(-command->pid, SIGKILL);
			(void)reap(command);
		}
		answer_error(answer, error, "cannot run command", command->work->command);
		return;
	}
	error = feed(command);
	bool unread = error != 0 && error != -EPIPE && error != -ETIMEDOUT;
	int status = error == -ETIMEDOUT || unread || wait_for_end(command) != 0 ? stop(command)
		: reap(command);
	if (unread)
		answer_error(answer, error, "cannot read message for command", command->work->command);
	else
		explain(command, status, answer);
}

void work_command(const struct local_work *work, struct answer *answer)
{
	struct command *command = NEW(struct command);
	command->work = work;
	command->in = command->out = command->pid_fd = -1;
	command->deadline = task_deadline(work->time_limit_ms);
	buf_init(&command->output, OUTPUT_MAX);
	if (work->command.len == 0 || !command_line_parse(work->command, work->shell, &command->line)) {
		answer_set(answer, LOCAL_BOUNCED, "5.3.5", "malformed command");
	} else {
		build_environment(command);
		run(command, answer);
	}
	close_fd(&command->in);
	close_fd(&command->out);
	close_fd(&command->pid_fd);
	buf_done(&command->output);
	for (size_t i = 0; command->environment[i] != NULL; i++)
		free(command->environment[i]);
	command_line_done(&command->line);
	free(command);
}
