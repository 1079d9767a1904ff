/* See passwdfile.h.
 * SPDX-License-Identifier: ISC */
#include "map/passwdfile.h"

#include "base/ascii.h"
#include "map/map_private.h"

static bool is_user_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (ascii_is_space(name.ptr[i]))
			return false;
	}
	return name.len > 0 && name.len <= MAP_KEY_MAX && span_is_printable(name);
}

void passwdfile_parse(struct span text, const struct map_text_visitor *visitor)
{
	unsigned number = 0;

	while (text.ptr != NULL) {
		struct span line = span_split(&text, '\n'), rest;
		number++;
		while (line.len > 0 && ascii_is_space(line.ptr[line.len - 1]))
			line.len--;
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		rest = line;
		struct span user = span_split(&rest, ':');
		if (!is_user_name(user) || rest.ptr == NULL)
			visitor->warning(
				visitor->arg, number, "expected format: user:password:uid:gid:...");
		else
			visitor->entry(visitor->arg, user, rest, number);
	}
}
