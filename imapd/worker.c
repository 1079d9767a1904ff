/* A channel in the worker: auth says whose session it is, the front how it begins, and the stream is the
 * client's (daemon/handoff.h).
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "daemon/handoff.h"
#include "imapd/imapd.h"
#include "imapd/session.h"
#include "imapd/settings.h"

#define ARENA_CAP (64 * 1024)

void imapd_serve(struct channel *channel_take, const char *peer)
{
	struct handoff_session handed;
	struct arena arena;
	arena_init(&arena, ARENA_CAP);
	int status = handoff_receive(channel_take, &arena, CONNECTION_IN_CAP, CONNECTION_OUT_CAP, &handed);
	if (status == 0) {
		struct session_start_info info = {.user = handed.user.user,
			.mailbox_path = handed.user.mailbox, .maildir = handed.user.maildir,
			.tag = handed.start.tag};
		if (handed.start.client_id.len > 0)
			log_info(NULL, "user=<%.*s>: ID %.*s", SPAN_ARGS(info.user),
				SPAN_ARGS(handed.start.client_id));
		session_run(handed.stream, &info, &imapd_settings()->worker);
	} else if (status != -EPIPE) {
		log_warning(NULL, "a session from %s did not begin: %s", peer, strerror(-status));
	}
	arena_done(&arena);
}
