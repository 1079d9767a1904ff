/* The tables that may be asked. A type that blocks has its own way to an answer behind tables_ask:
 * its map's lookup runs in task_offload, or waits for a connection of a pool, while other channels
 * go on.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_PROXYMAP_TABLES_H
#define TAMBO_PROXYMAP_TABLES_H

#include "base/buf.h"
#include "conf/conf.h"
#include "service/proxymap.h"

#define TABLES_MAX 1000

struct tables;

struct tables *tables_new(struct conf *conf);
void tables_free(struct tables *tables);
/* Opens "type:name" and allows it; said twice, it is there once. One that cannot be opened is
 * logged and answers with errors. At most TABLES_MAX (logged). */
void tables_add(struct tables *tables, struct span spec);
size_t tables_count(const struct tables *tables);
/* Fills the answer; value and error hold its bytes until the next call with them. May wait. */
void tables_ask(struct tables *tables, const struct map_question *question, struct buf *value,
	struct buf *error, struct map_answer *ret_answer);

#endif
