/* The entry points of the room.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAPD_IMAPD_H
#define TAMBO_IMAPD_IMAPD_H

#include "ipc/channel.h"
#include "net/socket.h"

/* Front: one client, until it is gone or the worker has it. */
void imapd_session(int fd_take, const struct address *peer);
/* Worker: one session that auth opens (session_user) and a front starts (session_start). */
void imapd_serve(struct channel *channel_take, const char *peer);

#endif
