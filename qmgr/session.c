/* One client of public/showq or public/qmgr: mailq, postqueue, postsuper. Anybody who can reach the
 * socket may list and hurry mail (postqueue has checked who may); only root and this process's own
 * user may change it.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "qmgr/qmgr.h"

#define COMMAND_TIMEOUT (60 * 1000)

static bool is_privileged(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
		(peer.uid == 0 || peer.uid == geteuid());
}

static int answer(struct channel *channel, int status, uint64_t count)
{
	struct queue_result result = {.status = status < 0 ? (uint32_t)-status : 0, .count = count,
		.text = span_from_cstr(status < 0 ? strerror(-status) : "")};
	int error = channel_send(channel, &queue_result_type, &result);
	return error < 0 ? error : channel_flush(channel, task_deadline(COMMAND_TIMEOUT));
}

static int serve_one(struct channel *channel, bool privileged)
{
	static const struct message_type *const types[] = {&queue_list_type, &queue_command_type};
	void *message;
	size_t which;
	uint64_t count = 0;
	int error = channel_receive(channel, types, ARRAY_LEN(types),
		task_deadline(COMMAND_TIMEOUT), &which, &message);
	if (error < 0)
		return error;
	if (which == 1) {
		int status = command_run(message, privileged, &count);
		return answer(channel, status, count);
	}
	/* The id lives in the channel's buffer, which the answers do not touch. */
	error = listing_send(channel, ((struct queue_list *)message)->queue_id, &count);
	return error < 0 ? error : answer(channel, 0, count);
}

void session_serve(int fd_take)
{
	bool privileged = is_privileged(fd_take);
	struct channel *channel = channel_new(fd_take);
	struct peer_task self;
	peer_task_begin(&self);
	while (!qmgr.stopping && serve_one(channel, privileged) == 0)
		;
	peer_task_end(&self);
	channel_free(channel);
}
