/* postqueue(1): lists and hurries the queue. May be installed setgid (setgid_group), so it trusts
 * neither its environment nor a folder named by a stranger.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "commands/common/queue_client.h"
#include "commands/common/stderr_log.h"
#include "commands/postqueue/show.h"
#include "task/task.h"

enum mode { MODE_NONE, MODE_LIST, MODE_JSON, MODE_FLUSH, MODE_FLUSH_ID, MODE_FLUSH_SITE };

struct job {
	enum mode mode;
	const char *argument, *config_option;
	struct conf *conf;
	const char *queue_directory;
	struct show show;
	uint64_t count;
};

static int usage(void)
{
	log_fatal(NULL, "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p"
		" | postqueue -s site");
	return EX_USAGE;
}

static int list(void *arg)
{
	struct job *job = arg;
	return queue_client_list(job->queue_directory, SPAN_EMPTY, show_item, &job->show);
}

static int list_direct(void *arg)
{
	struct job *job = arg;
	return queue_direct_list(job->queue_directory, SPAN_EMPTY, show_item, &job->show);
}

static int run_list(struct job *job)
{
	show_begin(&job->show, stdout, job->mode == MODE_JSON,
		conf_get_bool(job->conf, "enable_long_queue_ids"));
	int error = queue_client_run(list, job);
	if (queue_client_is_down(error)) {
		task_loop_close();
		error = queue_client_run(list_direct, job);
		if (error < 0) {
			log_fatal(NULL, "Queue report unavailable - mail system is down");
			return EX_UNAVAILABLE;
		}
	}
	if (error < 0) {
		log_fatal(NULL, "Queue report unavailable - %s", strerror(-error));
		return EX_UNAVAILABLE;
	}
	show_end(&job->show);
	return ferror(stdout) ? EX_IOERR : EX_OK;
}

static int flush(void *arg)
{
	struct job *job = arg;
	struct queue_command command = {
		.action = job->mode == MODE_FLUSH ? QUEUE_FLUSH_ALL
			: job->mode == MODE_FLUSH_ID ? QUEUE_FLUSH_ID : QUEUE_FLUSH_SITE,
		.argument = span_from_cstr(job->argument == NULL ? "" : job->argument),
		.queues = SPAN_EMPTY};
	return queue_client_command(job->queue_directory, &command, &job->count);
}

static int run_flush(struct job *job)
{
	int error = queue_client_run(flush, job);
	if (error == 0)
		return EX_OK;
	log_fatal(NULL, "Cannot flush mail queue - %s",
		queue_client_is_down(error) ? "mail system is down" : strerror(-error));
	return EX_UNAVAILABLE;
}

static bool set_mode(struct job *job, enum mode mode, const char *argument)
{
	bool first = job->mode == MODE_NONE;
	job->mode = mode;
	job->argument = argument;
	return first;
}

static bool parse(struct job *job, int argc, char **argv)
{
	bool ok = true;
	for (int c; (c = getopt(argc, argv, "c:fi:jps:v")) > 0;) {
		switch (c) {
		case 'c': job->config_option = optarg; break;
		case 'f': ok = set_mode(job, MODE_FLUSH, NULL) && ok; break;
		case 'i': ok = set_mode(job, MODE_FLUSH_ID, optarg) && ok; break;
		case 'j': ok = set_mode(job, MODE_JSON, NULL) && ok; break;
		case 'p': ok = set_mode(job, MODE_LIST, NULL) && ok; break;
		case 's': ok = set_mode(job, MODE_FLUSH_SITE, optarg) && ok; break;
		case 'v': log_set_level(LOG_LEVEL_DEBUG); break;
		default: return false;
		}
	}
	return ok && job->mode != MODE_NONE && optind == argc;
}

static int open_conf(struct job *job)
{
	char *error = NULL;
	const char *dir = command_config_dir(job->config_option);
	if (dir == NULL) {
		log_fatal(NULL, "unauthorized configuration directory name: %s", job->config_option);
		return EX_USAGE;
	}
	job->conf = conf_load(dir, "postqueue", NULL, 0, &error);
	if (job->conf == NULL) {
		log_fatal(NULL, "%s", error);
		return EX_CONFIG;
	}
	job->queue_directory = conf_get(job->conf, "queue_directory");
	return EX_OK;
}

int main(int argc, char **argv)
{
	struct job job = {.mode = MODE_NONE};
	stderr_log_open("postqueue");
	if (!parse(&job, argc, argv))
		return usage();
	int status = open_conf(&job);
	if (status != EX_OK)
		return status;
	bool listing = job.mode == MODE_LIST || job.mode == MODE_JSON;
	const char *user;
	if (!command_user_is_authorized(job.conf, listing ? "authorized_mailq_users"
			: "authorized_flush_users", &user)) {
		log_fatal(NULL, "User %s is not allowed to %s the mail queue", user,
			listing ? "view" : "flush");
		return EX_NOPERM;
	}
	return listing ? run_list(&job) : run_flush(&job);
}
