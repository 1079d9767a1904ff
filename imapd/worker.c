/* A channel in the worker: first auth says whose session it is, then the front says how it begins; then
 * the channel's socket (or the client's own) is the session's byte stream (service/auth.h).
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/memory.h"
#include "imapd/imapd.h"
#include "imapd/session.h"
#include "imapd/settings.h"
#include "service/auth.h"

#define FIRST_MS (60 * 1000)

struct owner {
	char *user, *mailbox, *remote;
	bool maildir;
};

static void owner_done(struct owner *owner)
{
	free(owner->user);
	free(owner->mailbox);
	free(owner->remote);
}

static bool receive_owner(struct channel *channel, struct owner *ret_owner)
{
	void *message;
	if (channel_expect(channel, &session_user_type, task_deadline(FIRST_MS), &message) != 0)
		return false;
	const struct session_user *user = message;
	ret_owner->user = span_dup_cstr(user->user);
	ret_owner->mailbox = span_dup_cstr(user->mailbox);
	ret_owner->remote = span_dup_cstr(user->remote_address);
	ret_owner->maildir = user->maildir;
	return true;
}

/* What the session reads and writes; NULL when the channel's last bytes do not fit. */
static struct stream *make_stream(struct channel *channel_take, int client_fd, struct span input)
{
	struct buf first = BUF_INIT(CONNECTION_IN_CAP);
	struct stream *stream;
	buf_append(&first, input);
	if (client_fd >= 0) {
		channel_free(channel_take);
		stream = stream_new(client_fd, CONNECTION_IN_CAP, CONNECTION_OUT_CAP);
	} else {
		int fd = channel_release(channel_take, &first);
		stream = stream_new(fd, CONNECTION_IN_CAP, CONNECTION_OUT_CAP);
	}
	bool ok = !first.overflow && stream_unread(stream, buf_span(&first)) == 0;
	buf_done(&first);
	if (ok)
		return stream;
	stream_free(stream);
	return NULL;
}

static void start(struct channel *channel_take, const struct owner *owner,
	const struct session_start *begin)
{
	char *tag = span_dup_cstr(begin->tag), *id = span_dup_cstr(begin->client_id);
	char *input = memory_alloc(begin->input.len + 1);
	memcpy(input, begin->input.ptr, begin->input.len);
	struct span rest = span_new(input, begin->input.len);
	struct stream *stream = make_stream(channel_take, begin->client_fd, rest);
	struct session_start_info info = {.user = span_from_cstr(owner->user),
		.mailbox_path = span_from_cstr(owner->mailbox), .maildir = owner->maildir,
		.tag = span_from_cstr(tag)};
	free(input);
	if (id[0] != '\0')
		log_info(NULL, "user=<%s>: ID %s", owner->user, id);
	if (stream != NULL)
		session_run(stream, &info, &imapd_settings()->worker);
	else
		log_warning(NULL, "user=<%s>: too much input before the session began", owner->user);
	free(tag);
	free(id);
}

void imapd_serve(struct channel *channel_take, const char *peer)
{
	struct owner owner = {0};
	void *message;
	(void)peer;
	if (!receive_owner(channel_take, &owner) ||
		channel_expect(channel_take, &session_start_type, task_deadline(FIRST_MS), &message) != 0)
		channel_free(channel_take);
	else
		start(channel_take, &owner, message);
	owner_done(&owner);
}
