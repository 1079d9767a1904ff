/* The front's half of handoff.h. The relay is one task with a buffer for each direction that exists
 * only while it holds something: an idle TLS session costs little more than its TLS state.
 * SPDX-License-Identifier: ISC */
#include "daemon/handoff.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tls/tls.h"

#define START_TIMEOUT_MS (30 * 1000)
#define BEGIN_TIMEOUT_MS (60 * 1000) /* a large mailbox that is opened for the first time */
#define CLOSE_TIMEOUT_MS (5 * 1000)
#define PIECE 16384

/* One direction: what was read and not yet written. */
struct flow {
	struct buf held;
	size_t done;
	bool ended; /* the reader saw the end */
};

static struct span flow_left(const struct flow *flow)
{
	return span_skip(buf_span(&flow->held), flow->done);
}

/* 1: something moved; 0: nothing can; -errno: over. */
static int flow_read(struct flow *flow, struct stream *from)
{
	if (flow->ended || flow->held.len > 0)
		return 0;
	char *room = buf_reserve(&flow->held, PIECE);
	if (room == NULL)
		return -ENOMEM;
	ssize_t count = stream_try_read(from, room, PIECE);
	if (count > 0) {
		flow->held.len = (size_t)count;
		flow->done = 0;
		return 1;
	}
	buf_done(&flow->held);
	if (count == -EAGAIN || count == -EINTR)
		return 0;
	if (count == 0) {
		flow->ended = true;
		return 1;
	}
	return (int)count;
}

static int flow_write(struct flow *flow, struct stream *to)
{
	struct span left = flow_left(flow);
	if (left.len == 0)
		return 0;
	ssize_t count = stream_try_write(to, left);
	if (count == -EAGAIN || count == -EINTR)
		return 0;
	if (count <= 0)
		return count == 0 ? -EPIPE : (int)count;
	flow->done += (size_t)count;
	if (flow_left(flow).len == 0)
		buf_done(&flow->held);
	return 1;
}

static int flow_move(struct flow *flow, struct stream *from, struct stream *to)
{
	int moved = flow_read(flow, from);
	if (moved < 0)
		return moved;
	int wrote = flow_write(flow, to);
	return wrote < 0 ? wrote : moved | wrote;
}

/* Until one side is at its end and the other has everything. False: the worker never said a
 * word. */
static bool relay(struct stream *client, struct stream *worker)
{
	struct flow up = {.held = BUF_INIT(PIECE)}, down = {.held = BUF_INIT(PIECE)};
	int status = 0;
	bool answered = false;
	for (unsigned turns = 0; status >= 0; turns++) {
		int moved_up = flow_move(&up, client, worker);
		int moved_down = flow_move(&down, worker, client);
		answered = answered || (moved_down > 0 && !down.ended);
		if (moved_up < 0 || moved_down < 0)
			break;
		if ((up.ended && flow_left(&up).len == 0) || (down.ended && flow_left(&down).len == 0))
			break;
		if (moved_up == 0 && moved_down == 0)
			/* TLS may have to write before it can read. */
			status = task_wait_any(stream_fd(client), true, stream_fd(worker),
				flow_left(&up).len > 0, TASK_FOREVER);
		else if (turns % 16 == 15)
			status = task_yield();
	}
	buf_wipe(&up.held);
	buf_wipe(&down.held);
	return answered;
}

/* The worker's word that the client has its answer. One that takes long is not waited for. */
static int wait_until_begun(struct channel *channel)
{
	void *message;
	int status = channel_expect(channel, &session_begun_type, task_deadline(BEGIN_TIMEOUT_MS),
		&message);
	return status == -ETIMEDOUT || status == -ECANCELED ? 0 : status;
}

static void say_sorry(struct stream *client, struct span sorry)
{
	if (stream_write(client, sorry) == 0)
		(void)stream_flush(client, task_deadline(CLOSE_TIMEOUT_MS));
}

int handoff_to_worker(struct stream *client_take, int session_fd_take,
	const struct session_start *start, struct span sorry)
{
	struct stream *client = client_take;
	struct session_start message = *start;
	struct channel *channel = channel_new(session_fd_take);
	bool tls = stream_is_tls(client);
	message.input = stream_buffered(client);
	message.client_fd = tls ? -1 : stream_fd(client);
	int status = stream_flush(client, task_deadline(START_TIMEOUT_MS));
	if (status == 0)
		status = channel_send(channel, &session_start_type, &message);
	if (status == 0)
		status = channel_flush(channel, task_deadline(START_TIMEOUT_MS));
	if (status == 0 && !tls)
		status = wait_until_begun(channel);
	if (status != 0 || !tls) {
		if (status != 0)
			say_sorry(client, sorry);
		channel_free(channel);
		stream_free(client);
		return status;
	}
	stream_drop_input(client);
	struct stream *worker = stream_new(channel_release(channel, NULL), PIECE, PIECE);
	bool answered = relay(client, worker);
	stream_free(worker);
	if (!answered)
		say_sorry(client, sorry);
	stream_hang_up(client, task_deadline(CLOSE_TIMEOUT_MS));
	return answered ? 0 : -EPIPE;
}
