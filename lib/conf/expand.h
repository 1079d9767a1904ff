/* $name expansion as main.cf has it: $name, ${name}, $(name), $$, ${name?text}, ${name:text},
 * ${name?{text}:{text}}, ${{left} operator {right}?{text}:{text}}; values are expanded in turn.
 * Pure: names are asked of the caller.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CONF_EXPAND_H
#define TAMBO_CONF_EXPAND_H

#include "base/buf.h"

struct expand_source {
	/* The value of a name, not expanded, valid until the expansion ends; NULL when there is
	 * none. */
	const char *(*lookup)(void *arg, struct span name);
	void *arg;
	bool flat; /* values are inserted as they are */
};

#define EXPAND_DEPTH_MAX 100	/* of names within values and of braces within braces */
#define EXPAND_STEPS_MAX 100000 /* of names looked up for one text */

/* Appends the expansion to out. False for a syntax error, a name that contains itself, or a result
 * past the cap of out; the reason is appended to ret_error and out holds no more than a beginning.
 */
bool expand(struct span text, const struct expand_source *source, struct buf *out,
	struct buf *ret_error);

/* Visits the names that a text refers to, without looking them up (also those within branches). */
bool expand_names(struct span text, void (*visit)(void *arg, struct span name), void *arg);

#endif
