/* proxy:type:name: the table itself where this process can read it, else proxymap's answer. Which
 * of both is decided by what could be opened: a table that was read once stays this process's own.
 * SPDX-License-Identifier: ISC */
#include "map/map_private.h"
#include "map/proxy.h"

static map_ask_fn *proxy;

void map_set_proxy(map_ask_fn *ask)
{
	proxy = ask;
}

bool map_has_proxy(void)
{
	return proxy != NULL;
}

enum map_result map_ask_proxy(const struct map *map, struct span key, struct buf *ret_value)
{
	unsigned flags = map->flags & ~(unsigned)MAP_QUIET;
	return proxy == NULL ? MAP_ERROR : proxy(map->spec, flags, key, ret_value);
}

static bool open_proxy(struct map *map, struct buf *error)
{
	/* What cannot be read here is asked there, without a complaint. */
	unsigned quiet = proxy == NULL ? 0 : MAP_QUIET;
	map->table = map_open_nested(
		map->conf, span_from_cstr(map->name), map->flags | quiet, map->nesting + 1, error);
	return map->table != NULL;
}

static void close_proxy(struct map *map)
{
	map_close(map->table);
}

static enum map_result lookup_proxy(struct map *map, struct span key, struct buf *ret_value)
{
	if (proxy != NULL && !map_is_available(map->table))
		return map_ask_proxy(map->table, key, ret_value);
	return map_lookup(map->table, key, ret_value);
}

static bool is_available(const struct map *map)
{
	return proxy != NULL || map_is_available(map->table);
}

const struct map_type map_type_proxy = {
	.name = "proxy", .open = open_proxy, .close = close_proxy, .lookup = lookup_proxy,
	.is_available = is_available};
