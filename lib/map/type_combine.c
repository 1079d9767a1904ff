/* unionmap:{type:a, type:b} (all results), pipemap:{...} (the result of one is the key of the
 * next), randmap:{a, b} (any of the values). SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <sys/random.h>

#include "base/memory.h"
#include "map/map_private.h"

struct members {
	struct map **maps;
	struct span *values; /* of randmap: parts of map->name */
	size_t count;
};

static void close_members(struct map *map)
{
	struct members *members = map->table;

	if (members == NULL)
		return;
	for (size_t i = 0; members->maps != NULL && i < members->count; i++)
		map_close(members->maps[i]);
	free(members->maps);
	free(members->values);
	free(members);
}

static bool add_member(struct map *map, struct span part, struct buf *error)
{
	struct members *members = map->table;
	struct map *member;

	member = map_open_nested(
		map->conf, map_strip_braces(part), map->flags, map->nesting + 1, error);
	if (member == NULL)
		return false;
	members->maps = memory_resize(members->maps, members->count + 1, sizeof *members->maps);
	members->maps[members->count++] = member;
	return true;
}

static bool add_value(struct map *map, struct span part, struct buf *error)
{
	struct members *members = map->table;

	(void)error;
	members->values =
		memory_resize(members->values, members->count + 1, sizeof *members->values);
	members->values[members->count++] = map_strip_braces(part);
	return true;
}

static bool open_parts(struct map *map, struct buf *error,
	bool (*add)(struct map *map, struct span part, struct buf *error))
{
	struct members *members = NEW(struct members);
	struct span rest = span_from_cstr(map->name), part;
	const char *problem = NULL;

	map->table = members;
	if (rest.ptr[0] != '{' || rest.ptr[rest.len - 1] != '}')
		problem = "expected \"{ ..., ... }\"";
	rest = map_strip_braces(rest);
	while (problem == NULL && map_next_part(&rest, &part, &problem)) {
		if (members->count >= MAP_MEMBERS_MAX)
			problem = "too many members";
		else if (!add(map, part, error))
			return false;
	}
	if (problem == NULL && members->count == 0)
		problem = "no members";
	if (problem != NULL)
		buf_append_format(error, "%s: %s", map->spec, problem);
	return problem == NULL;
}

static bool open_maps(struct map *map, struct buf *error)
{
	return open_parts(map, error, add_member);
}

static bool open_values(struct map *map, struct buf *error)
{
	return open_parts(map, error, add_value);
}

static enum map_result lookup_union(struct map *map, struct span key, struct buf *ret_value)
{
	struct members *members = map->table;
	enum map_result found = MAP_NOT_FOUND;

	for (size_t i = 0; i < members->count; i++) {
		struct buf value = BUF_INIT(MAP_VALUE_MAX);
		enum map_result result = map_lookup(members->maps[i], key, &value);
		if (result == MAP_FOUND && found == MAP_FOUND)
			buf_append_char(ret_value, ',');
		if (result == MAP_FOUND)
			buf_append(ret_value, buf_span(&value));
		buf_done(&value);
		if (result == MAP_ERROR)
			return MAP_ERROR;
		if (result == MAP_FOUND)
			found = MAP_FOUND;
	}
	return found;
}

static enum map_result lookup_pipe(struct map *map, struct span key, struct buf *ret_value)
{
	struct members *members = map->table;
	struct buf value = BUF_INIT(MAP_VALUE_MAX), next = BUF_INIT(MAP_VALUE_MAX);
	enum map_result result = MAP_FOUND;

	buf_append(&value, key);
	for (size_t i = 0; i < members->count && result == MAP_FOUND; i++) {
		result = map_lookup(members->maps[i], buf_span(&value), &next);
		buf_reset(&value);
		buf_append(&value, buf_span(&next));
		buf_reset(&next);
	}
	if (result == MAP_FOUND)
		buf_append(ret_value, buf_span(&value));
	buf_done(&value);
	buf_done(&next);
	return result;
}

static enum map_result lookup_random(struct map *map, struct span key, struct buf *ret_value)
{
	struct members *members = map->table;
	uint32_t number = 0;

	(void)key;
	if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
		return MAP_ERROR;
	buf_append(ret_value, members->values[number % members->count]);
	return MAP_FOUND;
}

static bool is_available(const struct map *map)
{
	const struct members *members = map->table;

	for (size_t i = 0; i < members->count; i++)
		if (!map_is_available(members->maps[i]))
			return false;
	return true;
}

const struct map_type map_type_unionmap = {.name = "unionmap",
	.open = open_maps,
	.close = close_members,
	.lookup = lookup_union,
	.is_available = is_available};
const struct map_type map_type_pipemap = {.name = "pipemap",
	.open = open_maps,
	.close = close_members,
	.lookup = lookup_pipe,
	.is_available = is_available};
const struct map_type map_type_randmap = {.name = "randmap",
	.is_pattern = true,
	.open = open_values,
	.close = close_members,
	.lookup = lookup_random};
