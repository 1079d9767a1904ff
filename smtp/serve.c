/* See serve.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/serve.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/daemon.h"
#include "smtp/delivery.h"

#define REPLY_TIMEOUT_MS 60000

static int answer(struct channel *channel, const struct delivery_request *request)
{
	struct delivery delivery;
	struct delivery_reply reply = {.site_failed = false};
	int error = delivery_init(&delivery, request, channel_fd(channel));
	/* Without memory nobody is named: all are deferred. */
	if (error == 0) {
		delivery_run(&delivery);
		delivery_result(&delivery, &reply);
	}
	if (request->content_fd >= 0)
		close(request->content_fd);
	error = channel_send(channel, &delivery_reply_type, &reply);
	if (error == 0)
		error = channel_flush(channel, task_deadline(REPLY_TIMEOUT_MS));
	delivery_done(&delivery);
	return error;
}

void serve(struct channel *channel, const char *peer)
{
	void *message;
	int error = 0;
	while (error == 0) {
		error = daemon_wait_request(channel);
		if (error == 0)
			error = channel_expect(channel, &delivery_request_type,
				task_deadline(REPLY_TIMEOUT_MS), &message);
		if (error == 0)
			error = answer(channel, message);
	}
	if (error != -EPIPE && error != -ECANCELED)
		log_warning(NULL, "channel to %s: %s", peer, strerror(-error));
	channel_free(channel);
}
