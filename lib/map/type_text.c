/* Tables kept in memory: texthash: (a file in postmap's text form), inline:{ key = value, ... },
 * passwdfile: (lines "user:rest").
 * SPDX-License-Identifier: ISC */
#include "base/log.h"
#include "conf/lines.h"
#include "map/map_private.h"
#include "map/passwdfile.h"
#include "map/text.h"
#include "sys/fd.h"

struct filling {
	const struct map *map;
	struct map_memory *memory;
};

static void warn_line(void *arg, unsigned line, const char *text)
{
	struct filling *filling = arg;

	log_warning(NULL, "%s, line %u: %s -- ignoring this line", filling->map->source.path, line,
		text);
}

static void keep_entry(void *arg, struct span key, struct span value, unsigned line)
{
	struct filling *filling = arg;
	struct buf folded = BUF_INIT(MAP_LINE_MAX);

	if ((filling->map->flags & MAP_FOLD_FIXED) != 0)
		map_fold(key, &folded);
	else
		buf_append(&folded, key);
	if (value.len > MAP_VALUE_MAX)
		warn_line(arg, line, "the value is too long");
	else if (!map_memory_put(filling->memory, buf_span(&folded), value))
		log_warning(NULL, "%s, line %u: duplicate entry: \"%.*s\"",
			filling->map->source.path, line, SPAN_ARGS(key));
	buf_done(&folded);
}

static void *load_with(const struct map *map, int fd, struct buf *error,
	void (*parse)(struct span text, const struct map_text_visitor *visitor))
{
	struct filling filling = {map, map_memory_new()};
	struct map_text_visitor visitor = {&filling, keep_entry, warn_line};
	struct buf text = BUF_INIT(MAP_TEXT_MAX);
	int result = fd_read_all(fd, &text);

	if (result == 0) {
		parse(buf_span(&text), &visitor);
	} else {
		buf_append_format(error, "read %s: %s", map->source.path, strerror(-result));
		map_memory_free(filling.memory);
		filling.memory = NULL;
	}
	buf_wipe(&text);
	return filling.memory;
}

static void *load_texthash(const struct map *map, int fd, struct buf *error)
{
	return load_with(map, fd, error, map_text_parse);
}

static void *load_passwdfile(const struct map *map, int fd, struct buf *error)
{
	return load_with(map, fd, error, passwdfile_parse);
}

static enum map_result lookup(struct map *map, struct span key, struct buf *ret_value)
{
	struct span value;

	if (!map_memory_get(map->table, key, &value))
		return MAP_NOT_FOUND;
	buf_append(ret_value, value);
	return MAP_FOUND;
}

static int each(struct map *map, map_visit_fn *visit, void *arg)
{
	return map_memory_each(map->table, visit, arg);
}

/* --- inline --- */

static bool add_inline(struct map *map, struct span part, struct buf *error)
{
	struct span name, value;
	const char *problem = NULL;
	struct buf folded = BUF_INIT(MAP_LINE_MAX);

	if (!lines_split_name_value(map_strip_braces(part), &name, &value, &problem)) {
		buf_append_format(error, "%s: %s: \"%.*s\"", map->spec, problem, SPAN_ARGS(part));
		return false;
	}
	if ((map->flags & MAP_FOLD_FIXED) != 0)
		map_fold(name, &folded);
	else
		buf_append(&folded, name);
	if (!map_memory_put(map->table, buf_span(&folded), value))
		log_warning(NULL, "%s: duplicate entry: \"%.*s\"", map->spec, SPAN_ARGS(name));
	buf_done(&folded);
	return true;
}

static bool open_inline(struct map *map, struct buf *error)
{
	struct span rest = map_strip_braces(span_from_cstr(map->name)), part;
	const char *problem = NULL;

	map->table = map_memory_new();
	if (map->name[0] != '{')
		problem = "expected \"inline:{ name = value, ... }\"";
	while (problem == NULL && map_next_part(&rest, &part, &problem)) {
		/* "a = b" without braces comes in three parts: take them together. */
		struct span more;
		while (rest.len > 0 && span_find_char(part, '=') == part.len - 1 &&
			part.ptr[0] != '{' && map_next_part(&rest, &more, &problem))
			part = span_new(part.ptr, (size_t)(more.ptr + more.len - part.ptr));
		if (part.ptr[0] != '{' && span_find_char(part, '=') == SIZE_MAX &&
			span_starts_with(span_trim(rest), SPAN("="))) {
			map_next_part(&rest, &more, &problem);
			if (more.len == 1 && problem == NULL &&
				!map_next_part(&rest, &more, &problem))
				break;
			part = span_new(part.ptr, (size_t)(more.ptr + more.len - part.ptr));
		}
		if (problem == NULL && !add_inline(map, part, error))
			return false;
	}
	if (problem != NULL)
		buf_append_format(error, "%s: %s", map->spec, problem);
	return problem == NULL;
}

static void close_memory(struct map *map)
{
	map_memory_free(map->table);
}

const struct map_type map_type_texthash = {.name = "texthash",
	.is_fixed = true,
	.suffix = "",
	.load = load_texthash,
	.unload = map_memory_free,
	.lookup = lookup,
	.each = each};

const struct map_type map_type_passwdfile = {.name = "passwdfile",
	.is_fixed = true,
	.suffix = "",
	.load = load_passwdfile,
	.unload = map_memory_free,
	.lookup = lookup,
	.each = each};

const struct map_type map_type_inline = {.name = "inline",
	.is_fixed = true,
	.open = open_inline,
	.close = close_memory,
	.lookup = lookup,
	.each = each};
