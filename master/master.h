/* What the files of master share: services, processes, the loop.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MASTER_MASTER_H
#define TAMBO_MASTER_MASTER_H

#include <sys/types.h>

#include "base/list.h"
#include "conf/conf.h"
#include "conf/master_cf.h"
#include "daemon/control.h"
#include "daemon/log_sink.h"
#include "master/program.h"

/* An fd that the loop watches. */
struct source {
	int fd;
	void (*ready)(struct source *source, unsigned events);
};

struct listener {
	struct list_node node;
	char *key; /* "inet 127.0.0.1 2525" or "unix /path" */
	int fd;
	unsigned generation; /* the configuration that last wanted it */
};

#define SERVICE_LISTENERS_MAX 32
#define SERVICE_PENDING_MAX 1000

struct service;
struct log_pipe;

/* A channel waiting for a process of its service. */
struct pending {
	struct list_node node;
	int fd;
	pid_t peer_pid;
	char peer[64]; /* as process.service_name */
};

/* Processes that are alike: those of one master.cf line, or the workers of one uid. */
struct process_group {
	struct list_node node; /* of groups */
	struct service *service;
	enum control_role role;
	uid_t uid;
	gid_t gid;
	char *tree; /* of a worker: the folder it is for; NULL: any */
	size_t wanted, running;
	struct list_node processes;
	struct list_node pending; /* struct pending */
	size_t pending_count;
	int64_t refused_at; /* monotonic ms of the last word on it; 0: never */
	/* crash loop */
	int64_t start_after;  /* monotonic ms; 0: at once */
	int64_t backoff_ms;
	bool complained;
};

struct service {
	struct list_node node;
	const struct program *program;
	const struct master_service *line; /* NULL: of our own, without a line */
	const char *name;
	struct service *host; /* built in: the service that does its work */
	struct conf *conf;
	struct listener *listeners[SERVICE_LISTENERS_MAX];
	size_t listener_count;
	size_t session_limit; /* of one process; 0: none */
	struct process_group *group; /* of its own processes; NULL when built in */
};

struct process {
	struct source source; /* control socket */
	struct list_node node, all_node;
	struct process_group *group;  /* NULL: of an older configuration, told to stop */
	const struct program *program;
	char service_name[64];
	enum control_role role;
	pid_t pid;
	bool ready, stopping;
	bool released; /* stopping, and its successor may begin */
	uint32_t served;
	int64_t started_at, kill_after; /* monotonic ms; 0: not */
	struct log_pipe *log_pipe; /* NULL: it has the log itself */
	struct list_node unsent; /* struct packet */
	size_t unsent_count;
};

struct master_user {
	uid_t uid;
	gid_t gid;
	char name[64];
	bool found;
};

struct master {
	const char *config_dir; /* absolute */
	struct conf *conf;
	struct master_cf *master_cf;
	bool is_root, in_foreground, stopping;
	struct list_node services, listeners, groups, processes;
	unsigned generation;
	struct master_user users[PROGRAM_USERS];
	uid_t first_valid_uid;
	size_t worker_limit, worker_count;
	enum log_sink_kind log_kind;
	int log_fd, root_fd;
	int ready_pipe; /* -1, or where `tambo start` waits */
	bool announced; /* ready was said */
};

extern struct master master;

int64_t clock_ms(void);

/* config.c: reads main.cf and master.cf into a new set of services. On failure (logged) the old set
 * stays. 0 or -errno. */
int config_load(void);
struct service *service_find(const char *name);
/* The first service that runs room; NULL when there is none. */
struct service *service_find_room(const char *room);

/* listen.c: opens (or keeps) the sockets of a service. 0 or -errno (logged). */
int listen_open(struct service *service);
/* Closes those that the present configuration does not use. */
void listen_close_unused(void);

/* users.c */
int users_load(void); /* 0, or -ENOENT (logged) */

/* group.c: how many processes there should be, and what became of them. */
struct process_group *group_new(
	struct service *service, enum control_role role, uid_t uid, gid_t gid);
void group_run(struct process_group *group);  /* starts what is missing and may start now */
void group_give(
	struct process_group *group, int fd_take, const struct process *asker); /* a channel to serve */
void group_ready(struct process_group *group); /* a process of it said so */
/* New processes take over; the old ones finish what they have. */
void group_renew(struct process_group *group);
void group_ended(struct process_group *group, struct process *process, int status);
void groups_run(void);                /* all; called by the loop's clock */
int64_t groups_next_ms(void);         /* until a group may start again; -1: none waits */
void groups_give_up(void);            /* all end: what still waits for a process is closed */
void groups_retire(void);             /* a new configuration: all processes are told to finish */
void group_release(struct process_group *group); /* frees a worker group that is empty and unused */

/* process.c */
int process_start(struct process_group *group);
void process_send(struct process *process, const struct control_message *message, int fd);
void process_stop(struct process *process, int64_t ms);
void process_reap(void);
void process_kill_late(void);
void processes_send_log(void);
bool room_is_running_old(const char *room); /* a process of an older configuration still runs */

/* person.c: the uid's own groups, what main.cf names, the mail spool's group; never the system's.
 * May wait for the name service: not for master itself. */
bool person_may_have_gid(struct conf *conf, uid_t uid, gid_t gid);

/* child.c: between fork and exec. */
_Noreturn void child_run(const struct process_group *group, int control_fd, int log_fd);

/* broker.c: what a process asked for. */
void broker_handle(struct process *process, const struct control_message *message);

/* watch.c: files whose change calls for new processes. */
void watch_add(const char *path, struct process *process);
void watch_check(void);
void watch_forget_all(void);

/* log.c */
int master_log_open(void); /* as the configuration says: 0 or -errno */
void master_log_reopen(void);
void master_log_lost(void); /* lines cannot be written at the moment */
void master_log_retry(void); /* called by the loop's clock */

/* log_pipe.c */
bool log_pipe_is_needed(const struct program *program, enum control_role role);
struct log_pipe *log_pipe_open(int *ret_write_fd); /* NULL, errno: none to be had */
void log_pipe_close(struct log_pipe *log_pipe);    /* takes what is left; may be NULL */

/* notify.c */
void notify_systemd(const char *state);
void notify_ready_if_all(void);
void notify_failed(const char *service); /* to `tambo start`, if it still waits */

/* loop.c */
int loop_open(void);
int loop_add(struct source *source); /* 0 or -errno */
void loop_watch_writes(struct source *source, bool on);
void loop_remove(struct source *source);
int loop_run(void); /* the exit status */

#endif
