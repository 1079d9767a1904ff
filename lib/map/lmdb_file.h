/* Reads an LMDB file through a descriptor: no lock file, no memory map, no path, so that a process
 * in an empty root directory can look up a table that was handed to it, and a file cut short under
 * its feet is an error and not a signal. The format is LMDB 0.9's (data version 1). Our own tables
 * are replaced whole (map/builder.h), so a file never changes while it is read. Nothing in the file
 * is trusted.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAP_LMDB_FILE_H
#define TAMBO_MAP_LMDB_FILE_H

#include "base/buf.h"

struct lmdb_file;

/* Takes fd, also when it fails: NULL and the reason in error. */
struct lmdb_file *lmdb_file_open(int fd_take, struct buf *error);
void lmdb_file_close(struct lmdb_file *file);

/* 1: found, value appended. 0: not there. -errno: -EUCLEAN when the file is damaged. */
int lmdb_file_get(struct lmdb_file *file, struct span key, struct buf *ret_value);
/* All entries in order of their keys; visit answers false to stop. 0 or -errno. */
int lmdb_file_each(struct lmdb_file *file,
	bool (*visit)(void *arg, struct span key, struct span value), void *arg);

#endif
