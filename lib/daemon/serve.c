/* Clients of listening sockets and internal peers: one task each, counted, so that a stopping
 * process knows when it is done and an idle one can say so.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/memory.h"
#include "daemon/daemon_private.h"

#define SESSION_STACK 0 /* the default */
#define SHORT_STOP_MS 10000
#define CHANNELS_OF_ONE_MAX 5000 /* that one other process may have open */
#define COMPLAINT_MS 60000
#define HURRY_MS (60 * 1000)

static struct task *accept_tasks[DAEMON_LISTEN_MAX];
static struct task_event session_ended;
static struct task_timer idle_timer, gentle_timer, cancel_timer, stop_timer;
static struct list_node clients = LIST_INIT(clients), peers = LIST_INIT(peers);
static size_t peer_count;

struct client {
	struct list_node node; /* of clients */
	struct task *task;
	int fd;
	struct address address;
};

struct peer {
	struct list_node node; /* of peers */
	struct task *task;
	int fd;
	bool idle; /* waits for the next exchange */
	uint32_t pid;
	char name[64];
};

static void end_loop(void *arg)
{
	(void)arg;
	if (daemon_state.work > 0)
		log_info(NULL, "stopping with %zu sessions open", daemon_state.work);
	task_loop_stop();
}

/* Clients had time to come to a point where they can be told; the others are cut off. What a client
 * has no answer to, it sends again later. Internal peers are left to finish, but for those that are
 * clients, handed over by a front. */
static void cancel_sessions(void *arg)
{
	(void)arg;
	if (daemon_state.spec->serves_clients)
		LIST_FOREACH(peer_node, &peers)
			task_cancel(LIST_ENTRY(peer_node, struct peer, node)->task);
	LIST_FOREACH(node, &clients)
		task_cancel(LIST_ENTRY(node, struct client, node)->task);
}

static void say_idle(void *arg)
{
	(void)arg;
	if (daemon_state.work > 0)
		return;
	link_send_idle(link_served());
	task_timer_start(&idle_timer, daemon_state.arguments.idle_ms, say_idle, NULL);
}

void daemon_work_begin(void)
{
	daemon_state.work++;
	task_timer_stop(&idle_timer);
}

void daemon_work_end(void)
{
	if (--daemon_state.work > 0)
		return;
	if (daemon_state.draining)
		task_loop_stop();
	else if (daemon_state.arguments.idle_ms > 0)
		task_timer_start(&idle_timer, daemon_state.arguments.idle_ms, say_idle, NULL);
}

static void run_session(void *arg)
{
	struct client *client = arg;
	struct address address = client->address;
	daemon_state.spec->session(client->fd, &address);
	list_remove(&client->node);
	free(client);
	daemon_state.sessions--;
	task_event_signal(&session_ended);
	daemon_work_end();
}

static void start_session(int fd_take, const struct address *address)
{
	struct client *client = NEW(struct client);
	client->fd = fd_take;
	client->address = *address;
	daemon_state.sessions++;
	daemon_work_begin();
	list_append(&clients, &client->node);
	client->task = task_spawn("session", run_session, client, SESSION_STACK);
	if (client->task != NULL)
		return;
	list_remove(&client->node);
	log_warning(NULL, "no memory for a session");
	close(fd_take);
	free(client);
	daemon_state.sessions--;
	daemon_work_end();
}

static bool is_full(void)
{
	size_t limit = daemon_state.arguments.session_limit;
	return limit > 0 && daemon_state.sessions >= limit;
}

static void accept_clients(void *arg)
{
	size_t index = (size_t)(uintptr_t)arg;
	int listen_fd = CONTROL_LISTEN_FD + (int)index;
	bool warned = false;
	while (!task_is_canceled()) {
		if (is_full()) {
			if (!warned)
				log_warning(NULL,
					"service \"%s\" has reached its process limit \"%zu\": new clients may "
					"experience noticeable delays",
					daemon_service(), daemon_state.arguments.session_limit);
			warned = true;
			(void)task_event_wait(&session_ended, TASK_FOREVER);
			continue;
		}
		struct address address;
		int fd = socket_accept(listen_fd, TASK_FOREVER, &address);
		if (fd >= 0)
			start_session(fd, &address);
		else if (fd != -EMFILE && fd != -ENFILE && fd != -ECONNABORTED && fd != -ECANCELED)
			(void)task_sleep(100);
	}
	task_forget_fd(listen_fd);
	close(listen_fd);
	accept_tasks[index] = NULL;
}

