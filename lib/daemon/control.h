/* What a process and master say to each other over the control socket (SOCK_SEQPACKET): one struct
 * of fixed size a packet, at most one descriptor beside it. Master trusts nothing in it: texts are
 * terminated again after receiving, numbers are checked against its own tables.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_DAEMON_CONTROL_H
#define TAMBO_DAEMON_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#define CONTROL_FD 3      /* the process's end, by number */
#define CONTROL_LOG_FD 4  /* where log lines go; see control_log_kind */
#define CONTROL_ROOT_FD 5 /* the empty folder to chroot into, or closed */
#define CONTROL_LISTEN_FD 6 /* the first listening socket */

#define CONTROL_MAGIC 0x544d4230u
#define CONTROL_TEXT_MAX 1024

enum control_type {
	/* process -> master */
	CONTROL_READY = 1,  /* the walls are closed, clients may come */
	CONTROL_WATCH,      /* text: a file whose change calls for a new process; before READY only */
	CONTROL_OPEN,       /* text: a parameter that names files of root; before READY only */
	CONTROL_CONNECT,    /* text: service; id is given back */
	CONTROL_WORKER,     /* text: "service" or "service /tree"; role, uid, gid; id is given back */
	CONTROL_IDLE,       /* id: how many CONTROL_SERVE it has taken so far: nothing to do */
	CONTROL_RELEASED,   /* stopping, and the process that takes its place may begin */
	CONTROL_LOG_LOST,   /* the log descriptor does not take lines any more */
	/* master -> process */
	CONTROL_FILE = 20,  /* answer to OPEN: text: path, descriptor; status 1 ends the
	                     * list, -errno too: they cannot be had now */
	CONTROL_CONNECTED,  /* id, status 0 and a descriptor, or -errno */
	CONTROL_SERVE,      /* a peer: text is its service, id its process, descriptor the channel */
	CONTROL_STOP,       /* finish; id: milliseconds to do it in */
	CONTROL_LOG,        /* descriptor: the new place of log lines */
};

enum control_role { CONTROL_ROLE_SERVICE, CONTROL_ROLE_WORKER, CONTROL_ROLE_COMMAND };

struct control_message {
	uint32_t magic, type, id;
	int32_t status;
	uint32_t uid, gid, role;
	char text[CONTROL_TEXT_MAX];
};

void control_message_init(struct control_message *message, enum control_type type);
/* False when text does not fit. */
bool control_message_set_text(struct control_message *message, const char *text);
/* Never waits: -EAGAIN. fd: sent along, or -1; stays the caller's. 0 or -errno. */
int control_send(int socket_fd, const struct control_message *message, int fd);
/* Never waits. *ret_fd: -1 or a descriptor, the caller's.
 * 0, -EAGAIN, -EPIPE at the end, -EBADMSG for anything that is not such a struct. A descriptor for
 * which this process had no room is lost: *ret_fd is -1. */
int control_receive(int socket_fd, struct control_message *ret_message, int *ret_fd);

#endif
