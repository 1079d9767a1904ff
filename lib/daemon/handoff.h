/* How a session goes from the front, where the client logged in, to the worker of the user's uid
 * (service/auth.h): a plain connection is passed as it is and the front is done with it; a TLS
 * connection stays with the front, which holds the keys and relays bytes. One half is linked by
 * fronts alone, the other by workers alone, so that a worker is without TLS.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_DAEMON_HANDOFF_H
#define TAMBO_DAEMON_HANDOFF_H

#include "ipc/channel.h"
#include "net/stream.h"
#include "service/auth.h"

/* Front. Takes the client's stream and the worker's socket (auth_reply.session_fd). start: tag,
 * command and so on; client_fd and input are filled in here. Returns when the front has nothing
 * more to do: for a plain client once the worker has answered its login, at the end of the session
 * for TLS. 0, or -errno when the worker could not be told or died before it answered: then the
 * client was told sorry (whole lines), and has been hung up on. */
int handoff_to_worker(struct stream *client_take, int session_fd_take,
	const struct session_start *start, struct span sorry);

struct handoff_session {
	struct session_user user;
	struct session_start start; /* client_fd is used up, input is in the stream */
	struct stream *stream;
	struct channel *channel;    /* a plain client's, until handoff_begun; or NULL */
};

/* Worker. The answer to the login has been flushed. */
void handoff_begun(struct handoff_session *session);

/* Worker. Receives both messages on the channel that auth opened. On success ret_session->stream
 * is the client's (buffers of in_cap and out_cap bytes, its first input already there), user and
 * start are copied into arena. The channel is gone with handoff_begun, or on an error. 0 or
 * -errno. */
int handoff_receive(struct channel *channel_take, struct arena *arena, size_t in_cap,
	size_t out_cap, struct handoff_session *ret_session);

#endif
