/* The `subscriptions` file: Dovecot's, version 1 (a name on each line) or 2 (header "V\t2", levels
 * separated by tabs), kept in the version it has; Courier's courierimapsubscribed is read when
 * there is none. Parsing and formatting are pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_SUBSCRIPTION_PRIVATE_H
#define TAMBO_STORE_SUBSCRIPTION_PRIVATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "store/folder_private.h"

#define SUBSCRIPTIONS_MAX 20000
#define SUBSCRIPTIONS_SIZE_MAX (8UL << 20)

struct subscriptions {
	struct span *names; /* IMAP names with '/' */
	size_t count, room;
	bool is_version2;
};

/* Lines that are no mailbox names are passed over. -ENOMEM when the arena is full. */
int subscriptions_parse(struct span text, struct arena *arena, struct subscriptions *ret);
int subscriptions_parse_courier(struct span text, struct arena *arena, struct subscriptions *ret);
void subscriptions_format(const struct subscriptions *subscriptions, struct buf *out);
/* Names live in arena. */
int subscriptions_load(struct store *store, struct arena *arena, struct subscriptions *ret);

#endif
