/* The processes: starting, talking over the control socket, stopping, burying.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "master/master.h"

#define UNSENT_MAX 4096
#define KILL_GRACE_MS 3000 /* past the time a process was given to stop */

struct packet {
	struct list_node node;
	struct control_message message;
	int fd;
};

static void drop_unsent(struct process *process)
{
	struct list_node *node;
	while ((node = list_pop(&process->unsent)) != NULL) {
		struct packet *packet = LIST_ENTRY(node, struct packet, node);
		if (packet->fd >= 0)
			close(packet->fd);
		free(packet);
	}
	process->unsent_count = 0;
}

static void close_control(struct process *process)
{
	if (process->source.fd < 0)
		return;
	loop_remove(&process->source);
	close(process->source.fd);
	process->source.fd = -1;
	drop_unsent(process);
}

static void send_unsent(struct process *process)
{
	while (!list_is_empty(&process->unsent)) {
		struct packet *packet = LIST_ENTRY(process->unsent.next, struct packet, node);
		int error = control_send(process->source.fd, &packet->message, packet->fd);
		if (error == -EAGAIN)
			return;
		list_remove(&packet->node);
		process->unsent_count--;
		if (packet->fd >= 0)
			close(packet->fd);
		free(packet);
	}
	loop_watch_writes(&process->source, false);
}

void process_send(struct process *process, const struct control_message *message, int fd)
{
	if (process->source.fd < 0)
		return;
	if (list_is_empty(&process->unsent) &&
		control_send(process->source.fd, message, fd) != -EAGAIN)
		return; /* sent, or its end is broken and SIGCHLD will tell */
	if (process->unsent_count == UNSENT_MAX) {
		log_warning(NULL, "process %d of service %s does not listen: killed", (int)process->pid,
			process->service_name);
		kill(process->pid, SIGKILL);
		close_control(process); /* SIGCHLD does the rest */
		return;
	}
	struct packet *packet = NEW(struct packet);
	packet->message = *message;
	packet->fd = fd >= 0 ? dup(fd) : -1;
	list_append(&process->unsent, &packet->node);
	process->unsent_count++;
	loop_watch_writes(&process->source, true);
}

static void take_messages(struct source *source, unsigned events)
{
	struct process *process = LIST_ENTRY(source, struct process, source);
	struct control_message message;
	int fd = -1;
	if (events & EPOLLOUT)
		send_unsent(process);
	int error = control_receive(source->fd, &message, &fd);
	if (fd >= 0)
		close(fd); /* nobody sends us descriptors */
	if (error == 0) {
		broker_handle(process, &message);
	} else if (error != -EAGAIN) {
		if (error == -EBADMSG) {
			log_warning(NULL, "process %d of service %s sends nonsense: killed", (int)process->pid,
				process->service_name);
			kill(process->pid, SIGKILL);
		}
		close_control(process); /* SIGCHLD does the rest */
	}
}

/* The process's end of its control socket, and where it logs; ret_link is ours. */
static int fork_child(struct process_group *group, int log_fd, int *ret_link, pid_t *ret_pid)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0)
		child_run(group, pair[1], log_fd);
	int error = pid < 0 ? -errno : 0;
	close(pair[1]);
	if (error != 0) {
		close(pair[0]);
		return error;
	}
	*ret_link = pair[0];
	*ret_pid = pid;
	return 0;
}

int process_start(struct process_group *group)
{
	int log_fd = master.log_fd, link = -1;
	pid_t pid = -1;
	struct log_pipe *log_pipe = NULL;
	if (log_pipe_is_needed(group->service->program, group->role) &&
		(log_pipe = log_pipe_open(&log_fd)) == NULL)
		return -errno;
	int error = fork_child(group, log_fd, &link, &pid);
	if (log_pipe != NULL)
		close(log_fd);
	if (error != 0) {
		log_pipe_close(log_pipe);
		return error;
	}
	struct process *process = NEW(struct process);
	process->source.fd = link;
	process->log_pipe = log_pipe;
	process->source.ready = take_messages;
	process->group = group;
	process->program = group->service->program;
	process->role = group->role;
	process->pid = pid;
	process->started_at = clock_ms();
	snprintf(process->service_name, sizeof process->service_name, "%s", group->service->name);
	list_init(&process->unsent);
	list_append(&group->processes, &process->node);
	list_append(&master.processes, &process->all_node);
	group->running++;
	if (group->role != CONTROL_ROLE_SERVICE)
		master.worker_count++;
	error = loop_add(&process->source);
	if (error != 0) {
		log_warning(NULL, "process %d of service %s cannot be heard: killed: %s", (int)pid,
			process->service_name, strerror(-error));
		kill(pid, SIGKILL); /* SIGCHLD does the rest */
	}
	return 0;
}

