/* A channel in the worker: auth says whose session it is, the front how it begins, and the stream
 * is the client's (daemon/handoff.h).
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/handoff.h"
#include "imapd/imapd.h"
#include "imapd/session.h"
#include "imapd/worker_settings.h"

#define ARENA_CAP (64 * 1024)

/* What a session needs to know, in as little memory as it takes: the arena of the hand-over is
 * large. */
struct owner {
	char *user, *mailbox, *remote, *tag;
	bool maildir;
};

static void keep(const struct handoff_session *handed, struct owner *ret_owner)
{
	ret_owner->user = span_dup_cstr(handed->user.user);
	ret_owner->mailbox = span_dup_cstr(handed->user.mailbox);
	ret_owner->remote = span_dup_cstr(handed->user.remote_address);
	ret_owner->tag = span_dup_cstr(handed->start.tag);
	ret_owner->maildir = handed->user.maildir;
	if (handed->start.client_id.len > 0)
		log_info(NULL, "user=<%s>: ID %.*s", ret_owner->user,
			SPAN_ARGS(handed->start.client_id));
}

void imapd_serve(struct channel *channel_take, const char *peer)
{
	struct handoff_session handed;
	struct owner owner = {0};
	struct arena arena;
	arena_init(&arena, ARENA_CAP);
	int status = handoff_receive(
		channel_take, &arena, CONNECTION_IN_CAP, CONNECTION_OUT_CAP, &handed);
	if (status == 0)
		keep(&handed, &owner);
	else if (status != -EPIPE)
		log_warning(NULL, "a session from %s did not begin: %s", peer, strerror(-status));
	arena_done(&arena);
	if (status == 0) {
		struct session_start_info info = {.user = span_from_cstr(owner.user),
			.mailbox_path = span_from_cstr(owner.mailbox),
			.maildir = owner.maildir,
			.remote = span_from_cstr(owner.remote),
			.tag = span_from_cstr(owner.tag),
			.handed = &handed};
		session_run(handed.stream, &info, worker_settings());
	}
	free(owner.user);
	free(owner.mailbox);
	free(owner.remote);
	free(owner.tag);
}
