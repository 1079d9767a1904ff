/* See map.h: types by name, folding, reopening, lists of maps.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "map/map_private.h"
#include "map/proxy.h"

#define COMPLAINT_INTERVAL 60000 /* ms between two log lines about the same broken table */

static const struct map_type *const types[] = {&map_type_btree, &map_type_cidr, &map_type_environ,
	&map_type_fail, &map_type_hash, &map_type_inline, &map_type_internal, &map_type_lmdb,
	&map_type_passwdfile, &map_type_pcre, &map_type_pipemap, &map_type_proxy, &map_type_randmap,
	&map_type_regexp, &map_type_static, &map_type_texthash, &map_type_unionmap, &map_type_unix};

const char *map_type_name_at(size_t index)
{
	return index < ARRAY_LEN(types) ? types[index]->name : NULL;
}

static const struct map_type *find_type(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (span_equal(name, span_from_cstr(types[i]->name)))
			return types[i];
	}
	return NULL;
}

bool map_type_is_known(struct span name)
{
	return find_type(name) != NULL;
}

/* --- files --- */

static void complain(struct map *map)
{
	int64_t now = map_clock();

	if (now < map->next_complaint)
		return;
	map->next_complaint = now + COMPLAINT_INTERVAL;
	log_warning(NULL, "%s is unavailable. %s", map->spec, buf_cstr(&map->problem));
}

static void tell_missing(struct map *map, int error)
{
	buf_append_format(&map->problem, "open %s%s: %s",
		map->type->suffix[0] != '\0' ? "database " : "", map->source.path,
		strerror(-error));
	/* Somebody who comes from Berkeley DB has the text and a .db: say what to do. */
	if (map->type->suffix[0] != '\0' && access(map->name, F_OK) == 0)
		buf_append_format(&map->problem,
			" (the text is there: run \"postmap %s\", or for aliases "
			"\"newaliases\")",
			map->spec);
}

static void load_file(struct map *map)
{
	int fd = map_source_open(&map->source);
	void *old = map->table;

	buf_reset(&map->problem);
	map->table = NULL;
	if (fd < 0) {
		tell_missing(map, fd);
	} else {
		map->table = map->type->load(map, fd, &map->problem);
		close(fd);
	}
	if (old != NULL)
		map->type->unload(old);
	if (map->table == NULL && (map->flags & MAP_QUIET) == 0)
		complain(map);
}

/* A file that is gone for a moment (an editor's rename) leaves the table as it was. */
static bool refresh(struct map *map)
{
	if (map->type->is_absent && map->problem.len > 0) {
		complain(map);
		return false;
	}
	if (map->type->load == NULL)
		return true;
	if (map_source_changed(&map->source))
		load_file(map);
	if (map->table == NULL)
		complain(map);
	return map->table != NULL;
}

static void set_path(struct map *map)
{
	struct buf path = BUF_INIT(8192);

	buf_append_format(&path, "%s%s", map->name, map->type->suffix);
	map->source.path = buf_steal(&path);
}

/* --- open and close --- */

static struct map *map_new(struct conf *conf, const struct map_type *type, struct span name)
{
	struct map *map = NEW(struct map);
	struct buf spec = BUF_INIT(MAP_LINE_MAX);

	map->type = type;
	map->conf = conf;
	map->name = span_dup_cstr(name);
	buf_init(&map->problem, 8192);
	buf_append_format(&spec, "%s:", type->name);
	buf_append(&spec, name);
	map->spec = buf_steal(&spec);
	return map;
}

struct map *map_open_nested(
	struct conf *conf, struct span spec, unsigned flags, unsigned nesting, struct buf *error)
{
	struct span type_name = span_trim(spec), name;
	size_t colon = span_find_char(type_name, ':');
	const struct map_type *type;

	name = colon == SIZE_MAX ? type_name : span_skip(type_name, colon + 1);
	if (colon == SIZE_MAX)
		type_name = span_from_cstr(conf_get(conf, "default_database_type"));
	else
		type_name = span_head(type_name, colon);
	type = find_type(type_name);
	if (type == NULL)
		type = map_type_find_absent(type_name);
	if (type == NULL) {
		buf_append_format(error, "unsupported dictionary type: %.*s", SPAN_ARGS(type_name));
		return NULL;
	}
	if (nesting > MAP_NESTING_MAX || (name.len == 0 && type != &map_type_environ) ||
		name.len > MAP_LINE_MAX / 2) {
		buf_append_format(error, "%.*s: %s", SPAN_ARGS(spec),
			nesting > MAP_NESTING_MAX ? "too many tables within tables"
						  : "no table name");
		return NULL;
	}
	struct map *map = map_new(conf, type, name);
	map->flags = flags;
	map->nesting = nesting;
	if (type->is_absent && !map_has_proxy()) {
		buf_append_format(
			&map->problem, "unsupported dictionary type: %.*s", SPAN_ARGS(type_name));
		if ((flags & MAP_QUIET) == 0)
			complain(map);
	} else if (type->load != NULL) {
		set_path(map);
		load_file(map);
	} else if (type->open != NULL && !type->open(map, error)) {
		map_close(map);
		return NULL;
	}
	return map;
}

