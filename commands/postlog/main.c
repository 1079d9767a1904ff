/* postlog: writes a line to the mail log, as a process of the mail system would.
 * SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "daemon/log_sink.h"

struct options {
	const char *config_dir, *tag, *priority;
};

static int usage(void)
{
	fprintf(stderr, "usage: postlog [-iv] [-c config_dir] [-p priority] [-t tag] [text...]\n");
	return EXIT_FAILURE;
}

static bool level_of(const char *priority, enum log_level *ret_level)
{
	static const struct {
		const char *name;
		enum log_level level;
	} names[] = {
		{"info", LOG_LEVEL_INFO}, {"warn", LOG_LEVEL_WARNING}, {"warning", LOG_LEVEL_WARNING},
		{"error", LOG_LEVEL_ERROR}, {"fatal", LOG_LEVEL_FATAL}, {"panic", LOG_LEVEL_PANIC},
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(names[i].name, priority) != 0)
			continue;
		*ret_level = names[i].level;
		return true;
	}
	return false;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
	int letter;
	while ((letter = getopt(argc, argv, "c:ip:t:v")) != -1) {
		switch (letter) {
		case 'c':
			options->config_dir = optarg;
			break;
		case 'p':
			options->priority = optarg;
			break;
		case 't':
			options->tag = optarg;
			break;
		case 'i':
		case 'v':
			break;
		default:
			return false;
		}
	}
	return true;
}

static void open_log(struct conf *conf, const char *tag)
{
	const char *path = conf_get(conf, "maillog_file");
	enum log_sink_kind kind = path[0] != '\0' ? LOG_SINK_FILE : LOG_SINK_SYSLOG;
	int fd = path[0] != '\0' ? log_sink_open_file(path) : log_sink_open_syslog();
	log_sink_open(tag, fd < 0 ? LOG_SINK_STDERR : kind, fd);
	if (isatty(STDERR_FILENO))
		log_sink_copy_to_stderr(true);
}

static void log_arguments(enum log_level level, char **words)
{
	struct buf text = BUF_INIT(LOG_LINE_MAX);
	for (size_t i = 0; words[i] != NULL; i++) {
		if (i > 0)
			buf_append_char(&text, ' ');
		buf_append_cstr(&text, words[i]);
	}
	log_write(level, NULL, "%s", buf_cstr(&text));
	buf_done(&text);
}

static void log_input(enum log_level level)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	while ((len = getline(&line, &size, stdin)) >= 0) {
		if (len > 0 && line[len - 1] == '\n')
			line[len - 1] = '\0';
		log_write(level, NULL, "%s", line);
	}
	free(line);
}

int main(int argc, char **argv)
{
	struct options options = {.priority = "info"};
	enum log_level level;
	char *error = NULL;
	if (!parse_options(argc, argv, &options) || !level_of(options.priority, &level))
		return usage();
	const char *dir = options.config_dir == NULL ? conf_default_dir() : options.config_dir;
	struct conf *conf = conf_load(dir, "postlog", NULL, 0, &error);
	if (conf == NULL) {
		fprintf(stderr, "postlog: fatal: %s\n", error);
		free(error);
		return EXIT_FAILURE;
	}
	const char *tag = options.tag != NULL ? options.tag : getenv("MAIL_LOGTAG");
	open_log(conf, tag != NULL ? tag : conf_get(conf, "syslog_name"));
	if (optind < argc)
		log_arguments(level, argv + optind);
	else
		log_input(level);
	conf_free(conf);
	return EXIT_SUCCESS;
}
