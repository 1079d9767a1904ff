/* Changing the queue while the server is down: under the ledger's lock, by the entries that qmgr
 * would write.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_COMMANDS_POSTSUPER_DIRECT_H
#define TAMBO_COMMANDS_POSTSUPER_DIRECT_H

#include "queue/index.h"
#include "service/qmgr.h"

struct direct {
	struct queue_index index;
	struct queue_reader *reader;
	struct ledger *ledger;
};

/* 0 or -errno (-EBUSY: qmgr holds the queue after all). */
int direct_open(struct direct *direct, const char *queue_directory);
/* DURABLE: committed when it answers 0. */
int direct_command(struct direct *direct, const struct queue_command *command,
	uint64_t *ret_count);
void direct_close(struct direct *direct);

#endif
