/* Starting master and sending it signals. Whether it runs is asked from its lock, not from what a
 * stale file says.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "commands/tambo/tambo.h"
#include "sys/pid_file.h"

extern char **environ;

/* The running master, or 0. */
static pid_t control_master_pid(struct context *context)
{
	char path[4096];
	const char *directory = conf_get(context->conf, "process_id_directory");
	if (directory[0] == '/')
		return pid_file_holder(directory);
	snprintf(path, sizeof path, "%s/%s", conf_get(context->conf, "queue_directory"), directory);
	return pid_file_holder(path);
}

static bool is_running(struct context *context, pid_t *ret_pid)
{
	*ret_pid = control_master_pid(context);
	if (*ret_pid <= 0)
		log_fatal(NULL, "the %s mail system is not running", context->system);
	return *ret_pid > 0;
}

static int run_master(struct context *context, bool foreground)
{
	char path[4096];
	int n = snprintf(path, sizeof path, "%s/master", conf_get(context->conf, "daemon_directory"));
	if (n < 0 || (size_t)n >= sizeof path)
		return EXIT_FAILURE;
	char mode[] = "-w", foreground_mode[] = "-d", option[] = "-c";
	char *directory = strdup(context->config_dir);
	char *arguments[] = {path, foreground ? foreground_mode : mode, option, directory, NULL};
	execv(path, arguments);
	log_fatal(NULL, "%s: %s", path, strerror(errno));
	free(directory);
	return EXIT_FAILURE;
}

int control_start(struct context *context, bool foreground)
{
	if (control_master_pid(context) > 0) {
		log_fatal(NULL, "the %s mail system is already running", context->system);
		return EXIT_FAILURE;
	}
	if (check_all(context) > 0) {
		log_fatal(NULL, "%s integrity check failed!", context->system);
		return EXIT_FAILURE;
	}
	log_info(NULL, "starting the %s mail system", context->system);
	return run_master(context, foreground);
}

static bool wait_for_end(struct context *context, int seconds)
{
	const struct timespec step = {.tv_nsec = 50 * 1000 * 1000};
	for (int i = 0; i < seconds * 20; i++) {
		if (control_master_pid(context) <= 0)
			return true;
		nanosleep(&step, NULL);
	}
	return control_master_pid(context) <= 0;
}

static int send_signal(pid_t pid, int signo)
{
	if (kill(pid, signo) == 0)
		return EXIT_SUCCESS;
	log_fatal(NULL, "cannot signal master, process %d: %s", (int)pid, strerror(errno));
	return EXIT_FAILURE;
}

int control_signal_and_wait(struct context *context, const char *doing, int signo, int seconds)
{
	pid_t pid;
	if (!is_running(context, &pid))
		return EXIT_FAILURE;
	log_info(NULL, "%s the %s mail system", doing, context->system);
	int status = send_signal(pid, signo);
	if (status == EXIT_SUCCESS && seconds > 0 && !wait_for_end(context, seconds)) {
		log_warning(NULL, "stopping takes long; processes are still running");
		status = EXIT_FAILURE;
	}
	return status;
}

/* At once: what was in flight is found again in the journal. */
int control_abort(struct context *context)
{
	int status = control_signal_and_wait(context, "aborting", SIGQUIT, 5);
	pid_t pid = control_master_pid(context);
	if (status != EXIT_SUCCESS && pid > 0)
		status = send_signal(pid, SIGKILL); /* its processes end when it is gone */
	return status;
}

int control_reload(struct context *context)
{
	pid_t pid;
	if (!is_running(context, &pid))
		return EXIT_FAILURE;
	log_info(NULL, "refreshing the %s mail system", context->system);
	return send_signal(pid, SIGHUP);
}

int control_status(struct context *context)
{
	pid_t pid = control_master_pid(context);
	if (pid > 0)
		log_info(NULL, "the %s mail system is running: PID: %d", context->system, (int)pid);
	else
		log_info(NULL, "the %s mail system is not running", context->system);
	return pid > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int control_flush(struct context *context)
{
	char path[4096];
	char flush[] = "-f";
	pid_t pid;
	if (!is_running(context, &pid))
		return EXIT_FAILURE;
	int n = snprintf(path, sizeof path, "%s/postqueue",
		conf_get(context->conf, "command_directory"));
	if (n < 0 || (size_t)n >= sizeof path)
		return EXIT_FAILURE;
	char *arguments[] = {path, flush, NULL};
	execv(path, arguments);
	log_fatal(NULL, "%s: %s", path, strerror(errno));
	return EXIT_FAILURE;
}

static void compress_file(struct context *context, char *path)
{
	char program[256];
	pid_t pid;
	int status;
	snprintf(program, sizeof program, "%s", conf_get(context->conf, "maillog_file_compressor"));
	char *arguments[] = {program, path, NULL};
	if (program[0] == '\0')
		return;
	int error = posix_spawnp(&pid, program, NULL, NULL, arguments, environ);
	if (error != 0) {
		log_warning(NULL, "%s: %s: the old log stays as it is", program, strerror(error));
		return;
	}
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		log_warning(NULL, "%s %s failed", program, path);
}

int control_logrotate(struct context *context)
{
	char to[4096], suffix[128];
	struct tm tm;
	time_t now = time(NULL);
	const char *path = conf_get(context->conf, "maillog_file");
	if (path[0] == '\0' || strncmp(path, "/dev/", 5) == 0) {
		log_fatal(NULL, "maillog_file does not name a file: there is nothing to rotate");
		return EXIT_FAILURE;
	}
	localtime_r(&now, &tm);
	/* The format is the administrator's: maillog_file_rotate_suffix. */
	const char *format = conf_get(context->conf, "maillog_file_rotate_suffix");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	size_t len = strftime(suffix, sizeof suffix, format, &tm);
#pragma GCC diagnostic pop
	int n = snprintf(to, sizeof to, "%s.%.*s", path, (int)len, suffix);
	if (len == 0 || n < 0 || (size_t)n >= sizeof to) {
		log_fatal(NULL, "maillog_file_rotate_suffix \"%s\" gives no usable name", format);
		return EXIT_FAILURE;
	}
	if (rename(path, to) < 0) {
		log_fatal(NULL, "rename %s to %s: %s", path, to, strerror(errno));
		return EXIT_FAILURE;
	}
	pid_t pid = control_master_pid(context);
	if (pid > 0 && send_signal(pid, SIGHUP) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	sleep(pid > 0 ? 1 : 0); /* processes turn to the new file */
	compress_file(context, to);
	return EXIT_SUCCESS;
}
