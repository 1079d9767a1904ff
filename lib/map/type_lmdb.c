/* lmdb:, and hash: and btree:, which name the same file: "file.lmdb". Tables that Postfix's postmap
 * made end keys and values with a NUL; ours do not; both are found.
 * SPDX-License-Identifier: ISC */
#include <unistd.h>

#include "base/log.h"
#include "map/lmdb_file.h"
#include "map/map_private.h"

static void warn_if_older(const struct map *map)
{
	struct stat text;

	if (stat(map->name, &text) == 0 && text.st_mtime > map->source.seen.st_mtime)
		log_warning(NULL, "database %s is older than source file %s", map->source.path,
			map->name);
}

static void *load(const struct map *map, int fd, struct buf *error)
{
	struct buf reason = BUF_INIT(200);
	int own = dup(fd);
	struct lmdb_file *file = own < 0 ? NULL : lmdb_file_open(own, &reason);

	if (file == NULL)
		buf_append_format(error, "open database %s: %s", map->source.path,
			own < 0 ? "no free descriptor" : buf_cstr(&reason));
	else
		warn_if_older(map);
	buf_done(&reason);
	return file;
}

static void unload(void *table)
{
	lmdb_file_close(table);
}

static int get_with_nul(struct lmdb_file *file, struct span key, struct buf *ret_value)
{
	struct buf longer = BUF_INIT(MAP_KEY_MAX * 4 + 1);
	int result;

	buf_append(&longer, key);
	buf_append_char(&longer, '\0');
	result = lmdb_file_get(file, buf_span(&longer), ret_value);
	buf_done(&longer);
	return result;
}

static enum map_result lookup(struct map *map, struct span key, struct buf *ret_value)
{
	size_t before = ret_value->len;
	int result = lmdb_file_get(map->table, key, ret_value);

	if (result == 0)
		result = get_with_nul(map->table, key, ret_value);
	if (result < 0) {
		log_warning(NULL, "error reading %s: %s", map->spec, strerror(-result));
		return MAP_ERROR;
	}
	if (ret_value->len > before && ret_value->ptr[ret_value->len - 1] == '\0')
		buf_truncate(ret_value, ret_value->len - 1);
	return result == 1 ? MAP_FOUND : MAP_NOT_FOUND;
}

struct visiting {
	map_visit_fn *visit;
	void *arg;
};

static struct span without_nul(struct span s)
{
	return s.len > 0 && s.ptr[s.len - 1] == '\0' ? span_head(s, s.len - 1) : s;
}

static bool visit_entry(void *arg, struct span key, struct span value)
{
	const struct visiting *visiting = arg;

	return visiting->visit(visiting->arg, without_nul(key), without_nul(value));
}

static int each(struct map *map, map_visit_fn *visit, void *arg)
{
	struct visiting visiting = {visit, arg};

	return lmdb_file_each(map->table, visit_entry, &visiting);
}

#define LMDB_TYPE(variable, name_)                                                                 \
	const struct map_type variable = {.name = (name_),                                         \
		.is_fixed = true,                                                                  \
		.suffix = ".lmdb",                                                                 \
		.load = load,                                                                      \
		.unload = unload,                                                                  \
		.lookup = lookup,                                                                  \
		.each = each}

LMDB_TYPE(map_type_lmdb, "lmdb");
LMDB_TYPE(map_type_hash, "hash");
LMDB_TYPE(map_type_btree, "btree");
