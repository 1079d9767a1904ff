/* The queue listing as text (mailq) and as JSON, laid out as Postfix's postqueue does.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_COMMANDS_POSTQUEUE_SHOW_H
#define TAMBO_COMMANDS_POSTQUEUE_SHOW_H

#include <stdio.h>

#include "base/buf.h"
#include "service/qmgr.h"

struct show {
	FILE *out;
	bool json, long_ids;
	uint64_t messages, bytes;
	bool continued;     /* the next item goes on with the same message */
	struct buf reason;  /* the last one printed for this message */
};

void show_begin(struct show *show, FILE *out, bool json, bool long_ids);
/* queue_item_fn; arg: struct show. */
bool show_item(void *arg, const struct queue_item *item);
void show_end(struct show *show);

#endif
