/* Talking to qmgr over its UNIX sockets.
 * SPDX-License-Identifier: ISC */
#include "commands/common/queue_client.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "ipc/channel.h"
#include "map/map.h"
#include "net/socket.h"

#define CONNECT_MS 10000
#define ANSWER_MS (600 * 1000)

struct run {
	int (*fn)(void *arg);
	void *arg;
	int result;
};

static void run_task(void *arg)
{
	struct run *run = arg;
	run->result = run->fn(run->arg);
	task_loop_stop();
}

int queue_client_run(int (*fn)(void *arg), void *arg)
{
	struct run run = {fn, arg, -ENOMEM};
	int error = task_loop_open();
	if (error < 0)
		return error;
	task_offload_threads(0);
	if (task_spawn("command", run_task, &run, 512 * 1024) != NULL)
		error = task_loop_run();
	return error < 0 ? error : run.result;
}

static int open_channel(const char *queue_directory, const char *name,
	struct channel **ret_channel)
{
	struct address address;
	struct buf path = BUF_INIT(4096);
	buf_append_format(&path, "%s/public/%s", queue_directory, name);
	int fd = address_from_path(buf_cstr(&path), &address);
	buf_done(&path);
	if (fd == 0)
		fd = socket_connect(&address, NULL, task_deadline(CONNECT_MS));
	if (fd < 0)
		return fd;
	*ret_channel = channel_new(fd);
	return 0;
}

bool queue_client_is_down(int error)
{
	return error == -ENOENT || error == -ECONNREFUSED || error == -ETIMEDOUT || error == -EPIPE;
}

int queue_client_list(const char *queue_directory, struct span queue_id, queue_item_fn *fn,
	void *arg)
{
	static const struct message_type *const types[] = {&queue_item_type, &queue_result_type};
	struct channel *channel;
	struct queue_list request = {queue_id};
	void *message;
	size_t which = 0;
	int error = open_channel(queue_directory, "showq", &channel);
	if (error < 0)
		return error;
	error = channel_send(channel, &queue_list_type, &request);
	while (error == 0 && which == 0) {
		error = channel_receive(channel, types, ARRAY_LEN(types), task_deadline(ANSWER_MS),
			&which, &message);
		if (error == 0 && which == 0 && !fn(arg, message))
			break;
	}
	if (error == 0 && which == 1)
		error = -(int)((struct queue_result *)message)->status;
	channel_free(channel);
	return error;
}

int queue_client_command(const char *queue_directory, const struct queue_command *command,
	uint64_t *ret_count)
{
	struct channel *channel;
	struct queue_result *result;
	int error = open_channel(queue_directory, "qmgr", &channel);
	if (error < 0)
		return error;
	error = channel_call(channel, &queue_command_type, command, &queue_result_type,
		task_deadline(ANSWER_MS), (void **)&result);
	if (error == 0) {
		*ret_count = result->count;
		error = -(int)result->status;
	}
	channel_free(channel);
	return error;
}

static bool is_listed(const char *dirs, const char *dir)
{
	struct span rest = span_from_cstr(dirs), word;
	while (span_token(&rest, ", \t\r\n", &word))
		if (span_equal(word, span_from_cstr(dir)))
			return true;
	return false;
}

const char *command_config_dir(const char *option)
{
	bool trusted = getuid() == 0 || (getuid() == geteuid() && getgid() == getegid());
	if (option == NULL)
		return conf_default_dir(); /* which ignores MAIL_CONFIG when setgid */
	if (trusted)
		return option;
	char *error = NULL;
	struct conf *conf = conf_load(NULL, "", NULL, 0, &error);
	bool allowed = conf != NULL &&
		(is_listed(conf_get(conf, "alternate_config_directories"), option) ||
		is_listed(conf_get(conf, "multi_instance_directories"), option));
	if (conf != NULL)
		conf_free(conf);
	free(error);
	return allowed ? option : NULL;
}

bool command_user_is_authorized(struct conf *conf, const char *name, const char **ret_user)
{
	const struct passwd *entry = getpwuid(getuid());
	const char *user = entry != NULL ? entry->pw_name : "unknown";
	char *error = NULL;
	*ret_user = user;
	if (getuid() == 0 || strcmp(user, conf_get(conf, "mail_owner")) == 0)
		return true;
	struct match_list *list = match_list_open(conf, conf_get(conf, name), MATCH_STRING, &error);
	bool allowed = list != NULL && match_list_check(list, span_from_cstr(user)) == MAP_FOUND;
	if (list != NULL)
		match_list_close(list);
	free(error);
	return allowed;
}
