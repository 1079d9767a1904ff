/* Tables held in memory.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/memory.h"
#include "base/table.h"
#include "map/map_private.h"

struct map_memory {
	struct table table; /* key to struct value */
};

struct value {
	size_t len;
	char bytes[];
};

struct map_memory *map_memory_new(void)
{
	struct map_memory *memory = NEW(struct map_memory);

	table_init(&memory->table);
	return memory;
}

void map_memory_free(void *memory)
{
	if (memory != NULL)
		table_done(&((struct map_memory *)memory)->table, free);
	free(memory);
}

bool map_memory_put(struct map_memory *memory, struct span key, struct span value)
{
	struct value *copy;

	if (table_get(&memory->table, key) != NULL)
		return false;
	copy = memory_alloc(sizeof *copy + value.len);
	copy->len = value.len;
	memcpy(copy->bytes, value.ptr, value.len);
	table_put(&memory->table, key, copy);
	return true;
}

bool map_memory_get(const struct map_memory *memory, struct span key, struct span *ret_value)
{
	const struct value *value = table_get(&memory->table, key);

	if (value == NULL)
		return false;
	*ret_value = span_new(value->bytes, value->len);
	return true;
}

struct visiting {
	map_visit_fn *visit;
	void *arg;
};

static bool visit_value(struct span key, void *value, void *arg)
{
	const struct visiting *visiting = arg;
	const struct value *v = value;

	return visiting->visit(visiting->arg, key, span_new(v->bytes, v->len));
}

int map_memory_each(const struct map_memory *memory, map_visit_fn *visit, void *arg)
{
	struct visiting visiting = {visit, arg};

	table_each(&memory->table, visit_value, &visiting);
	return 0;
}
