/* Recipients of one message: completed, expanded through virtual_alias_maps (recursively, with
 * Postfix's limits), freed of duplicates, streamed into the recipient list.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CLEANUP_EXPAND_H
#define TAMBO_CLEANUP_EXPAND_H

#include "queue/large.h"
#include "service/cleanup.h"

/* Final addresses seen, as 128-bit keyed hashes: bounded, whatever a list holds. */
struct address_set {
	uint64_t *slots; /* pairs; a zero pair is free */
	size_t slot_count, count;
};

struct expansion {
	struct recipient_list list;
	struct address_set seen;
	bool map; /* virtual_alias_maps are asked */
	enum cleanup_status status; /* CLEANUP_OK so far */
	char problem[256]; /* for the log, when status says otherwise */
};

void expansion_init(struct expansion *expansion, int directory, const char *queue_id, bool map);
void expansion_done(struct expansion *expansion);
/* May yield. Errors are kept in status. */
void expansion_add(struct expansion *expansion, const struct cleanup_recipient *recipient);

#endif
