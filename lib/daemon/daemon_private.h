/* The state of this process as the files of lib/daemon share it.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_DAEMON_DAEMON_PRIVATE_H
#define TAMBO_DAEMON_DAEMON_PRIVATE_H

#include "daemon/control.h"
#include "daemon/daemon.h"
#include "daemon/log_sink.h"

#define DAEMON_OVERRIDES_MAX 200
#define DAEMON_LISTEN_MAX 64

/* What master said on the command line. */
struct daemon_arguments {
	const char *service, *config_dir,
		*program; /* program: column 8 of master.cf, names log lines */
	enum daemon_role role;
	const char *tree; /* of a worker; NULL: any folder */
	enum log_sink_kind log_kind;
	size_t listen_count;
	size_t session_limit; /* sessions of this process; 0: no limit */
	int64_t idle_ms;      /* 0: stays when there is nothing to do */
	bool from_root;       /* files of root are to be had from master */
	bool empty_root;      /* CONTROL_ROOT_FD is the folder to chroot into */
	bool verbose;
	struct conf_override overrides[DAEMON_OVERRIDES_MAX];
	size_t override_count;
};

struct daemon_state {
	const struct daemon_spec *spec;
	struct daemon_arguments arguments;
	struct conf *conf;
	bool draining; /* no new clients */
	bool stopping; /* and sessions are told to end */
	size_t work;     /* sessions, peers and other work in progress */
	size_t sessions; /* of those: clients of listening sockets */
};

extern struct daemon_state daemon_state;

/* 0, or -EINVAL (said on standard error). Strings of argv are kept. */
int daemon_arguments_parse(int argc, char **argv, struct daemon_arguments *ret_arguments);

/* walls.c: chroot, capabilities, Landlock, seccomp as the spec says. 0 or -errno (logged). */
int walls_close(void);

/* link.c: before the loop, waiting in poll(). */
int link_open_private_files(void);
int link_tell_watched(void);
/* On the loop. */
void link_start(void); /* spawns the task that hears master */
void link_send_ready(void);
void link_send_idle(uint32_t served);
uint32_t link_served(void); /* CONTROL_SERVE taken so far */

/* serve.c */
int serve_start(void);     /* accept tasks; 0 or -errno */
void serve_peer(int fd_take, const char *peer, uint32_t peer_pid);
void serve_stop(
	int64_t ms); /* close listeners, tell the room, end when work is done or ms passed */

/* pool.c */
void pool_drop_all(void);

#endif
