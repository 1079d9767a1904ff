/* Types of Postfix that this process cannot ask itself: a host that switches may name them, and its
 * mail must wait and not be refused. Each opens, and its lookups are the proxy's, or errors.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "map/map_private.h"
#include "map/proxy.h"

static enum map_result lookup(struct map *map, struct span key, struct buf *ret_value)
{
	return map_ask_proxy(map, key, ret_value);
}

#define ABSENT(name_)                                                                              \
	{                                                                                          \
		.name = (name_), .is_absent = true, .is_fixed = true, .lookup = lookup             \
	}

static const struct map_type types[] = {ABSENT("cdb"), ABSENT("dbm"), ABSENT("ldap"),
	ABSENT("memcache"), ABSENT("mongodb"), ABSENT("mysql"), ABSENT("netinfo"), ABSENT("nis"),
	ABSENT("nisplus"), ABSENT("pgsql"), ABSENT("sdbm"), ABSENT("socketmap"), ABSENT("sqlite"),
	ABSENT("tcp")};

const struct map_type *map_type_find_absent(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (span_equal(name, span_from_cstr(types[i].name)))
			return &types[i];
	}
	return NULL;
}

bool map_type_is_remote(struct span name)
{
	return map_type_find_absent(name) != NULL;
}
