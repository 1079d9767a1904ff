/* The syntax of main.cf: logical lines "name = value". Pure; what names mean is conf's matter.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CONF_MAIN_CF_H
#define TAMBO_CONF_MAIN_CF_H

#include "base/buf.h"

#define MAIN_CF_MAX (4u << 20)	    /* bytes of the file */
#define MAIN_CF_LINE_MAX (1u << 20) /* bytes of one logical line */

struct main_cf_visitor {
	void *arg;
	/* value: outer white space removed, interior newlines gone, not expanded. */
	void (*entry)(void *arg, struct span name, struct span value, unsigned line);
	void (*warning)(void *arg, unsigned line, const char *text); /* may be NULL */
};

/* Visits the entries in order, the same name maybe more than once (the last one counts). False, and
 * what is wrong in ret_error ("line 3: ..."), for a line that is not "name = value". */
bool main_cf_parse(struct span text, const struct main_cf_visitor *visitor, struct buf *ret_error);

#endif
