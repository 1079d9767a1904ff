/* Logical lines of main.cf, master.cf and the text of lookup tables (postconf(5), "file format"):
 * a line that starts with white space continues the one before; empty lines and lines whose first
 * character that is not blank is '#' are skipped and do not end a logical line. Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CONF_LINES_H
#define TAMBO_CONF_LINES_H

#include "base/buf.h"

struct lines {
	struct span rest;
	unsigned next_number; /* of the first line of rest, from 1 */
	unsigned first, last; /* numbers of the current logical line */
	size_t offset, end;   /* bytes of the file from its first line to behind its last one */
	const char *start;
};

void lines_init(struct lines *lines, struct span text);
/* The next logical line into ret_line (emptied first), newlines dropped, trailing white space cut.
 * One that begins with white space (because there was nothing to continue) is returned so: the
 * caller complains. False at the end. The cap of ret_line is the longest line. */
bool lines_next(struct lines *lines, struct buf *ret_line);

/* "name = value": false and *ret_problem (static text) when there is no name or no '='. */
bool lines_split_name_value(
	struct span line, struct span *ret_name, struct span *ret_value, const char **ret_problem);

#endif
