/* tambo (also installed as postfix): starts, stops and looks after an instance, which is described
 * by a folder with main.cf and master.cf. Messages and exit codes are those of postfix(1).
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/tambo/tambo.h"
#include "daemon/log_sink.h"

static int do_start(struct context *context)
{
	return control_start(context, false);
}

static int do_start_foreground(struct context *context)
{
	return control_start(context, true);
}

static int do_stop(struct context *context)
{
	return control_signal_and_wait(context, "stopping", SIGTERM, 30);
}

static int do_quick_stop(struct context *context)
{
	return control_signal_and_wait(context, "stopping", SIGQUIT, 10);
}

static int do_drain(struct context *context)
{
	return control_signal_and_wait(context, "stopping", SIGUSR1, 0);
}

static int do_check(struct context *context)
{
	context->tell = true;
	return check_all(context) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int do_set_permissions(struct context *context)
{
	size_t problems = check_folders(context, true) + check_commands(context, true);
	return problems == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Installers call it after an update: there is nothing to convert. */
static int do_upgrade(struct context *context)
{
	(void)context;
	return EXIT_SUCCESS;
}

static const struct {
	const char *verb;
	int (*run)(struct context *context);
} actions[] = {
	{"start", do_start}, {"start-fg", do_start_foreground}, {"stop", do_stop},
	{"quick-stop", do_quick_stop}, {"drain", do_drain}, {"abort", control_abort},
	{"reload", control_reload}, {"status", control_status}, {"check", do_check},
	{"flush", control_flush}, {"logrotate", control_logrotate},
	{"set-permissions", do_set_permissions}, {"upgrade-configuration", do_upgrade},
};

static int usage(void)
{
	log_fatal(NULL, "usage: tambo [-c config_dir] [-v] action; actions: start start-fg stop reload "
		"status check flush abort drain quick-stop logrotate set-permissions "
		"upgrade-configuration");
	return EXIT_FAILURE;
}

/* The log, and standard error beside it, as postfix-script does. */
static void open_log(struct conf *conf)
{
	char tag[128];
	const char *path = conf_get(conf, "maillog_file");
	enum log_sink_kind kind = path[0] != '\0' ? LOG_SINK_FILE : LOG_SINK_SYSLOG;
	int fd = path[0] != '\0' ? log_sink_open_file(path) : log_sink_open_syslog();
	if (fd < 0 || strncmp(path, "/dev/", 5) == 0)
		kind = LOG_SINK_STDERR;
	snprintf(tag, sizeof tag, "%s/postfix-script", conf_get(conf, "syslog_name"));
	log_sink_open(tag, kind, fd);
}

static bool parse_options(int argc, char **argv, const char **ret_dir)
{
	int letter;
	while ((letter = getopt(argc, argv, "c:Dv")) != -1) {
		if (letter == 'c')
			*ret_dir = optarg;
		else if (letter == '?')
			return false;
	}
	return optind < argc;
}

int main(int argc, char **argv)
{
	char absolute[4096];
	const char *dir = NULL;
	char *error = NULL;
	struct context context = {.is_root = geteuid() == 0};
	umask(022);
	log_sink_open("tambo", LOG_SINK_STDERR, -1);
	log_sink_copy_to_stderr(true);
	if (!parse_options(argc, argv, &dir))
		return usage();
	if (dir == NULL)
		dir = conf_default_dir();
	if (realpath(dir, absolute) == NULL) {
		log_fatal(NULL, "configuration directory %s: %s", dir, strerror(errno));
		return EXIT_FAILURE;
	}
	context.config_dir = absolute;
	context.conf = conf_load(absolute, "tambo", NULL, 0, &error);
	if (context.conf == NULL) {
		log_fatal(NULL, "%s", error);
		return EXIT_FAILURE;
	}
	context.system = conf_get(context.conf, "mail_name");
	setenv("MAIL_CONFIG", absolute, 1);
	open_log(context.conf);
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (strcmp(actions[i].verb, argv[optind]) == 0)
			return actions[i].run(&context);
	return usage();
}
