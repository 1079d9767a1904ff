/* Reads the command line that master gives to each process: see master/child.c.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/daemon_private.h"

static bool number(const char *text, uint64_t max, uint64_t *ret_value)
{
	return span_to_u64(span_from_cstr(text), max, ret_value);
}

/* "name=value": cut in place. */
static bool take_override(char *text, struct daemon_arguments *arguments)
{
	char *equals = strchr(text, '=');
	if (equals == NULL || arguments->override_count == DAEMON_OVERRIDES_MAX)
		return false;
	*equals = '\0';
	struct conf_override *override = &arguments->overrides[arguments->override_count++];
	override->name = text;
	override->value = equals + 1;
	return true;
}

static bool take_log_kind(char letter, enum log_sink_kind *ret_kind)
{
	*ret_kind = letter == 'f' ? LOG_SINK_FILE : letter == 's' ? LOG_SINK_SYSLOG : LOG_SINK_STDERR;
	return letter == 'f' || letter == 's' || letter == 'e';
}

static bool take_role(const char *text, enum daemon_role *ret_role)
{
	if (strcmp(text, "worker") == 0)
		*ret_role = DAEMON_WORKER;
	else if (strcmp(text, "command") == 0)
		*ret_role = DAEMON_COMMAND;
	else
		return false;
	return true;
}

static bool take_option(int letter, struct daemon_arguments *a)
{
	uint64_t value = 0;
	bool good = true;
	switch (letter) {
	case 'n': a->service = optarg; break;
	case 'c': a->config_dir = optarg; break;
	case 'd': a->tree = optarg; break;
	case 'p': a->program = optarg; break;
	case 'o': good = take_override(optarg, a); break;
	case 'k': good = take_log_kind(optarg[0], &a->log_kind); break;
	case 'r': good = take_role(optarg, &a->role); break;
	case 'l':
		good = number(optarg, DAEMON_LISTEN_MAX, &value);
		a->listen_count = (size_t)value;
		break;
	case 'm':
		good = number(optarg, 1000000, &value);
		a->session_limit = (size_t)value;
		break;
	case 'i':
		good = number(optarg, 1000000000, &value);
		a->idle_ms = (int64_t)value;
		break;
	case 'R': a->from_root = true; break;
	case 'z': a->empty_root = true; break;
	case 'v': a->verbose = true; break;
	case 't': break; /* type column: for people who look at ps(1) */
	case 'u': break; /* uid of a worker: the same */
	default: good = false; break;
	}
	return good;
}

int daemon_arguments_parse(int argc, char **argv, struct daemon_arguments *ret_arguments)
{
	int letter;
	memset(ret_arguments, 0, sizeof *ret_arguments);
	optind = 1;
	while ((letter = getopt(argc, argv, "n:c:d:p:o:k:r:l:m:i:t:u:Rvz")) != -1)
		if (!take_option(letter, ret_arguments))
			return -EINVAL;
	if (ret_arguments->service == NULL || ret_arguments->config_dir == NULL)
		return -EINVAL;
	return 0;
}