struct map *map_open(struct conf *conf, const char *spec, unsigned flags, char **ret_error)
{
	struct buf error = BUF_INIT(16384);
	struct map *map = map_open_nested(conf, span_from_cstr(spec), flags, 0, &error);

	if (map == NULL)
		*ret_error = buf_steal(&error);
	buf_done(&error);
	return map;
}

void map_close(struct map *map)
{
	if (map == NULL)
		return;
	if (map->type->close != NULL)
		map->type->close(map);
	else if (map->table != NULL && map->type->unload != NULL)
		map->type->unload(map->table);
	map_source_done(&map->source);
	buf_done(&map->problem);
	free(map->spec);
	free(map->name);
	free(map);
}

enum map_result map_lookup(struct map *map, struct span key, struct buf *ret_value)
{
	enum map_result result;

	if (key.len == 0 || key.len > MAP_KEY_MAX)
		return MAP_NOT_FOUND;
	if (!refresh(map))
		return MAP_ERROR;
	if (map->type->is_fixed && (map->flags & MAP_FOLD_FIXED) != 0) {
		struct buf folded = BUF_INIT(MAP_KEY_MAX * 4);
		map_fold(key, &folded);
		result = map->type->lookup(map, buf_span(&folded), ret_value);
		buf_done(&folded);
	} else {
		result = map->type->lookup(map, key, ret_value);
	}
	return result == MAP_FOUND && ret_value->overflow ? MAP_ERROR : result;
}

int map_each(struct map *map, map_visit_fn *visit, void *arg)
{
	if (map->type->each == NULL)
		return -ENOTSUP;
	if (!refresh(map))
		return -ENOENT;
	return map->type->each(map, visit, arg);
}

bool map_is_pattern(const struct map *map)
{
	while (map->type == &map_type_proxy)
		map = map->table;
	return map->type->is_pattern;
}

bool map_is_available(const struct map *map)
{
	if (map->type->is_absent)
		return map->problem.len == 0;
	if (map->type->is_available != NULL)
		return map->type->is_available(map);
	return map->type->load == NULL || map->table != NULL;
}

const char *map_problem(struct map *map)
{
	return buf_cstr(&map->problem);
}

const char *map_spec(const struct map *map)
{
	return map->spec;
}

/* --- lists --- */

struct map_list {
	struct map **maps;
	size_t count;
};

struct map_list *map_list_open(
	struct conf *conf, const char *specs, unsigned flags, char **ret_error)
{
	struct map_list *list = NEW(struct map_list);
	struct span rest = span_from_cstr(specs), part;
	struct buf error = BUF_INIT(16384);
	const char *problem = NULL;

	while (error.len == 0 && map_next_part(&rest, &part, &problem)) {
		struct map *map = NULL;
		if (list->count >= MAP_MEMBERS_MAX)
			buf_append_cstr(&error, "too many tables in one list");
		else
			map = map_open_nested(conf, part, flags, 0, &error);
		if (map == NULL)
			break;
		list->maps = memory_resize(list->maps, list->count + 1, sizeof *list->maps);
		list->maps[list->count++] = map;
	}
	if (problem != NULL && error.len == 0)
		buf_append_format(&error, "%s in \"%s\"", problem, specs);
	if (error.len > 0) {
		*ret_error = buf_steal(&error);
		map_list_close(list);
		list = NULL;
	}
	buf_done(&error);
	return list;
}

void map_list_close(struct map_list *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->count; i++)
		map_close(list->maps[i]);
	free(list->maps);
	free(list);
}

bool map_list_is_empty(const struct map_list *list)
{
	return list->count == 0;
}

size_t map_list_count(const struct map_list *list)
{
	return list->count;
}

struct map *map_list_at(struct map_list *list, size_t index)
{
	CHECK(index < list->count);
	return list->maps[index];
}

enum map_result map_list_lookup(struct map_list *list, struct span key, struct buf *ret_value)
{
	for (size_t i = 0; i < list->count; i++) {
		enum map_result result = map_lookup(list->maps[i], key, ret_value);
		if (result != MAP_NOT_FOUND)
			return result;
	}
	return MAP_NOT_FOUND;
}
