/* The text form of tables: "key white-space value" (postmap) and aliases(5) "name: value, value"
 * (postalias), in logical lines. Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAP_TEXT_H
#define TAMBO_MAP_TEXT_H

#include "base/buf.h"

struct map_text_visitor {
	void *arg;
	/* Spans are valid during the call. */
	void (*entry)(void *arg, struct span key, struct span value, unsigned line);
	void (*warning)(void *arg, unsigned line, const char *text); /* the line is ignored */
};

/* key: up to white space; within "double quotes" white space belongs to it, and the quotes do too,
 * as in an address with a quoted local part. */
void map_text_parse(struct span text, const struct map_text_visitor *visitor);
/* name: quotes are taken off, letters folded; the values come joined by ", ". */
void map_aliases_parse(struct span text, const struct map_text_visitor *visitor);

#endif
