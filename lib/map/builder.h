/* Writes "file.lmdb" for postmap and postalias: built aside, flushed, then renamed into place, so
 * that a reader sees the old table or the new one and never half of either.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAP_BUILDER_H
#define TAMBO_MAP_BUILDER_H

#include <sys/types.h>

#include "base/buf.h"

struct map_builder;

#define MAP_BUILDER_KEY_MAX 511u /* bytes: LMDB's limit */

/* name: of the table, without ".lmdb". mode: of the file. text_size: bytes of the text it is made
 * from, for the size of the file. update: begin with what the table holds now; the file stays
 * locked against other updates. NULL and *ret_error (free it). */
struct map_builder *map_builder_open(
	const char *name, mode_t mode, uint64_t text_size, bool update, char **ret_error);
/* 0; -EEXIST: the key is there and replace is false; -ENAMETOOLONG: the key is too long;
 * -EFBIG: the value is; or -errno. with_nul: both end with a NUL, as old readers may want. */
int map_builder_put(struct map_builder *builder, struct span key, struct span value, bool replace);
void map_builder_set_nul(struct map_builder *builder, bool with_nul);
/* 0 or -ENOENT */
int map_builder_delete(struct map_builder *builder, struct span key);
/* Makes it durable and visible; frees the builder. False and *ret_error: the old table stays. */
bool map_builder_commit(struct map_builder *builder_take, char **ret_error);
void map_builder_abort(struct map_builder *builder_take);

#endif
