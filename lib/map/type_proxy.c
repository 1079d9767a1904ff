/* proxy:type:name: the table itself; and asking the process that can where this one cannot.
 * SPDX-License-Identifier: ISC */
#include "map/map_private.h"
#include "map/proxy.h"

static enum map_result (*proxy)(const char *spec, struct span key, struct buf *ret_value);

void map_set_proxy(enum map_result (*ask)(const char *spec, struct span key, struct buf *ret_value))
{
	proxy = ask;
}

bool map_has_proxy(void)
{
	return proxy != NULL;
}

enum map_result map_ask_proxy(const char *spec, struct span key, struct buf *ret_value)
{
	return proxy == NULL ? MAP_ERROR : proxy(spec, key, ret_value);
}

static bool open_proxy(struct map *map, struct buf *error)
{
	map->table = map_open_nested(
		map->conf, span_from_cstr(map->name), map->flags, map->nesting + 1, error);
	return map->table != NULL;
}

static void close_proxy(struct map *map)
{
	map_close(map->table);
}

static enum map_result lookup_proxy(struct map *map, struct span key, struct buf *ret_value)
{
	return map_lookup(map->table, key, ret_value);
}

const struct map_type map_type_proxy = {
	.name = "proxy", .open = open_proxy, .close = close_proxy, .lookup = lookup_proxy};
