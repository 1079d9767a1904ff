/* Large buffers that are used again: fresh memory costs as much as copying into it. Only so many
 * are out at once, so what they take together is bounded; who gets none has to do without. Not
 * for threads.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_BASE_BUF_POOL_H
#define TAMBO_BASE_BUF_POOL_H

#include "base/buf.h"

#define BUF_POOL_MAX 64

struct buf_pool {
	size_t size;      /* cap of each */
	unsigned max;     /* so many at once, at most BUF_POOL_MAX */
	unsigned kept;    /* so many stay when none is out */
	/* private */
	bool is_known;
	struct buf_pool *next;
	unsigned out, spare_count;
	struct buf spare[BUF_POOL_MAX];
};

/* An empty buffer with all its memory. False: max are out, or there is no memory. */
bool buf_pool_take(struct buf_pool *pool, struct buf *ret_buf);
/* Back again; buf is empty afterwards, its cap 0. */
void buf_pool_give(struct buf_pool *pool, struct buf *buf);
/* Frees what all pools keep: for a process at rest. A pool that has been used must stay. */
void buf_pools_drop(void);

#endif