int serve_start(void)
{
	task_event_init(&session_ended);
	if (daemon_state.arguments.idle_ms > 0)
		task_timer_start(&idle_timer, daemon_state.arguments.idle_ms, say_idle, NULL);
	if (daemon_state.spec->session == NULL)
		return 0;
	for (size_t i = 0; i < daemon_state.arguments.listen_count; i++) {
		int error = socket_set_nonblocking(CONTROL_LISTEN_FD + (int)i);
		if (error != 0)
			return error;
		accept_tasks[i] = task_spawn("accept", accept_clients, (void *)(uintptr_t)i, 0);
		if (accept_tasks[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

static void run_peer(void *arg)
{
	struct peer *peer = arg;
	daemon_state.spec->serve(channel_new(peer->fd), peer->name);
	list_remove(&peer->node);
	peer_count--;
	free(peer);
	daemon_work_end();
}

/* PRIV: one process that has been taken over must not use up what all others need here. Counted
 * only when there are so many in all. */
static bool has_too_many(uint32_t pid)
{
	size_t count = 0;
	if (peer_count < CHANNELS_OF_ONE_MAX)
		return false;
	LIST_FOREACH(node, &peers)
		count += LIST_ENTRY(node, struct peer, node)->pid == pid;
	return count >= CHANNELS_OF_ONE_MAX;
}

static void refuse_peer(int fd_take, const char *name, uint32_t pid)
{
	static task_time next_complaint;
	close(fd_take);
	if (task_now() < next_complaint)
		return;
	next_complaint = task_deadline(COMPLAINT_MS);
	log_warning(NULL, "process %u of service %s has %d channels open: no more", (unsigned)pid, name,
		CHANNELS_OF_ONE_MAX);
}

void serve_peer(int fd_take, const char *name, uint32_t pid)
{
	if (daemon_state.spec->serve == NULL || daemon_state.stopping) {
		close(fd_take);
		return;
	}
	if (has_too_many(pid)) {
		refuse_peer(fd_take, name, pid);
		return;
	}
	struct peer *peer = NEW(struct peer);
	peer->fd = fd_take;
	peer->pid = pid;
	size_t len = strnlen(name, sizeof peer->name - 1);
	memcpy(peer->name, name, len);
	daemon_work_begin();
	list_append(&peers, &peer->node);
	peer_count++;
	peer->task = task_spawn("serve", run_peer, peer, 0);
	if (peer->task != NULL)
		return;
	list_remove(&peer->node);
	peer_count--;
	log_warning(NULL, "no memory for a peer");
	close(fd_take);
	free(peer);
	daemon_work_end();
}

static struct peer *own_peer(void)
{
	LIST_FOREACH(node, &peers) {
		struct peer *peer = LIST_ENTRY(node, struct peer, node);
		if (peer->task != NULL && peer->task == task_self())
			return peer;
	}
	return NULL;
}

int daemon_wait_request(struct channel *channel)
{
	struct peer *peer = own_peer();
	if (daemon_state.draining)
		return channel_wait(channel, task_now()) == 0 ? 0 : -ECANCELED;
	if (peer != NULL)
		peer->idle = true;
	int status = channel_wait(channel, TASK_FOREVER);
	if (peer != NULL)
		peer->idle = false;
	return status;
}

/* What they ask next is for the process that takes our place. */
static void release_idle_peers(void)
{
	LIST_FOREACH(node, &peers) {
		struct peer *peer = LIST_ENTRY(node, struct peer, node);
		if (peer->idle)
			task_cancel(peer->task);
	}
}

/* Not at once: a client may just have been accepted. */
static void end_if_idle(void *arg)
{
	(void)arg;
	if (daemon_state.work == 0)
		task_loop_stop();
}

static void close_listeners(void)
{
	for (size_t i = 0; i < DAEMON_LISTEN_MAX; i++)
		if (accept_tasks[i] != NULL)
			task_cancel(accept_tasks[i]);
}

/* From here on sessions are told to end. */
static void end_sessions(void *arg)
{
	(void)arg;
	if (daemon_state.stopping)
		return;
	daemon_state.stopping = true;
	if (daemon_state.spec->stop != NULL)
		daemon_state.spec->stop();
	if (daemon_state.work == 0)
		task_loop_stop();
}

/* With much time (a reload, a changed table) sessions go on until their clients end them; others
 * take the new ones. With little time they are told, and a little later cut off. A second call may
 * shorten the time that is left. */
void serve_stop(int64_t ms)
{
	bool now = ms <= SHORT_STOP_MS || daemon_state.spec->stops_at_once;
	int64_t gentle = now ? 0 : ms - SHORT_STOP_MS;
	int64_t least = ms < SHORT_STOP_MS ? ms : SHORT_STOP_MS;
	int64_t cut_off = gentle + least / 10;
	task_timer_stop(&idle_timer);
	if (!daemon_state.draining)
		close_listeners();
	daemon_state.draining = true;
	pool_drop_all();
	release_idle_peers();
	if (gentle == 0)
		end_sessions(NULL);
	else
		task_timer_start(&gentle_timer, gentle, end_sessions, NULL);
	task_timer_start(&cancel_timer, cut_off, cancel_sessions, NULL);
	task_timer_start(&idle_timer, 0, end_if_idle, NULL);
	task_timer_start(&stop_timer, ms, end_loop, NULL);
}
