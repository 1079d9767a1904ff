/* Lists with braces: "type:a, unionmap:{type:b, type:c}".
 * SPDX-License-Identifier: ISC */
#include "base/ascii.h"
#include "map/map_private.h"

static bool is_separator(char c)
{
	return c == ',' || ascii_is_space(c);
}

bool map_next_part(struct span *rest, struct span *ret_part, const char **ret_problem)
{
	size_t len = 0, level = 0;

	while (rest->len > 0 && is_separator(rest->ptr[0]))
		*rest = span_skip(*rest, 1);
	if (rest->len == 0)
		return false;
	for (; len < rest->len && (level > 0 || !is_separator(rest->ptr[len])); len++) {
		if (rest->ptr[len] == '{') {
			level++;
		} else if (rest->ptr[len] == '}') {
			if (level == 0)
				break;
			level--;
		}
	}
	if (level > 0 || (len < rest->len && rest->ptr[len] == '}')) {
		*ret_problem = level > 0 ? "missing '}'" : "missing '{'";
		return false;
	}
	*ret_part = span_head(*rest, len);
	*rest = span_skip(*rest, len);
	return true;
}

struct span map_strip_braces(struct span part)
{
	part = span_trim(part);
	if (part.len >= 2 && part.ptr[0] == '{' && part.ptr[part.len - 1] == '}')
		part = span_trim(span_part(part, 1, part.len - 2));
	return part;
}
