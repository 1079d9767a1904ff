/* Values with parameters, "token; name=value; ...": Content-Type and Content-Disposition (RFC 2045
 * section 5.1, RFC 2183), with the continuations and charsets of RFC 2231. Lenient about missing
 * quotes, stray separators and folding. Work is bounded by MIME_PARAMETERS_MAX.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAIL_MIME_PARAMETER_H
#define TAMBO_MAIL_MIME_PARAMETER_H

#include "base/arena.h"
#include "base/buf.h"

#define MIME_PARAMETERS_MAX 100 /* pieces looked at in one field; the rest is ignored */
#define MIME_VALUE_MAX 65536    /* bytes of one joined value */

struct mime_parameter {
	struct span name;  /* lower case; ends in '*' when the value is charset'language'%XX text */
	struct span value; /* unquoted; the pieces "name*0", "name*1" ... joined */
};

struct mime_value {
	struct span token; /* what stands before the first ';', trimmed, comments gone: "text/plain" */
	struct mime_parameter *parameters;
	size_t parameter_count;
};

/* value: the raw value of a field. All results live in the arena. */
void mime_value_parse(struct span value, struct arena *arena, struct mime_value *ret_value);

/* The parameter of that name as UTF-8 text: "name*" is preferred and decoded, encoded words in a
 * plain value are decoded too (they are not allowed, and common). False when there is none. */
bool mime_parameter_text(const struct mime_value *value, struct span name, struct buf *out);
/* The plain value of that name (without "*"); false when there is none. */
bool mime_parameter_get(const struct mime_value *value, struct span name, struct span *ret_value);

#endif
