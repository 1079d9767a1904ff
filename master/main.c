/* The only process that keeps root: binds sockets, starts, limits and restarts everything else,
 * hands channels and files over. It reads nothing that came from the network.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "master/master.h"
#include "sys/pid_file.h"
#include "sys/sandbox.h"

#define FILES_WANTED 262144

struct master master = {
	.services = LIST_INIT(master.services),
	.listeners = LIST_INIT(master.listeners),
	.groups = LIST_INIT(master.groups),
	.processes = LIST_INIT(master.processes),
	.log_fd = -1,
	.root_fd = -1,
	.ready_pipe = -1,
};

struct options {
	const char *config_dir;
	bool foreground, test_lock, wait;
};

static bool parse_options(int argc, char **argv, struct options *ret_options)
{
	int letter;
	while ((letter = getopt(argc, argv, "c:dDe:isStvw")) != -1) {
		switch (letter) {
		case 'c':
			ret_options->config_dir = optarg;
			break;
		case 'd':
		case 'i':
		case 's':
			ret_options->foreground = true;
			break;
		case 't':
			ret_options->test_lock = true;
			break;
		case 'w':
			ret_options->wait = true;
			break;
		case 'D':
		case 'e':
		case 'S':
		case 'v':
			break;
		default:
			return false;
		}
	}
	return optind == argc;
}

/* As many files as we may: each idle session of a front needs one or two. */
static void raise_file_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	struct rlimit wanted = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
	if (geteuid() == 0 && limit.rlim_max < FILES_WANTED)
		wanted.rlim_cur = wanted.rlim_max = FILES_WANTED;
	if (setrlimit(RLIMIT_NOFILE, &wanted) < 0) {
		wanted.rlim_cur = wanted.rlim_max = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &wanted);
	}
}

static struct conf *load_main_cf(void)
{
	char *error = NULL;
	struct conf *conf = conf_load(master.config_dir, "master", NULL, 0, &error);
	if (conf == NULL)
		log_fatal(NULL, "%s", error);
	free(error);
	return conf;
}

/* Enters the queue directory and takes the lock; its holder is the one master of this instance. */
static int enter_queue_directory(struct conf *conf, bool test_only)
{
	const char *directory = conf_get(conf, "queue_directory");
	if (chdir(directory) < 0) {
		log_fatal(NULL, "cannot enter the queue directory %s: %s; `tambo check` makes it",
			directory, strerror(errno));
		return -errno;
	}
	if (test_only)
		return 0;
	int fd = pid_file_lock(conf_get(conf, "process_id_directory"));
	if (fd >= 0)
		return 0; /* held until we end */
	if (fd == -EAGAIN)
		log_fatal(NULL, "the mail system is already running");
	else
		log_fatal(NULL, "%s/%s/master.pid: %s", directory, conf_get(conf, "process_id_directory"),
			strerror(-fd));
	return fd;
}

/* Where the children of a sanitizer build write their reports: their walls leave them no other
 * way. */
static bool is_report_file(int fd)
{
	struct stat st;
	return sandbox_is_sanitized() && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static void close_terminal(bool keep_output)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)dup2(fd, STDIN_FILENO);
	if (!keep_output) {
		(void)dup2(fd, STDOUT_FILENO);
		if (!is_report_file(STDERR_FILENO))
			(void)dup2(fd, STDERR_FILENO);
	}
	close(fd);
}

/* The parent of the daemon: waits for "ready" when asked to, or for the fork to have worked. */
_Noreturn static void wait_for_daemon(int pipe_fd, bool wait)
{
	char text[512];
	size_t len = 0;
	while (len < sizeof text - 1) {
		ssize_t n = read(pipe_fd, text + len, sizeof text - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (text[len - 1] == '\n')
			break;
	}
	text[len] = '\0';
	if (len == 0)
		_exit(EXIT_FAILURE); /* it said why */
	if (wait && strcmp(text, "ready\n") != 0 && strcmp(text, "running\n") != 0) {
		fprintf(stderr, "master: warning: %s", text);
		_exit(EXIT_FAILURE);
	}
	_exit(EXIT_SUCCESS);
}

static int detach(bool wait)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		close(ends[1]);
		wait_for_daemon(ends[0], wait);
	}
	close(ends[0]);
	setsid();
	master.ready_pipe = ends[1];
	return 0;
}

/* Everything that can be wrong at start is said on standard error too. */
static int prepare(const struct options *options)
{
	struct conf *conf = load_main_cf();
	if (conf == NULL)
		return -EINVAL;
	int error = enter_queue_directory(conf, false);
	master.conf = conf;
	if (error == 0)
		error = master_log_open();
	if (error == 0)
		error = users_load();
	master.conf = NULL;
	if (error == 0)
		error = loop_open();
	if (error == 0)
		error = config_load();
	conf_free(conf);
	if (error == 0 && !options->foreground)
		close_terminal(false);
	return error;
}

static int run(const struct options *options)
{
	if (!options->foreground && detach(options->wait) != 0) {
		log_fatal(NULL, "cannot start: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	if (prepare(options) != 0)
		return EXIT_FAILURE;
	if (master.log_kind != LOG_SINK_STDERR)
		log_sink_copy_to_stderr(false);
	log_info(NULL, "daemon started -- version %s, configuration %s", TAMBO_VERSION,
		master.config_dir);
	if (master.log_kind == LOG_SINK_STDERR && !options->foreground)
		log_warning(NULL, "there is no syslog socket and no maillog_file: nothing is logged");
	groups_run();
	notify_ready_if_all();
	int status = loop_run();
	log_info(NULL, "stopped");
	return status;
}

int main(int argc, char **argv)
{
	struct options options = {.config_dir = NULL};
	char absolute[4096];
	log_sink_open("master", LOG_SINK_STDERR, -1);
	log_sink_copy_to_stderr(true);
	if (!parse_options(argc, argv, &options)) {
		log_fatal(NULL, "usage: master [-c config_dir] [-d] [-t] [-w]");
		return EXIT_FAILURE;
	}
	if (realpath(options.config_dir == NULL ? conf_default_dir() : options.config_dir, absolute) ==
		NULL) {
		log_fatal(NULL, "configuration directory %s: %s",
			options.config_dir == NULL ? conf_default_dir() : options.config_dir, strerror(errno));
		return EXIT_FAILURE;
	}
	master.config_dir = absolute;
	master.is_root = geteuid() == 0;
	master.in_foreground = options.foreground;
	umask(077);
	if (options.test_lock) {
		struct conf *conf = load_main_cf();
		if (conf == NULL || enter_queue_directory(conf, true) != 0)
			return EXIT_FAILURE;
		return pid_file_holder(conf_get(conf, "process_id_directory")) > 0 ? EXIT_FAILURE
									       : EXIT_SUCCESS;
	}
	raise_file_limit();
	return run(&options);
}
