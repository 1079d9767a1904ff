/* The worker's half of handoff.h. It knows nothing of TLS, and must not: a worker's program does
 * not link OpenSSL.
 * SPDX-License-Identifier: ISC */
#include "daemon/handoff.h"

#include <errno.h>
#include <unistd.h>

#define START_TIMEOUT_MS (30 * 1000)

void handoff_begun(struct handoff_session *session)
{
	static const struct session_begun begun = {true};
	struct channel *channel = session->channel;
	session->channel = NULL;
	if (channel == NULL)
		return;
	/* A front that is gone does not mind. */
	if (channel_send(channel, &session_begun_type, &begun) == 0)
		(void)channel_flush(channel, task_deadline(START_TIMEOUT_MS));
	channel_free(channel);
}

static struct span keep(struct arena *arena, struct span bytes)
{
	return span_is_empty(bytes) ? SPAN_EMPTY : arena_dup(arena, bytes);
}

static void keep_user(struct arena *arena, const struct session_user *from, struct session_user *to)
{
	*to = (struct session_user){.maildir = from->maildir, .tls = from->tls};
	to->user = keep(arena, from->user);
	to->home = keep(arena, from->home);
	to->mailbox = keep(arena, from->mailbox);
	to->remote_address = keep(arena, from->remote_address);
	to->local_address = keep(arena, from->local_address);
}

static void keep_start(struct arena *arena, const struct session_start *from,
	struct session_start *to)
{
	*to = (struct session_start){.client_fd = -1};
	to->tag = keep(arena, from->tag);
	to->command = keep(arena, from->command);
	to->client_id = keep(arena, from->client_id);
}

static int receive_start(struct channel *channel, struct arena *arena,
	struct handoff_session *session, struct session_start **ret_start)
{
	void *message;
	int status = channel_expect(channel, &session_user_type, task_deadline(START_TIMEOUT_MS),
		&message);
	if (status != 0)
		return status;
	keep_user(arena, message, &session->user);
	/* The client may take its time between auth's OK and the front's hand-over, but not long. */
	status = channel_expect(
		channel, &session_start_type, task_deadline(START_TIMEOUT_MS), &message);
	if (status != 0)
		return status;
	*ret_start = message;
	keep_start(arena, message, &session->start);
	return arena->overflow ? -ENOMEM : 0;
}

int handoff_receive(struct channel *channel_take, struct arena *arena, size_t in_cap,
	size_t out_cap, struct handoff_session *ret_session)
{
	struct channel *channel = channel_take;
	struct handoff_session session = {0};
	struct session_start *start = NULL;
	struct buf input = BUF_INIT(in_cap);
	int status = receive_start(channel, arena, &session, &start);
	if (status != 0) {
		if (start != NULL && start->client_fd >= 0)
			close(start->client_fd);
		channel_free(channel);
		return status;
	}
	int fd = start->client_fd;
	buf_append(&input, start->input);
	if (fd >= 0)
		session.channel = channel;
	else
		fd = channel_release(channel, &input);
	session.stream = stream_new(fd, in_cap, out_cap);
	status = input.overflow ? -EMSGSIZE : stream_unread(session.stream, buf_span(&input));
	buf_wipe(&input);
	if (status != 0) {
		channel_free(session.channel);
		stream_free(session.stream);
		return status;
	}
	*ret_session = session;
	return 0;
}