/* From here on the process belongs to no group: what comes next goes to another. */
static void detach(struct process *process)
{
	if (process->group == NULL)
		return;
	list_remove(&process->node);
	process->group->running--;
	process->group = NULL;
}

void process_stop(struct process *process, int64_t ms)
{
	struct control_message message;
	control_message_init(&message, CONTROL_STOP);
	message.id = (uint32_t)ms;
	process_send(process, &message, -1);
	if (!process->ready)
		kill(process->pid, SIGTERM); /* still preparing: it does not listen yet */
	process->stopping = true;
	int64_t kill_after = clock_ms() + ms + KILL_GRACE_MS;
	if (process->kill_after == 0 || kill_after < process->kill_after)
		process->kill_after = kill_after;
	detach(process);
}

static struct process *process_find(pid_t pid)
{
	LIST_FOREACH(node, &master.processes) {
		struct process *process = LIST_ENTRY(node, struct process, all_node);
		if (process->pid == pid)
			return process;
	}
	return NULL;
}

static void report_end(const struct process *process, int status)
{
	bool told = process->stopping;
	const char *folder = conf_get(master.conf, "daemon_directory");
	const char *file = program_file(process->program, process->role != CONTROL_ROLE_SERVICE);
	if (WIFSIGNALED(status) && !(told && WTERMSIG(status) == SIGTERM))
		log_warning(NULL, "process %s/%s pid %d killed by signal %d", folder, file,
			(int)process->pid, WTERMSIG(status));
	else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		log_warning(NULL, "process %s/%s pid %d exit status %d", folder, file,
			(int)process->pid, WEXITSTATUS(status));
}

static void bury(struct process *process, int status)
{
	struct process_group *group = process->group;
	log_pipe_close(process->log_pipe);
	report_end(process, status);
	close_control(process);
	detach(process);
	list_remove(&process->all_node);
	if (process->role != CONTROL_ROLE_SERVICE)
		master.worker_count--;
	if (group != NULL)
		group_ended(group, process, status);
	free(process);
}

void process_reap(void)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct process *process = process_find(pid);
		if (process != NULL)
			bury(process, status);
	}
	if (!master.stopping)
		groups_run(); /* a single one may start now that the old one is gone */
}

void process_kill_late(void)
{
	int64_t now = clock_ms();
	LIST_FOREACH(node, &master.processes) {
		struct process *process = LIST_ENTRY(node, struct process, all_node);
		if (process->kill_after == 0 || now < process->kill_after)
			continue;
		log_warning(NULL, "process %d of service %s does not stop: killed", (int)process->pid,
			process->service_name);
		kill(process->pid, SIGKILL);
		process->kill_after = now + KILL_GRACE_MS;
	}
}

/* One that writes into a pipe goes on doing so, unless lines go to syslog now; the other way round
 * it keeps to syslog for the rest of its life. */
void processes_send_log(void)
{
	struct control_message message;
	control_message_init(&message, CONTROL_LOG);
	message.status = (int32_t)master.log_kind;
	if (master.log_fd < 0)
		return;
	LIST_FOREACH(node, &master.processes) {
		struct process *process = LIST_ENTRY(node, struct process, all_node);
		if (!log_pipe_is_needed(process->program, process->role))
			process_send(process, &message, master.log_fd);
	}
}

bool room_is_running_old(const char *room)
{
	LIST_FOREACH(node, &master.processes) {
		struct process *process = LIST_ENTRY(node, struct process, all_node);
		if (process->group == NULL && !process->released &&
			strcmp(process->program->room, room) == 0 &&
			process->role == CONTROL_ROLE_SERVICE)
			return true;
	}
	return false;
}
