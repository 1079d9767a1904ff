/* postconf(1): shows and edits main.cf and master.cf. Options and printed forms are Postfix's.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "commands/common/stderr_log.h"
#include "commands/postconf/postconf.h"
#include "conf/lines.h"

#define OPTIONS "aAbc:C:deEfFhHlmMno:pPtT:vxX#"

static _Noreturn void usage(void)
{
	stderr_log_die("usage: postconf [-a (server SASL types)] [-A (client SASL types)] "
		       "[-c config_dir] [-C param_class] [-d (parameter defaults)] "
		       "[-e (edit configuration)] [-f (fold lines)] [-F (master.cf fields)] "
		       "[-h (no names)] [-H (no values)] [-l (lock types)] [-m (map types)] "
		       "[-M (master.cf)] [-n (non-default parameters)] "
		       "[-o name=value (override parameter value)] [-p (main.cf, default)] "
		       "[-P (master.cf parameters)] [-v (verbose)] [-x (expand parameter values)] "
		       "[-X (exclude)] [-# (comment-out)] [name...]");
}

static void add_override(struct options *options, const char *text)
{
	struct span name, value;
	const char *problem = NULL;

	if (!lines_split_name_value(span_from_cstr(text), &name, &value, &problem))
		stderr_log_die("%s: \"%s\"", problem, text);
	options->overrides = memory_resize(
		options->overrides, options->override_count + 1, sizeof *options->overrides);
	options->overrides[options->override_count++] =
		(struct conf_override){span_dup_cstr(name), span_dup_cstr(value)};
}

static unsigned parse_classes(const char *text)
{
	static const struct {
		const char *name;
		unsigned bits;
	} classes[] = {{"builtin", CLASS_BUILTIN}, {"service", CLASS_SERVICE}, {"user", CLASS_USER},
		{"all", CLASS_BUILTIN | CLASS_SERVICE | CLASS_USER}};
	struct span rest = span_from_cstr(text), word;
	unsigned bits = 0;

	while (span_token(&rest, ", \t", &word)) {
		size_t i = 0;
		while (i < sizeof classes / sizeof classes[0] &&
			!span_equal(word, span_from_cstr(classes[i].name)))
			i++;
		if (i == sizeof classes / sizeof classes[0])
			stderr_log_die("bad parameter class: %.*s (builtin, service, user, all)",
				SPAN_ARGS(word));
		bits |= classes[i].bits;
	}
	return bits;
}

/* Of the options that each name a thing to do, at most one may be given. */
struct choice {
	const char *letters;
	char chosen;
};

static void choose(struct choice *choice, char letter)
{
	if (choice->chosen != '\0' && choice->chosen != letter) {
		const char *order = choice->letters;
		char other = choice->chosen;
		bool other_first = strchr(order, other) < strchr(order, letter);
		stderr_log_die("specify one of -%c -%c", other_first ? other : letter,
			other_first ? letter : other);
	}
	choice->chosen = letter;
}

struct command {
	struct options options;
	struct choice action; /* what to do */
	struct choice subject;
	struct choice hide;
	int list; /* -a, -A, -l, -m */
};

static void take_action(struct command *command, int option)
{
	choose(&command->action, (char)option);
	switch (option) {
	case 'd':
		command->options.defaults = true;
		break;
	case 'n':
		command->options.only_set = true;
		break;
	case 'e':
		command->options.action = ACTION_EDIT;
		break;
	case 'X':
		command->options.action = ACTION_REMOVE;
		break;
	case '#':
		command->options.action = ACTION_COMMENT;
		break;
	default:
		command->list = option;
		break;
	}
}

static void take_subject(struct command *command, int option)
{
	choose(&command->subject, (char)option);
	command->options.subject = option == 'M'   ? SUBJECT_MASTER
				   : option == 'F' ? SUBJECT_FIELDS
				   : option == 'P' ? SUBJECT_PARAMETERS
						   : SUBJECT_MAIN;
}

