/* One service of master.cf as postconf prints and writes it.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_COMMANDS_POSTCONF_MASTER_LINE_H
#define TAMBO_COMMANDS_POSTCONF_MASTER_LINE_H

#include "base/buf.h"
#include "conf/master_cf.h"

/* An argument in its plain form: "-o" apart from its value, letters of "-vD" one by one. */
struct master_word {
	char *text;  /* "-o", "-v", or an operand */
	char *value; /* of an option that takes one (for -o "name=value"), else NULL */
	bool is_option;
};

struct master_line {
	const struct master_service *service;
	struct master_word *words;
	size_t count;
};

void master_line_init(struct master_line *line, const struct master_service *service);
void master_line_done(struct master_line *line);
/* The value of "-o name=...", NULL when the service has none. */
const char *master_line_get(const struct master_line *line, const char *name);
/* Replaces or adds (behind the other options) "-o name=value"; a NULL value removes it. */
void master_line_set(struct master_line *line, const char *name, const char *value);
/* Expands $names in the values of -o with the configuration of this service. */
void master_line_expand(struct master_line *line, struct conf *conf);

/* Program and arguments in one line. */
void master_line_format_command(const struct master_line *line, struct buf *out);
/* All columns, aligned; fold: options and long lines on lines of their own. No final newline. */
void master_line_format(const struct master_line *line, bool fold, struct buf *out);

#endif
