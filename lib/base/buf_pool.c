/* See buf_pool.h. SPDX-License-Identifier: ISC */
#include "base/buf_pool.h"

#include "base/check.h"

static struct buf_pool *pools;

bool buf_pool_take(struct buf_pool *pool, struct buf *ret_buf)
{
	CHECK(pool->max <= BUF_POOL_MAX);
	if (pool->out >= pool->max)
		return false;
	struct buf buf = BUF_LARGE(pool->size);
	if (pool->spare_count > 0)
		buf = pool->spare[--pool->spare_count];
	else if (buf_reserve(&buf, pool->size) == NULL)
		return false;
	if (!pool->is_known) {
		pool->is_known = true;
		pool->next = pools;
		pools = pool;
	}
	pool->out++;
	*ret_buf = buf;
	return true;
}

void buf_pool_give(struct buf_pool *pool, struct buf *buf)
{
	CHECK(pool->out > 0 && buf->cap == pool->size);
	buf_reset(buf);
	pool->spare[pool->spare_count++] = *buf;
	*buf = BUF_INIT(0);
	pool->out--;
	while (pool->out == 0 && pool->spare_count > pool->kept)
		buf_done(&pool->spare[--pool->spare_count]);
}

void buf_pools_drop(void)
{
	for (struct buf_pool *pool = pools; pool != NULL; pool = pool->next)
		while (pool->spare_count > 0)
			buf_done(&pool->spare[--pool->spare_count]);
}
