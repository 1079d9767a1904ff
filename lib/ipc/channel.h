/* A channel: one UNIX stream socket that carries typed messages between two of our processes.
 * One task uses a channel at a time. Both ends answer every protocol error the same way: the
 * channel is closed, the transaction it carried is undone by its owner.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IPC_CHANNEL_H
#define TAMBO_IPC_CHANNEL_H

#include "ipc/message.h"
#include "task/task.h"

struct channel;

struct channel *channel_new(int fd_take);
void channel_free(struct channel *channel); /* closes; NULL is allowed */
int channel_fd(const struct channel *channel);
/* Frees the channel, returns its fd. *ret_leftover gets bytes read but not consumed. */
int channel_release(struct channel *channel, struct buf *ret_leftover);

/* Sends one message; small ones are coalesced until channel_flush or the next receive.
 * 0 or -errno. */
int channel_send(struct channel *channel, const struct message_type *type, const void *message);
int channel_flush(struct channel *channel, task_time deadline);
/* Bytes waiting to be sent. */
size_t channel_unsent(const struct channel *channel);

/* Receives the next message, flushing first. types: what may come now; *ret_which says which came.
 * The message and its spans live in the channel until the next receive. Descriptors are the
 * caller's. 0, -EPIPE (peer closed between messages), -EBADMSG, -ETIMEDOUT, -ECANCELED. */
int channel_receive(struct channel *channel, const struct message_type *const *types,
	size_t type_count, task_time deadline, size_t *ret_which, void **ret_message);
/* The same for exactly one type. */
int channel_expect(struct channel *channel, const struct message_type *type, task_time deadline,
	void **ret_message);
/* Messages of that type, whose one field is a span, are received straight into sink while it has
 * room below its cap: their bytes are appended, and the message's span points to them. NULL: no
 * longer. */
void channel_receive_into(struct channel *channel, const struct message_type *type,
	struct buf *sink);
/* Send, then receive the one reply. */
int channel_call(struct channel *channel, const struct message_type *type, const void *message,
	const struct message_type *reply_type, task_time deadline, void **ret_reply);
/* Waits until the peer sent something or closed. */
int channel_wait(struct channel *channel, task_time deadline);

#endif
