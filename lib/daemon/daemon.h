/* The common life of a process: master starts it with its service's name, overrides and listening
 * sockets; it reads its configuration, opens what it needs, closes the sandbox, says "ready" and
 * serves until master says stop. Every connection between two of our processes is a socketpair that
 * master makes on request (the broker): master's table says who may ask for whom, no process can
 * reach another by path, and the server is told which service its peer is.
 *
 * Order of events: prepare() (outside the sandbox, may block, no loop) -> sandbox -> start() in a
 * task -> session()/serve() in tasks of their own -> stop().
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_DAEMON_DAEMON_H
#define TAMBO_DAEMON_DAEMON_H

#include <sys/types.h>

#include "conf/conf.h"
#include "ipc/channel.h"
#include "net/socket.h"
#include "net/stream.h"

/* What the sandbox leaves a process. Everything else (exec, ptrace, new namespaces ...) is refused
 * to all but those that name it. */
enum daemon_right {
	DAEMON_NETWORK_OUT = 1,  /* socket() and connect() for IPv4 and IPv6 */
	DAEMON_QUEUE = 2,        /* read and write queue_directory */
	DAEMON_FILES = 4,        /* a worker: what its uid may reach, below its tree if it has one */
	DAEMON_EXEC = 8,         /* runs commands: no seccomp, no Landlock, no no_new_privs */
	DAEMON_PASSWORDS = 16,   /* /etc/passwd, shadow, PAM and their modules */
	DAEMON_DATA = 32,        /* read and write data_directory */
};

struct daemon_spec {
	const char *name;
	bool is_worker;         /* the program of a room's workers, one process for each uid */
	unsigned rights;        /* enum daemon_right */
	unsigned command_rights; /* the same for a worker that runs commands (role "command") */
	bool chroot;            /* may live in an empty root directory */
	/* Parameters whose value names files (or maps) that only root can read, such as
	 * "smtpd_tls_key_file": master opens them and daemon_open_file finds them. NULL-terminated;
	 * may be NULL. */
	const char *const *private_files;
	/* daemon_maps in a room that looks things up in tables; a program that does not name it is
	 * spared what they link. Called before prepare(). */
	void (*maps)(void);
	int (*prepare)(struct conf *conf);          /* 0 or -errno: the process ends */
	void (*start)(void);                        /* may be NULL */
	/* One client of a listening socket, in its own task; owns fd. */
	void (*session)(int fd_take, const struct address *peer);
	/* One internal peer, in its own task; owns channel. peer: its service name. */
	void (*serve)(struct channel *channel_take, const char *peer);
	void (*stop)(void);   /* finish soon: called on the loop, must not wait; may be NULL */
	bool stops_at_once;   /* stop() is not put off while clients are there: a successor waits */
	bool serves_clients;  /* serve() speaks with clients, whom a front has handed over */
};

/* The whole of main(). Returns the exit status. */
int daemon_main(const struct daemon_spec *spec, int argc, char **argv);

/* --- for the rooms, once running --- */
struct conf *daemon_conf(void);
const char *daemon_service(void); /* name column of the master.cf line, such as "submission" */
/* DAEMON_SERVICE: what master.cf names. DAEMON_WORKER: holds one uid's files. DAEMON_COMMAND: a
 * worker of one uid that may run commands (|command of aliases and .forward). */
enum daemon_role { DAEMON_SERVICE, DAEMON_WORKER, DAEMON_COMMAND };
enum daemon_role daemon_role(void);
bool daemon_is_worker(void); /* either kind */
bool daemon_is_stopping(void);

/* Asks master for a channel to a service ("cleanup", "qmgr", "auth" ...). NULL when refused, or the
 * deadline passed. */
struct channel *daemon_connect(const char *service, task_time deadline);
/* Which worker. tree: the folder whose files it may reach (Landlock), besides what its uid lets it;
 * one process serves all that ask for the same. Empty: whatever its uid may. */
struct daemon_worker {
	const char *service;
	uid_t uid;
	gid_t gid;
	bool command; /* may run commands: only the fronts of "local" may ask, without a tree */
	struct span tree;
};
/* A channel to that worker, started when there is none (only services that master's table allows).
 * -EACCES: uid 0, below first_valid_uid, or not allowed. */
int daemon_connect_worker(
	const struct daemon_worker *worker, task_time deadline, struct channel **ret_channel);

/* Lets tables read files of root, and ask proxymap for what this process cannot read. */
void daemon_maps(void);

/* A pool of idle channels to one service, reused last in first out. */
struct daemon_pool;
struct daemon_pool *daemon_pool_new(const char *service, size_t max_idle);
struct channel *daemon_pool_take(
	struct daemon_pool *pool, task_time deadline); /* NULL: none to be had */
/* Only a channel whose last exchange ended as it should goes back; free others. */
void daemon_pool_give(struct daemon_pool *pool, struct channel *channel_take);

/* Reads a whole file that may be root's (see private_files), at most max bytes. 0 or -errno. */
int daemon_read_file(const char *path, size_t max, struct buf *out);

/* In serve(), between two exchanges of a peer that keeps its channel for later ones: waits for the
 * next. -ECANCELED when this process is being replaced (a table or the configuration changed): the
 * channel is to be freed, so that its peer comes to the new process. 0 or -errno. */
int daemon_wait_request(struct channel *channel);

/* In a service of which there is one process at a time, which has been told to stop: what it holds
 * has been let go, its successor may begin while this one finishes its work. */
void daemon_release(void);

/* Work in progress: a stopping process waits for it (at most 30 s for sessions that are between
 * commands, see daemon_is_stopping). session() and serve() are counted already. */
void daemon_work_begin(void);
void daemon_work_end(void);

#endif
