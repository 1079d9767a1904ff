/* Between index.c and index_row.c: the only files that include LMDB.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_INDEX_LMDB_PRIVATE_H
#define TAMBO_STORE_INDEX_LMDB_PRIVATE_H

#include <lmdb.h>
#include <sys/stat.h>

#include "base/check.h"
#include "store/index_private.h"

struct index {
	char *path;
	int dir_fd;
	MDB_env *env;
	MDB_dbi dbi;
	ino_t inode;  /* of the data file that is open */
	uint64_t seen_in; /* turn of the loop in which that was looked at */
	MDB_txn *idle; /* a read transaction that is reset, for the next one; or NULL */
	uint64_t opening; /* differs with each opening */
	bool broken;
};

/* Makes an LMDB error the transaction's. */
void index_fail(struct index_txn *txn, int error);

#endif
