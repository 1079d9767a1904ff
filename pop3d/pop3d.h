/* The entry points of the room, and what its two programs share.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_POP3D_POP3D_H
#define TAMBO_POP3D_POP3D_H

#include "ipc/channel.h"
#include "net/socket.h"

/* Lines of CAPA that do not depend on the state. */
#define POP3D_CAPABILITIES                                                                         \
	"TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nUTF8\r\n"                    \
	"IMPLEMENTATION Tambo\r\n"

/* Front: one client, until it is gone or the worker has it. */
void pop3d_front(int fd_take, const struct address *peer);
/* Worker: one session that auth opens (session_user) and a front starts (session_start). */
void pop3d_worker(struct channel *channel_take, const char *peer);

#endif
