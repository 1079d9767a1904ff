/* This process's end of the control socket: hears what master wants, asks it for channels, workers
 * and files. Answers are matched by number; one that was given up is closed when it comes.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "daemon/daemon_private.h"
#include "sys/file_access.h"

#define STARTUP_TIMEOUT_MS 30000
#define RELEASE_MS 10000
#define ORPHAN_STOP_MS 5000 /* master has gone: a new one wants the queue and the ports */

struct request {
	struct list_node node;
	uint32_t id;
	bool answered;
	int32_t status;
	int fd;
	struct task_event done;
};

static struct list_node requests = LIST_INIT(requests);
static uint32_t last_id;
static uint32_t served; /* CONTROL_SERVE taken */
static struct task_lock send_lock;

/* --- before the loop --- */

static int wait_link(short events)
{
	struct pollfd item = {.fd = CONTROL_FD, .events = events};
	int n;
	do {
		n = poll(&item, 1, STARTUP_TIMEOUT_MS);
	} while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

static int send_waiting(const struct control_message *message)
{
	int error;
	while ((error = control_send(CONTROL_FD, message, -1)) == -EAGAIN)
		if ((error = wait_link(POLLOUT)) != 0)
			break;
	return error;
}

static int receive_waiting(struct control_message *ret_message, int *ret_fd)
{
	int error;
	while ((error = control_receive(CONTROL_FD, ret_message, ret_fd)) == -EAGAIN)
		if ((error = wait_link(POLLIN)) != 0)
			break;
	return error;
}

/* Master opens the files that one parameter names: CONTROL_FILE* with status 0, then status 1. */
static int open_parameter(const char *name)
{
	struct control_message message;
	control_message_init(&message, CONTROL_OPEN);
	if (!control_message_set_text(&message, name))
		return -EINVAL;
	int error = send_waiting(&message);
	while (error == 0) {
		int fd = -1;
		error = receive_waiting(&message, &fd);
		if (error != 0)
			break;
		if (message.type == CONTROL_FILE && message.status == 1)
			return 0;
		if (message.type == CONTROL_FILE && fd >= 0)
			file_grant(message.text, fd);
		else if (message.type == CONTROL_FILE) /* master's limit, or ours */
			error = message.status < 0 ? message.status : -EMFILE;
		else if (message.type == CONTROL_LOG && fd >= 0)
			log_sink_replace((enum log_sink_kind)message.status, fd);
		else if (fd >= 0)
			close(fd);
	}
	return error;
}

int link_open_private_files(void)
{
	const char *const *names = daemon_state.spec->private_files;
	/* PRIV: a worker is its person's own process, and gets no secrets of the server's. Master would
	 * refuse them too. */
	if (!daemon_state.arguments.from_root || daemon_is_worker() || names == NULL)
		return 0;
	for (size_t i = 0; names[i] != NULL; i++) {
		int error = open_parameter(names[i]);
		if (error != 0)
			return error;
	}
	return 0;
}

int link_tell_watched(void)
{
	for (size_t i = 0; i < file_watched_count(); i++) {
		struct control_message message;
		control_message_init(&message, CONTROL_WATCH);
		if (!control_message_set_text(&message, file_watched_at(i)))
			continue;
		int error = send_waiting(&message);
		if (error != 0)
			return error;
	}
	return 0;
}

/* --- on the loop --- */

static int send_in_task(const struct control_message *message, task_time deadline)
{
	int error = task_lock_take(&send_lock, deadline);
	if (error != 0)
		return error;
	while ((error = control_send(CONTROL_FD, message, -1)) == -EAGAIN) {
		error = task_wait_fd(CONTROL_FD, TASK_WRITE, deadline);
		if (error != 0)
			break;
	}
	task_lock_release(&send_lock);
	return error;
}

void link_send_ready(void)
{
	struct control_message message;
	control_message_init(&message, CONTROL_READY);
	(void)send_waiting(&message);
}

void link_send_idle(uint32_t count)
{
	struct control_message message;
	control_message_init(&message, CONTROL_IDLE);
	message.id = count;
	(void)control_send(CONTROL_FD, &message, -1); /* a full socket: said again next time */
}

void daemon_release(void)
{
	struct control_message message;
	control_message_init(&message, CONTROL_RELEASED);
	(void)send_in_task(&message, task_deadline(RELEASE_MS));
}

static void log_lost(void)
{
	struct control_message message;
	control_message_init(&message, CONTROL_LOG_LOST);
	(void)control_send(CONTROL_FD, &message, -1);
}

static void take_answer(const struct control_message *message, int fd_take)
{
	LIST_FOREACH(node, &requests) {
		struct request *request = LIST_ENTRY(node, struct request, node);
		if (request->id != message->id || request->answered)
			continue;
		request->answered = true;
		request->status = message->status;
		request->fd = fd_take;
		task_event_signal(&request->done);
		return;
	}
	if (fd_take >= 0)
		close(fd_take);
}

static void take_message(const struct control_message *message, int fd_take)
{
	switch (message->type) {
	case CONTROL_CONNECTED:
		take_answer(message, fd_take);
		return;
	case CONTROL_SERVE:
		served++;
		if (fd_take >= 0)
			serve_peer(fd_take, message->text, message->id);
		return;
	case CONTROL_STOP:
		serve_stop(message->id);
		break;
	case CONTROL_LOG:
		if (fd_take >= 0) {
			log_sink_replace((enum log_sink_kind)message->status, fd_take);
			return;
		}
		log_lost(); /* we had no room for it: once more */
		break;
	default:
		break;
	}
	if (fd_take >= 0)
		close(fd_take);
}

static void hear_master(void *arg)
{
	(void)arg;
	for (;;) {
		struct control_message message;
		int fd = -1;
		int error = control_receive(CONTROL_FD, &message, &fd);
		if (error == 0) {
			take_message(&message, fd);
			continue;
		}
		if (error == -EAGAIN)
			error = task_wait_fd(CONTROL_FD, TASK_READ, TASK_FOREVER);
		if (error != 0)
			break;
	}
	serve_stop(ORPHAN_STOP_MS);
}

void link_start(void)
{
	task_lock_init(&send_lock);
	log_sink_on_loss(log_lost);
	task_spawn("control", hear_master, NULL, 0);
}

uint32_t link_served(void)
{
	return served;
}

static int ask(struct control_message *message, task_time deadline, struct channel **ret_channel)
{
	struct request request = {.id = ++last_id, .fd = -1};
	task_event_init(&request.done);
	message->id = request.id;
	list_append(&requests, &request.node);
	int error = send_in_task(message, deadline);
	while (error == 0 && !request.answered)
		error = task_event_wait(&request.done, deadline);
	list_remove(&request.node);
	if (error == 0)
		error = request.status;
	if (error == 0 && request.fd < 0)
		error = -EMFILE; /* we had no room for it */
	if (error != 0) {
		if (request.fd >= 0)
			close(request.fd);
		return error;
	}
	*ret_channel = channel_new(request.fd);
	return 0;
}

struct channel *daemon_connect(const char *service, task_time deadline)
{
	struct control_message message;
	struct channel *channel = NULL;
	control_message_init(&message, CONTROL_CONNECT);
	if (!control_message_set_text(&message, service))
		return NULL;
	int error = ask(&message, deadline, &channel);
	if (error != 0 && !(error == -ESHUTDOWN && daemon_state.draining))
		log_warning(NULL, "connect to service %s: %s", service, strerror(-error));
	return channel;
}

int daemon_connect_worker(
	const struct daemon_worker *worker, task_time deadline, struct channel **ret_channel)
{
	struct control_message message;
	struct buf text = BUF_INIT(CONTROL_TEXT_MAX - 1);
	control_message_init(&message, CONTROL_WORKER);
	message.uid = worker->uid;
	message.gid = worker->gid;
	message.role = worker->command ? CONTROL_ROLE_COMMAND : CONTROL_ROLE_WORKER;
	buf_append_cstr(&text, worker->service);
	if (worker->tree.len > 0)
		buf_append_format(&text, " %.*s", SPAN_ARGS(worker->tree));
	bool fits = !text.overflow && control_message_set_text(&message, buf_cstr(&text));
	buf_done(&text);
	return fits ? ask(&message, deadline, ret_channel) : -ENAMETOOLONG;
}
