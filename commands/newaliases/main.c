/* newaliases(1): makes the tables of alias_database from their texts. Sendmail's options that
 * callers pass are taken and mean nothing here. SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "commands/common/stderr_log.h"
#include "commands/common/table_command.h"

int main(int argc, char **argv)
{
	struct table_command command = {.program = "newaliases", .aliases = true};
	const char *dir = NULL;
	struct span rest, spec;
	int option;

	stderr_log_open(command.program);
	while ((option = getopt(argc, argv, "A:B:C:F:GIL:N:O:R:UV:X:b:c:e:f:h:imno:p:r:q:tvx")) >
		0) {
		if (option == 'c' || option == 'C')
			dir = optarg;
		else if (option == 'v')
			log_set_level(LOG_LEVEL_DEBUG);
		else if (option == '?')
			stderr_log_die("usage: newaliases [-c config_dir] [-v]");
	}
	command.conf = table_command_load_conf(dir);
	rest = span_from_cstr(conf_get(command.conf, "alias_database"));
	while (span_token(&rest, ", \t\r\n", &spec)) {
		char *text = span_dup_cstr(spec);
		table_command_build(&command, text);
		free(text);
	}
	conf_free(command.conf);
	return 0;
}
