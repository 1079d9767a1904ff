/* The way of commands to the queue: through qmgr's sockets when the server runs, straight from the
 * disk when it does not and the caller may read it.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_COMMANDS_COMMON_QUEUE_CLIENT_H
#define TAMBO_COMMANDS_COMMON_QUEUE_CLIENT_H

#include "conf/conf.h"
#include "service/qmgr.h"

/* Called for each queue_item; false stops. */
typedef bool queue_item_fn(void *arg, const struct queue_item *item);

/* Runs fn(arg) with a task loop around it; its result. */
int queue_client_run(int (*fn)(void *arg), void *arg);

/* In queue_client_run: -ENOENT or -ECONNREFUSED: the server is down. queue_id "" for all. 0 or
 * -errno. */
int queue_client_list(const char *queue_directory, struct span queue_id, queue_item_fn *fn,
	void *arg);
/* *ret_count: messages acted upon. 0 or -errno, also what qmgr answered. */
int queue_client_command(const char *queue_directory, const struct queue_command *command,
	uint64_t *ret_count);
bool queue_client_is_down(int error);

/* The same listing from journal and ledger. */
int queue_direct_list(const char *queue_directory, struct span queue_id, queue_item_fn *fn,
	void *arg);

struct queue_index;
/* Warnings about places in the journal that cannot be read. */
void queue_direct_tell_damage(const struct queue_index *index);

/* For a command that is setgid: the folder of the configuration, from -c (may be NULL) or
 * MAIL_CONFIG; NULL: that folder may not be named by this user. */
const char *command_config_dir(const char *option);
/* name: of a parameter that lists users, such as authorized_mailq_users. */
bool command_user_is_authorized(struct conf *conf, const char *name, const char **ret_user);

#endif
