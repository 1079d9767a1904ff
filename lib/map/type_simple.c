/* static:value, environ:, internal:name, fail:name.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/memory.h"
#include "map/map_private.h"

static bool open_static(struct map *map, struct buf *error)
{
	struct span name = span_from_cstr(map->name);
	bool ok = name.ptr[0] != '{' || name.ptr[name.len - 1] == '}';

	if (!ok)
		buf_append_format(error, "%s: missing '}'", map->spec);
	return ok;
}

static enum map_result lookup_static(struct map *map, struct span key, struct buf *ret_value)
{
	struct span value = span_from_cstr(map->name);

	(void)key;
	buf_append(ret_value, value.ptr[0] == '{' ? map_strip_braces(value) : value);
	return MAP_FOUND;
}

static enum map_result lookup_environ(struct map *map, struct span key, struct buf *ret_value)
{
	char *name = span_dup_cstr(key);
	const char *value = memchr(key.ptr, '\0', key.len) != NULL ? NULL : getenv(name);

	(void)map;
	free(name);
	if (value == NULL)
		return MAP_NOT_FOUND;
	buf_append_cstr(ret_value, value);
	return MAP_FOUND;
}

/* A table in memory that nothing has put anything into: what it is for (shared tables within one
 * Postfix process) does not arise here. */
static enum map_result lookup_internal(struct map *map, struct span key, struct buf *ret_value)
{
	(void)map;
	(void)key;
	(void)ret_value;
	return MAP_NOT_FOUND;
}

static enum map_result lookup_fail(struct map *map, struct span key, struct buf *ret_value)
{
	(void)map;
	(void)key;
	(void)ret_value;
	return MAP_ERROR;
}

const struct map_type map_type_static = {
	.name = "static", .is_pattern = true, .open = open_static, .lookup = lookup_static};
const struct map_type map_type_environ = {.name = "environ", .lookup = lookup_environ};
const struct map_type map_type_internal = {
	.name = "internal", .is_fixed = true, .lookup = lookup_internal};
const struct map_type map_type_fail = {.name = "fail", .lookup = lookup_fail};
