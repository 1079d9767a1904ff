/* See table.h. SipHash: J.-P. Aumasson and D. J. Bernstein, 2012; 1 compression and 3 final rounds.
 * SPDX-License-Identifier: ISC */
#include "base/table.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"

#define FIRST_SLOTS 16

struct table_entry {
	struct table_entry *next;
	void *value;
	uint64_t hash;
	size_t key_len;
	char key[];
};

static uint64_t key0 = 0x736f6d6570736575, key1 = 0x646f72616e646f6d;

void table_seed(const uint8_t key[16])
{
	memcpy(&key0, key, 8);
	memcpy(&key1, key + 8, 8);
}

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

uint64_t table_hash(struct span key)
{
	uint64_t v[4] = {key0 ^ 0x736f6d6570736575, key1 ^ 0x646f72616e646f6d,
		key0 ^ 0x6c7967656e657261, key1 ^ 0x7465646279746573};
	uint64_t word = 0;
	size_t whole = key.len / 8 * 8;
	for (size_t i = 0; i < whole; i += 8) {
		memcpy(&word, key.ptr + i, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)key.len << 56;
	for (size_t i = whole; i < key.len; i++)
		word |= (uint64_t)(unsigned char)key.ptr[i] << (8 * (i - whole));
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void table_init(struct table *table)
{
	*table = (struct table){0};
}

void table_done(struct table *table, void (*free_value)(void *))
{
	for (size_t i = 0; i < table->slot_count; i++) {
		struct table_entry *entry = table->slots[i];
		while (entry != NULL) {
			struct table_entry *next = entry->next;
			if (free_value != NULL)
				free_value(entry->value);
			free(entry);
			entry = next;
		}
	}
	free(table->slots);
	table_init(table);
}

/* The link that points to the entry, or to NULL at the end of its chain. */
static struct table_entry **find_link(const struct table *table, struct span key, uint64_t hash)
{
	struct table_entry **link = &table->slots[hash & (table->slot_count - 1)];
	while (*link != NULL && !((*link)->hash == hash &&
					span_equal(span_new((*link)->key, (*link)->key_len), key)))
		link = &(*link)->next;
	return link;
}

void *table_get(const struct table *table, struct span key)
{
	if (table->count == 0)
		return NULL;
	struct table_entry *entry = *find_link(table, key, table_hash(key));
	return entry == NULL ? NULL : entry->value;
}

static void resize(struct table *table, size_t slot_count)
{
	struct table_entry **slots = memory_zalloc(slot_count, sizeof *slots);
	for (size_t i = 0; i < table->slot_count; i++) {
		struct table_entry *entry = table->slots[i];
		while (entry != NULL) {
			struct table_entry *next = entry->next;
			struct table_entry **slot = &slots[entry->hash & (slot_count - 1)];
			entry->next = *slot;
			*slot = entry;
			entry = next;
		}
	}
	free(table->slots);
	table->slots = slots;
	table->slot_count = slot_count;
}

void *table_put(struct table *table, struct span key, void *value)
{
	CHECK(value != NULL);
	uint64_t hash = table_hash(key);
	if (table->slot_count == 0)
		resize(table, FIRST_SLOTS);
	struct table_entry **link = find_link(table, key, hash);
	if (*link != NULL) {
		void *old = (*link)->value;
		(*link)->value = value;
		return old;
	}
	struct table_entry *entry = memory_alloc(sizeof *entry + key.len);
	*entry = (struct table_entry){.value = value, .hash = hash, .key_len = key.len};
	if (key.len > 0)
		memcpy(entry->key, key.ptr, key.len);
	*link = entry;
	if (++table->count > table->slot_count)
		resize(table, table->slot_count * 2);
	return NULL;
}

void *table_remove(struct table *table, struct span key)
{
	if (table->count == 0)
		return NULL;
	struct table_entry **link = find_link(table, key, table_hash(key));
	struct table_entry *entry = *link;
	if (entry == NULL)
		return NULL;
	void *value = entry->value;
	*link = entry->next;
	free(entry);
	table->count--;
	return value;
}

void table_each(const struct table *table, bool (*visit)(struct span key, void *value, void *arg),
	void *arg)
{
	for (size_t i = 0; i < table->slot_count; i++)
		for (struct table_entry *entry = table->slots[i]; entry != NULL; entry = entry->next)
			if (!visit(span_new(entry->key, entry->key_len), entry->value, arg))
				return;
}
