/* See tables.h. PRIV: the list of tables comes from the configuration alone; what an asker names is
 * compared with it and never opened. A table is opened once for each set of flags that is asked
 * for.
 * SPDX-License-Identifier: ISC */
#include "proxymap/tables.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "map/map.h"
#include "service/limits.h"
#include "task/task.h"

#define VARIANTS ((MAP_FOLD_FIXED | MAP_NO_SUBSTITUTE) + 1)
#define COMPLAINT_MS 10000 /* between two log lines about askers */

struct table {
	char *spec;
	struct map *maps[VARIANTS]; /* by flags; NULL: not opened yet */
	char *problem;              /* cannot be opened with any */
};

struct tables {
	struct conf *conf;
	struct table *items;
	size_t count;
	bool full;
	task_time next_complaint;
};

struct tables *tables_new(struct conf *conf)
{
	struct tables *tables = NEW(struct tables);
	tables->conf = conf;
	return tables;
}

void tables_free(struct tables *tables)
{
	if (tables == NULL)
		return;
	for (size_t i = 0; i < tables->count; i++) {
		for (size_t flags = 0; flags < VARIANTS; flags++)
			map_close(tables->items[i].maps[flags]);
		free(tables->items[i].spec);
		free(tables->items[i].problem);
	}
	free(tables->items);
	free(tables);
}

static struct table *find(struct tables *tables, struct span spec)
{
	for (size_t i = 0; i < tables->count; i++)
		if (span_equal(span_from_cstr(tables->items[i].spec), spec))
			return &tables->items[i];
	return NULL;
}

void tables_add(struct tables *tables, struct span spec)
{
	char *text = span_dup_cstr(spec), *problem = NULL;
	/* The usual flags: opened before the walls close, its folder is one that may be read. */
	struct map *map = map_open(tables->conf, text, MAP_FOLD_FIXED, &problem);
	const char *name = map == NULL ? text : map_spec(map);
	if (find(tables, span_from_cstr(name)) != NULL || tables->count == TABLES_MAX) {
		if (tables->count == TABLES_MAX && !tables->full)
			log_warning(NULL, "more than %d tables in proxy_read_maps: the rest is not served",
				TABLES_MAX);
		tables->full = tables->count == TABLES_MAX;
		map_close(map);
		free(problem);
		free(text);
		return;
	}
	if (map == NULL)
		log_warning(NULL, "proxy:%s: %s", text, problem);
	tables->items = memory_resize(tables->items, tables->count + 1, sizeof *tables->items);
	struct table *table = &tables->items[tables->count++];
	*table = (struct table){.spec = memory_dup_cstr(name), .problem = problem};
	table->maps[MAP_FOLD_FIXED] = map;
	free(text);
}

size_t tables_count(const struct tables *tables)
{
	return tables->count;
}

static struct map *open_variant(struct tables *tables, struct table *table, uint32_t flags)
{
	char *problem = NULL;
	if (table->maps[flags] == NULL && table->problem == NULL) {
		struct map *map = map_open(tables->conf, table->spec, flags, &problem);
		/* An opener may wait: another task may have been here. */
		if (table->maps[flags] == NULL)
			table->maps[flags] = map;
		else
			map_close(map);
		free(problem);
	}
	return table->maps[flags];
}

static void refuse(struct tables *tables, struct span spec, struct buf *error)
{
	struct span head = span_head(spec, 200);
	buf_append_format(error, "table \"%.*s\" is not named with proxy: in proxy_read_maps",
		SPAN_ARGS(head));
	if (task_now() < tables->next_complaint)
		return;
	tables->next_complaint = task_now() + COMPLAINT_MS;
	log_warning(NULL, "request for unapproved table: \"%.*s\"", SPAN_ARGS(head));
}

static uint32_t look_up(struct tables *tables, const struct map_question *question,
	struct buf *value, struct buf *error)
{
	struct table *table = find(tables, question->table);
	if (table == NULL) {
		refuse(tables, question->table, error);
		return PROXYMAP_ERROR;
	}
	struct map *map = open_variant(tables, table, question->flags);
	if (map == NULL) {
		buf_append_cstr(error, table->problem == NULL ? "cannot be opened" : table->problem);
		return PROXYMAP_ERROR;
	}
	switch (map_lookup(map, question->key, value)) {
	case MAP_FOUND:
		if (!value->overflow)
			return PROXYMAP_FOUND;
		break;
	case MAP_NOT_FOUND:
		return PROXYMAP_NOT_FOUND;
	case MAP_ERROR:
		break;
	}
	if (value->overflow)
		buf_append_cstr(error, "the value is too long");
	else
		buf_append_cstr(error, map_problem(map));
	return PROXYMAP_ERROR;
}

void tables_ask(struct tables *tables, const struct map_question *question, struct buf *value,
	struct buf *error, struct map_answer *ret_answer)
{
	buf_reset(value);
	buf_reset(error);
	uint32_t status = look_up(tables, question, value, error);
	*ret_answer = (struct map_answer){
		.status = status,
		.value = status == PROXYMAP_FOUND ? buf_span(value) : SPAN_EMPTY,
		.error = status == PROXYMAP_ERROR ? span_head(buf_span(error), LIMIT_TEXT) : SPAN_EMPTY,
	};
}
