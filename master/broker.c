/* What processes ask of master. INVARIANT: an asker is who master knows it to be (by its socket),
 * never what it says; everything it says is checked against the tables of program.c.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "master/master.h"
#include "sys/fd.h"

static void answer(struct process *process, uint32_t id, int status, int fd)
{
	struct control_message message;
	control_message_init(&message, CONTROL_CONNECTED);
	message.id = id;
	message.status = status;
	process_send(process, &message, fd);
}

/* One end to the asker, the other to a process of the group (now, or when there is one). */
static void connect_to_group(struct process *process, uint32_t id, struct process_group *group)
{
	int pair[2];
	/* All are ending: nobody new would ever serve it. */
	if (master.stopping) {
		answer(process, id, -ESHUTDOWN, -1);
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		answer(process, id, -errno, -1);
		return;
	}
	answer(process, id, 0, pair[0]);
	close(pair[0]);
	group_give(group, pair[1], process);
}

static void handle_connect(struct process *process, const struct control_message *message)
{
	struct service *service = service_find(message->text);
	if (service != NULL && service->host != NULL)
		service = service->host;
	if (service != NULL && service->group == NULL)
		service = NULL; /* a name that loads and runs nothing */
	/* A worker holds one person's rights and asks nobody. */
	if (service == NULL || process->role != CONTROL_ROLE_SERVICE ||
		!program_may_connect(process->program->room, service->program->room)) {
		log_warning(NULL, "service %s asks for service %.60s: %s", process->service_name,
			message->text, service == NULL ? "there is none" : "not allowed");
		answer(process, message->id, service == NULL ? -ENOENT : -EACCES, -1);
		return;
	}
	connect_to_group(process, message->id, service->group);
}

static bool uid_is_allowed(uid_t uid, gid_t gid)
{
	if (!master.is_root)
		return uid == geteuid();
	if (uid == 0 || gid == 0 || uid == (uid_t)-1 || gid == (gid_t)-1)
		return false;
	int64_t last = conf_get_int(master.conf, "last_valid_uid");
	if (uid < master.first_valid_uid || (last > 0 && (int64_t)uid > last))
		return false;
	for (size_t i = 0; i < PROGRAM_USERS; i++)
		if (master.users[i].found && (master.users[i].uid == uid || master.users[i].gid == gid))
			return false;
	return true;
}

/* What a CONTROL_WORKER asks for. */
struct wanted {
	struct service *service;
	enum control_role role;
	uid_t uid;
	gid_t gid;
	char *tree; /* NULL: any; owned */
};

static bool same_tree(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static struct process_group *find_worker_group(const struct wanted *wanted)
{
	LIST_FOREACH(node, &master.groups) {
		struct process_group *group = LIST_ENTRY(node, struct process_group, node);
		if (group->role == wanted->role && group->uid == wanted->uid &&
			group->gid == wanted->gid && same_tree(group->tree, wanted->tree) &&
			strcmp(group->service->program->room, wanted->service->program->room) == 0 &&
			(group->service == wanted->service || wanted->role == CONTROL_ROLE_WORKER))
			return group;
	}
	return NULL;
}

/* "service" or "service /tree". PRIV: a tree takes from what the uid may, and adds nothing to
 * it. */
static int take_wanted(const struct control_message *message, struct wanted *ret_wanted)
{
	struct span tree = span_from_cstr(message->text);
	char *name = span_dup_cstr(span_split(&tree, ' '));
	bool command = message->role == CONTROL_ROLE_COMMAND;
	*ret_wanted = (struct wanted){.role = command ? CONTROL_ROLE_COMMAND : CONTROL_ROLE_WORKER,
		.uid = message->uid, .gid = message->gid};
	ret_wanted->service = service_find(name);
	if (ret_wanted->service == NULL)
		ret_wanted->service = service_find_room(name);
	free(name);
	if (ret_wanted->service == NULL || ret_wanted->service->group == NULL)
		return -ENOENT;
	if ((message->role != CONTROL_ROLE_WORKER && !command) ||
		(tree.ptr != NULL && (tree.len == 0 || tree.ptr[0] != '/')))
		return -EINVAL;
	ret_wanted->tree = tree.ptr == NULL ? NULL : span_dup_cstr(tree);
	return 0;
}

static int find_or_start_worker(struct process *process, struct wanted *wanted,
	struct process_group **ret_group)
{
	bool command = wanted->role == CONTROL_ROLE_COMMAND;
	if (process->role != CONTROL_ROLE_SERVICE || !program_may_have_worker(process->program->room,
			wanted->service->program->room, command) ||
		!uid_is_allowed(wanted->uid, wanted->gid))
		return -EACCES;
	struct process_group *group = find_worker_group(wanted);
	if (group == NULL && master.worker_count >= master.worker_limit)
		return -EAGAIN;
	if (group == NULL) {
		group = group_new(wanted->service, wanted->role, wanted->uid, wanted->gid);
		group->tree = wanted->tree;
		wanted->tree = NULL;
	}
	*ret_group = group;
	return 0;
}

static void handle_worker(struct process *process, const struct control_message *message)
{
	struct process_group *group = NULL;
	struct wanted wanted = {.tree = NULL};
	int error = take_wanted(message, &wanted);
	if (error == 0)
		error = find_or_start_worker(process, &wanted, &group);
	free(wanted.tree);
	if (error == 0) {
		connect_to_group(process, message->id, group);
		return;
	}
	log_warning(NULL, "service %s asks for a worker of uid %u gid %u: %s", process->service_name,
		message->uid, message->gid, strerror(-error));
	answer(process, message->id, error, -1);
}

/* 0, or -errno when it may be there and cannot be opened now. */
static int send_file(struct process *process, const char *path)
{
	struct control_message message;
	struct stat st;
	control_message_init(&message, CONTROL_FILE);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		/* Otherwise the process says what it misses. */
		return fd_is_shortage(-errno) ? -errno : 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && control_message_set_text(&message, path)) {
		process_send(process, &message, fd);
		watch_add(path, process);
	}
	close(fd);
	return 0;
}

