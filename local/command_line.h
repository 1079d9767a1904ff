/* How a command is run: directly, split at spaces, when it holds nothing that a shell would treat
 * specially; otherwise by a shell. Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_LOCAL_COMMAND_LINE_H
#define TAMBO_LOCAL_COMMAND_LINE_H

#include "base/span.h"

#define COMMAND_WORDS_MAX 256

struct command_line {
	char *words[COMMAND_WORDS_MAX + 1]; /* heap strings, NULL behind the last */
};

/* shell: local_command_shell with its arguments; "" for /bin/sh -c, only where one is needed.
 * False: empty, a NUL in it, or too many words. */
bool command_line_parse(struct span command, struct span shell, struct command_line *ret_line);
void command_line_done(struct command_line *line);

#endif
