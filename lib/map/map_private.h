/* What the map types share: a type's functions, a map, files that are watched. Only for this layer.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAP_MAP_PRIVATE_H
#define TAMBO_MAP_MAP_PRIVATE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "map/map.h"

#define MAP_KEY_MAX 8192u	  /* bytes; a longer key is never found */
#define MAP_VALUE_MAX (1u << 20)  /* bytes of one result */
#define MAP_TEXT_MAX (256u << 20) /* bytes of a table's text file */
#define MAP_LINE_MAX (4u << 20)	  /* bytes of one logical line */
#define MAP_NESTING_MAX 8u	  /* maps within maps */
#define MAP_RULES_MAX 1000000u	  /* of a regexp, pcre or cidr table */
#define MAP_MEMBERS_MAX 1000u	  /* of a list or a combined map */

struct map_type {
	const char *name;
	bool is_pattern; /* asked once, with the key as it is */
	bool is_absent;	 /* known by name, but see type_absent.c */
	bool is_fixed;	 /* keys are folded to lower case */
	/* A type on a file: suffix of the file's name, and what makes a table of its bytes (NULL
	 * and a reason in error when it cannot be used). fd is only lent. */
	const char *suffix;
	void *(*load)(const struct map *map, int fd, struct buf *error);
	void (*unload)(void *table);
	/* A type without a file; NULL: nothing to prepare. */
	bool (*open)(struct map *map, struct buf *error);
	void (*close)(struct map *map);
	/* key: not empty, at most MAP_KEY_MAX, folded where the type wants it. */
	enum map_result (*lookup)(struct map *map, struct span key, struct buf *ret_value);
	/* A type of other tables: can all of them be asked? NULL: as the file says. */
	bool (*is_available)(const struct map *map);
	/* All entries; NULL where they cannot be listed. 0 or -errno. */
	int (*each)(struct map *map, map_visit_fn *visit, void *arg);
};

/* A file as last seen, looked at once a second at most. */
struct map_source {
	char *path;
	struct stat seen;
	int64_t next_check; /* monotonic milliseconds */
	bool failed;	    /* could not be opened the last time */
};

struct map {
	const struct map_type *type;
	struct conf *conf;
	char *spec;
	char *name; /* behind "type:" */
	unsigned flags;
	unsigned nesting;
	void *table;
	struct map_source source;
	int64_t next_complaint;
	struct buf problem; /* why there is no table */
};

/* As map_open; nesting: how many maps stand around this one. */
struct map *map_open_nested(
	struct conf *conf, struct span spec, unsigned flags, unsigned nesting, struct buf *error);

/* Opens the file by path, or by the opener of map_set_opener. fd or -errno; notes what it saw. */
int map_source_open(struct map_source *source);
/* True when the file is another one than the last time, or has become readable. */
bool map_source_changed(struct map_source *source);
void map_source_done(struct map_source *source);
bool map_has_opener(void);
int64_t map_clock(void);

/* Tables from text: bytes to bytes. */
struct map_memory;
struct map_memory *map_memory_new(void);
void map_memory_free(void *memory);
/* False when the key is there already. */
bool map_memory_put(struct map_memory *memory, struct span key, struct span value);
int map_memory_each(const struct map_memory *memory, map_visit_fn *visit, void *arg);
bool map_memory_get(const struct map_memory *memory, struct span key, struct span *ret_value);

/* NULL when there is none of that name. */
const struct map_type *map_type_find_absent(struct span name);
extern const struct map_type map_type_lmdb, map_type_hash, map_type_btree, map_type_texthash,
	map_type_inline, map_type_static, map_type_environ, map_type_internal, map_type_fail,
	map_type_regexp, map_type_pcre, map_type_cidr, map_type_unionmap, map_type_pipemap,
	map_type_randmap, map_type_unix, map_type_passwdfile, map_type_proxy;

#endif
