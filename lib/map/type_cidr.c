/* cidr: tables: network result, !network result, if network ... endif.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/ascii.h"
#include "base/memory.h"
#include "map/network.h"
#include "map/rules.h"

static void *parse_condition(
	const struct map *map, struct span *rest, bool negated, struct buf *error)
{
	struct network network, *copy;
	const char *problem;
	size_t len = 0;

	(void)map;
	(void)negated;
	while (len < rest->len && !ascii_is_space(rest->ptr[len]))
		len++;
	struct span text = span_head(*rest, len);
	*rest = span_skip(*rest, len);
	problem = network_parse(text, &network);
	if (problem != NULL) {
		buf_append_format(error, "%s in \"%.*s\"", problem, SPAN_ARGS(text));
		return NULL;
	}
	copy = NEW(struct network);
	*copy = network;
	return copy;
}

static void *load(const struct map *map, int fd, struct buf *error)
{
	struct rules_parser parser = {"cidr", parse_condition, free, NULL};
	return rules_load(map, fd, &parser, error);
}

static void unload(void *table)
{
	rules_free(table);
}

static enum rule_answer matches(void *arg, const void *condition)
{
	return network_contains(condition, arg) ? RULE_YES : RULE_NO;
}

static enum map_result lookup(struct map *map, struct span key, struct buf *ret_value)
{
	struct network address;
	const struct rule *rule = NULL;

	/* What is no address matches no rule, a negated one neither. */
	if (!network_parse_address(key, &address))
		return MAP_NOT_FOUND;
	if (rules_find(map->table, matches, &address, &rule) != MAP_FOUND)
		return MAP_NOT_FOUND;
	buf_append_cstr(ret_value, rule->result);
	return MAP_FOUND;
}

const struct map_type map_type_cidr = {.name = "cidr",
	.is_pattern = true,
	.suffix = "",
	.load = load,
	.unload = unload,
	.lookup = lookup};
