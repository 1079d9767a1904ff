/* The front: requests of qmgr, one after the other on each connection.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "local/local.h"
#include "task/file.h"

#define ARENA_MAX (64UL << 20)
#define HEADER_MAX (256UL * 1024) /* looked at for Delivered-To: */

/* The beginning of the message. */
static struct span begin_of(const struct delivery_request *request, struct arena *arena)
{
	if (request->content_fd < 0)
		return span_head(request->content, HEADER_MAX);
	size_t want = request->size < HEADER_MAX ? (size_t)request->size : HEADER_MAX;
	char *bytes = arena_alloc(arena, want + 1);
	if (bytes == NULL)
		return SPAN_EMPTY;
	ssize_t got = task_read_at(request->content_fd, bytes, want, request->content_offset);
	return span_new(bytes, got > 0 ? (size_t)got : 0);
}

static int answer(struct channel *channel, const struct delivery_request *request)
{
	struct arena arena;
	struct delivery_reply reply = {.site_text = SPAN_EMPTY, .site_dsn = SPAN_EMPTY};
	arena_init(&arena, ARENA_MAX);
	reply.outcomes = arena_array(&arena, request->recipient_count + 1, sizeof(*reply.outcomes));
	struct span header = begin_of(request, &arena);
	if (reply.outcomes != NULL) {
		deliver_all(request, header, &arena, reply.outcomes);
		reply.outcome_count = request->recipient_count;
	}
	int error = channel_send(channel, &delivery_reply_type, &reply);
	if (error == 0)
		error = channel_flush(channel, task_deadline(60000));
	arena_done(&arena);
	return error;
}

void local_serve(struct channel *channel, const char *peer)
{
	static const struct message_type *const types[] = {
		&delivery_request_type, &delivery_checkpoint_type,
	};
	int error = 0;
	while (error == 0) {
		size_t which;
		void *message;
		error = channel_receive(channel, types, 2, TASK_FOREVER, &which, &message);
		if (error != 0)
			break;
		if (which == 1) {
			checkpoint_serve(channel);
			break;
		}
		struct delivery_request *request = message;
		error = answer(channel, request);
		if (request->content_fd >= 0)
			(void)close(request->content_fd);
	}
	log_debug(NULL, "connection of %s ends", peer);
	channel_free(channel);
}
