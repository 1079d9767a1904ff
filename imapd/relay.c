/* Relaying TLS sessions. One task waits for both ends and holds no buffer while nothing comes. When the
 * worker does not take what the client sends (it is busy answering), a second task takes over that
 * direction, so that neither direction ever waits for the other.
 * SPDX-License-Identifier: ISC */
#include "imapd/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

#define PIECE 16384
#define WRITE_MS (5 * 60 * 1000)
#define UP_STACK 32768

struct relay {
	struct stream *client;
	int worker_fd;
	struct task *up;      /* the second task, while it runs */
	struct task_event up_ended;
	bool client_ended;    /* it will send no more */
	bool broken;          /* the session is over */
};

static void end_of_client(struct relay *relay)
{
	relay->client_ended = true;
	(void)shutdown(relay->worker_fd, SHUT_WR);
}

/* Sends what the client's stream holds as far as it goes. False: the worker does not take it now. */
static bool push(struct relay *relay)
{
	struct span bytes = stream_buffered(relay->client);
	while (bytes.len > 0) {
		ssize_t count = send(relay->worker_fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (count < 0 && errno == EAGAIN)
			return false;
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0) {
			relay->broken = true;
			return true;
		}
		stream_consume(relay->client, (size_t)count);
		bytes = stream_buffered(relay->client);
	}
	return true;
}

/* The second task: client to worker, waiting where it must. */
static void run_up(void *arg)
{
	struct relay *relay = arg;
	struct span bytes;
	int status = 0;
	while (status == 0 && !relay->broken) {
		if (push(relay))
			status = stream_peek(relay->client, TASK_FOREVER, &bytes);
		else
			status = task_wait_fd(relay->worker_fd, TASK_WRITE, task_deadline(WRITE_MS));
	}
	end_of_client(relay);
	relay->up = NULL;
	task_event_signal(&relay->up_ended);
}

/* The client's side can be read. */
static void take_from_client(struct relay *relay)
{
	struct span bytes;
	int status = stream_peek(relay->client, task_now(), &bytes);
	if (status == -ETIMEDOUT)
		return;
	if (status != 0) {
		end_of_client(relay);
		return;
	}
	if (push(relay))
		return;
	relay->up = task_spawn("relay", run_up, relay, UP_STACK);
	if (relay->up == NULL)
		relay->broken = true;
}

/* The worker's side can be read. */
static void take_from_worker(struct relay *relay)
{
	char *piece = memory_alloc(PIECE);
	ssize_t count = recv(relay->worker_fd, piece, PIECE, MSG_DONTWAIT);
	if (count > 0) {
		if (stream_write(relay->client, span_new(piece, (size_t)count)) != 0 ||
			stream_flush(relay->client, task_deadline(WRITE_MS)) != 0)
			relay->broken = true;
	} else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
		relay->broken = true;
	}
	free(piece);
}

static void relay_once(struct relay *relay)
{
	int which = 0;
	if (relay->up != NULL || relay->client_ended) {
		if (task_wait_fd(relay->worker_fd, TASK_READ, TASK_FOREVER) != 0)
			relay->broken = true;
		else
			take_from_worker(relay);
		return;
	}
	/* Gives the buffers back, and finds what TLS has already decrypted. */
	int status = stream_wait_input(relay->client, task_now());
	if (status == 0) {
		take_from_client(relay);
		return;
	}
	if (status == -ETIMEDOUT)
		status = task_wait_two(stream_fd(relay->client), TASK_READ, relay->worker_fd, TASK_READ,
			TASK_FOREVER, &which);
	if (status != 0)
		relay->broken = true;
	else if (which == 1)
		take_from_worker(relay);
}

void relay_run(struct stream *client_take, int worker_fd_take)
{
	struct relay relay = {.client = client_take, .worker_fd = worker_fd_take};
	task_event_init(&relay.up_ended);
	stream_set_write_timeout(client_take, WRITE_MS);
	while (!relay.broken)
		relay_once(&relay);
	while (relay.up != NULL) {
		task_cancel(relay.up);
		if (task_event_wait(&relay.up_ended, TASK_FOREVER) != 0)
			(void)task_yield();
	}
	task_forget_fd(relay.worker_fd);
	close(relay.worker_fd);
	stream_close(client_take, task_deadline(10 * 1000));
}