static void take_option(struct command *command, int option, const char *value)
{
	struct options *options = &command->options;

	if (strchr("adAelmnX#", option) != NULL) {
		take_action(command, option);
	} else if (strchr("FMpP", option) != NULL) {
		take_subject(command, option);
	} else if (option == 'c') {
		options->dir = value;
		options->dir_given = true;
	} else if (option == 'C') {
		options->classes = parse_classes(value);
	} else if (option == 'f') {
		options->fold = true;
	} else if (option == 'h') {
		choose(&command->hide, 'h');
		options->hide_names = true;
	} else if (option == 'H') {
		choose(&command->hide, 'H');
		options->hide_values = true;
	} else if (option == 'o') {
		add_override(options, value);
	} else if (option == 'v') {
		log_set_level(LOG_LEVEL_DEBUG);
	} else if (option == 'x') {
		options->expand = true;
	} else if (strchr("bEtT", option) != NULL) {
		stderr_log_die("option -%c is not supported", option);
	} else {
		usage();
	}
}

static void check_options(const struct command *command)
{
	const struct options *options = &command->options;

	if (options->subject == SUBJECT_MASTER && (options->hide_names || options->hide_values))
		stderr_log_die(
			"with option -M, do not specify -%c", options->hide_names ? 'h' : 'H');
	if (options->subject != SUBJECT_MAIN && (options->defaults || options->only_set))
		stderr_log_die("with option -%c, do not specify -%c", command->subject.chosen,
			options->defaults ? 'd' : 'n');
	if (options->action == ACTION_COMMENT && options->subject != SUBJECT_MAIN &&
		options->subject != SUBJECT_MASTER)
		stderr_log_die("-# is for main.cf and for whole entries of master.cf (-M)");
	if (options->action == ACTION_REMOVE && options->subject == SUBJECT_FIELDS)
		stderr_log_die("a field of master.cf cannot be removed");
}

/* "postconf name=value" edits without -e, and so do -M, -F and -P with a '='. */
static void see_assignment(struct command *command, int count, char **args)
{
	if (command->action.chosen == '\0' && count > 0 && strchr(args[0], '=') != NULL)
		command->options.action = ACTION_EDIT;
}

static int edit(const struct options *options, int count, char **args)
{
	if (count == 0 && options->action == ACTION_EDIT)
		stderr_log_die("-e requires name=value argument");
	if (count == 0)
		stderr_log_die("missing service argument");
	return options->subject == SUBJECT_MAIN ? edit_main(options, count, args)
						: edit_master(options, count, args);
}

static int show(const struct options *options, int count, char **args)
{
	struct database database;
	int result = 0;

	database_load(&database, options);
	if (!options->defaults)
		database_warn_undefined(&database);
	switch (options->subject) {
	case SUBJECT_MAIN:
		result = show_main(&database, count, args);
		break;
	case SUBJECT_MASTER:
		result = show_master(&database, count, args);
		break;
	case SUBJECT_FIELDS:
		result = show_fields(&database, count, args);
		break;
	case SUBJECT_PARAMETERS:
		result = show_parameters(&database, count, args);
		break;
	}
	if (!options->defaults)
		database_warn_unused(&database);
	return result;
}

int main(int argc, char **argv)
{
	struct command command = {
		.options = {.classes = CLASS_BUILTIN | CLASS_SERVICE | CLASS_USER},
		.action = {.letters = "adAelmnX#"},
		.subject = {.letters = "FMPp"},
		.hide = {.letters = "hH"},
	};
	int option, result;

	stderr_log_open("postconf");
	while ((option = getopt(argc, argv, OPTIONS)) > 0)
		take_option(&command, option, optarg);
	check_options(&command);
	if (command.options.dir == NULL) {
		command.options.dir = conf_default_dir();
		command.options.dir_given = getenv("MAIL_CONFIG") != NULL;
	}
	argc -= optind;
	argv += optind;
	see_assignment(&command, argc, argv);
	if (command.list != 0)
		result = show_list(command.list);
	else if (command.options.action != ACTION_SHOW)
		result = edit(&command.options, argc, argv);
	else
		result = show(&command.options, argc, argv);
	if (fflush(stdout) != 0)
		stderr_log_die("write to standard output: %s", strerror(errno));
	return result;
}
