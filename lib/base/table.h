/* Hash table from bytes to a pointer. Keys are copied. The hash is keyed (SipHash-1-3 with a random
 * key set by table_seed), so a peer cannot choose colliding keys.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_BASE_TABLE_H
#define TAMBO_BASE_TABLE_H

#include "base/span.h"

struct table_entry;

struct table {
	struct table_entry **slots;
	size_t slot_count; /* 0 or a power of two */
	size_t count;
};

/* Sets the key of the hash once per process, before the first table is filled. */
void table_seed(const uint8_t key[16]);
uint64_t table_hash(struct span key);

void table_init(struct table *table);
/* free_value may be NULL. */
void table_done(struct table *table, void (*free_value)(void *));
void *table_get(const struct table *table, struct span key); /* NULL when absent */
/* Returns the old value, or NULL. value must not be NULL. */
void *table_put(struct table *table, struct span key, void *value);
/* Removes; returns the value, or NULL when absent. */
void *table_remove(struct table *table, struct span key);

/* Visits all entries in no order; stops when visit answers false. The table must not change. */
void table_each(const struct table *table,
	bool (*visit)(struct span key, void *value, void *arg), void *arg);

#endif