/* One word of a value: "/path" or "type:/path"; an indexed table's file has a suffix. */
static int send_files_of(struct process *process, struct span word)
{
	static const char *const suffixes[] = {"", ".lmdb", ".db"};
	int error = 0;
	size_t colon = span_find_char(word, ':');
	if (colon != SIZE_MAX && word.len > 0 && word.ptr[0] != '/')
		word = span_skip(word, colon + 1);
	if (word.len == 0 || word.ptr[0] != '/')
		return 0;
	for (size_t i = 0; error == 0 && i < sizeof suffixes / sizeof suffixes[0]; i++) {
		struct buf path = BUF_INIT(CONTROL_TEXT_MAX - 1);
		buf_append(&path, word);
		buf_append_cstr(&path, suffixes[i]);
		if (!path.overflow)
			error = send_file(process, buf_cstr(&path));
		buf_done(&path);
	}
	return error;
}

static void handle_open(struct process *process, const struct control_message *message)
{
	struct control_message end;
	control_message_init(&end, CONTROL_FILE);
	end.status = 1;
	/* PRIV: a worker runs as a person, who may look into it: it gets no key and no password. */
	if (process->ready || process->group == NULL || process->role != CONTROL_ROLE_SERVICE ||
		!program_may_read(process->program->room, message->text)) {
		log_warning(NULL, "service %s asks for the files of %.60s: not allowed",
			process->service_name, message->text);
	} else {
		struct span rest = span_from_cstr(conf_get(process->group->service->conf, message->text));
		struct span word;
		int error = 0;
		while (error == 0 && span_token(&rest, ", \t\r\n", &word))
			error = send_files_of(process, word);
		if (error != 0) {
			log_warning(NULL, "cannot open the files of %s for service %s: %s", message->text,
				process->service_name, strerror(-error));
			end.status = error;
		}
	}
	process_send(process, &end, -1);
}

/* Nothing to do for a while; if nothing is on its way to it, it may go. */
static void handle_idle(struct process *process, const struct control_message *message)
{
	bool may_end = process->role != CONTROL_ROLE_SERVICE ||
		!(process->program->flags & PROGRAM_AT_START);
	struct process_group *group = process->group;
	if (!may_end || group == NULL || message->id != process->served)
		return;
	process_stop(process, 1000);
	group->wanted = group->pending_count > 0 ? 1 : 0;
	group_release(group);
}

void broker_handle(struct process *process, const struct control_message *message)
{
	switch (message->type) {
	case CONTROL_READY:
		process->ready = true;
		if (process->group != NULL)
			group_ready(process->group);
		break;
	case CONTROL_WATCH:
		if (!process->ready)
			watch_add(message->text, process);
		break;
	case CONTROL_OPEN:
		handle_open(process, message);
		break;
	case CONTROL_CONNECT:
		handle_connect(process, message);
		break;
	case CONTROL_WORKER:
		handle_worker(process, message);
		break;
	case CONTROL_IDLE:
		handle_idle(process, message);
		break;
	case CONTROL_RELEASED:
		process->released = process->stopping; /* groups_run follows */
		break;
	case CONTROL_LOG_LOST:
		master_log_lost();
		break;
	default:
		log_warning(NULL, "process %d of service %s sends message %u: ignored", (int)process->pid,
			process->service_name, message->type);
		break;
	}
}
