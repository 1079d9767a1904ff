/* See throttle.h. A failure is forgotten after a while: the count halves every five minutes.
 * SPDX-License-Identifier: ISC */
#include "auth/throttle.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/table.h"
#include "net/socket.h"

#define HALF_LIFE_MS (5 * 60 * 1000)
#define ENTRIES_MAX 20000
#define REMEMBERED 8
#define USER_DELAY_MAX 4000
#define FREE_FAILURES 2 /* everybody mistypes */
#define KEY_MAX 1200

struct entry {
	unsigned failures;
	int64_t last;
	uint64_t attempts[REMEMBERED]; /* hashes of wrong passwords */
	unsigned next_attempt;
	uint64_t forgiven[REMEMBERED]; /* hashes of users for whom all was forgotten */
	unsigned next_forgiven;
};

static struct table entries;
static int64_t first_delay = 1000, longest_delay = 15000;

void throttle_configure(int64_t first, int64_t max)
{
	first_delay = first;
	longest_delay = max;
}

void throttle_reset(void)
{
	table_done(&entries, free);
}

void throttle_network(struct span address, struct buf *out)
{
	struct address parsed;
	buf_append_cstr(out, "a:");
	if (address_parse_ip(address, 0, &parsed) && parsed.any.sa_family == AF_INET6)
		buf_append_bytes(out, parsed.v6.sin6_addr.s6_addr, 8);
	else
		buf_append(out, span_head(address, 256));
}

static void user_key(struct span user, struct buf *out)
{
	buf_append_cstr(out, "u:");
	buf_append(out, span_head(user, 256));
}

static unsigned current(struct entry *entry, int64_t now)
{
	while (entry->failures > 0 && now - entry->last >= HALF_LIFE_MS) {
		entry->failures /= 2;
		entry->last += HALF_LIFE_MS;
	}
	if (now - entry->last >= HALF_LIFE_MS)
		memset(entry->forgiven, 0, sizeof entry->forgiven);
	return entry->failures;
}

static int64_t delay_of(const struct buf *key, int64_t max, int64_t now)
{
	struct entry *entry = table_get(&entries, buf_span(key));
	unsigned failures = entry == NULL ? 0 : current(entry, now);
	if (failures <= FREE_FAILURES)
		return 0;
	if (first_delay == 0)
		return 0;
	unsigned shift = failures - FREE_FAILURES - 1;
	int64_t delay = shift > 10 ? max : first_delay << shift;
	return delay > max ? max : delay;
}

int64_t throttle_delay(struct span address, struct span user, int64_t now)
{
	struct buf key = BUF_INIT(KEY_MAX);
	throttle_network(address, &key);
	int64_t by_address = delay_of(&key, longest_delay, now);
	buf_reset(&key);
	user_key(user, &key);
	int64_t user_max = longest_delay < USER_DELAY_MAX ? longest_delay : USER_DELAY_MAX;
	int64_t by_user = delay_of(&key, user_max, now);
	buf_done(&key);
	return by_address > by_user ? by_address : by_user;
}

static void note_failure(const struct buf *key, uint64_t attempt, int64_t now)
{
	struct entry *entry = table_get(&entries, buf_span(key));
	if (entry == NULL) {
		/* Full: forget all. An attacker with that many addresses is not held by this anyway. */
		if (entries.count >= ENTRIES_MAX)
			throttle_reset();
		entry = NEW(struct entry);
		entry->last = now;
		table_put(&entries, buf_span(key), entry);
	}
	current(entry, now);
	for (unsigned i = 0; i < REMEMBERED && attempt != 0; i++)
		if (entry->attempts[i] == attempt)
			return;
	if (attempt != 0)
		entry->attempts[entry->next_attempt++ % REMEMBERED] = attempt;
	entry->failures++;
	entry->last = now;
}

void throttle_failure(struct span address, struct span user, struct span attempt, int64_t now)
{
	struct buf key = BUF_INIT(KEY_MAX);
	struct buf mixed = BUF_INIT(4096);
	buf_append(&mixed, span_head(user, 1024));
	buf_append_char(&mixed, '\0');
	buf_append(&mixed, span_head(attempt, 1024));
	uint64_t hash = span_is_empty(attempt) ? 0 : table_hash(buf_span(&mixed)) | 1;
	throttle_network(address, &key);
	note_failure(&key, hash, now);
	buf_reset(&key);
	user_key(user, &key);
	note_failure(&key, hash, now);
	buf_done(&key);
	buf_wipe(&mixed);
}

/* First time for this user: the network is forgiven everything. Later: what the user did. */
static void forgive(struct entry *entry, uint64_t user, unsigned own)
{
	for (unsigned i = 0; i < REMEMBERED; i++) {
		if (entry->forgiven[i] != user)
			continue;
		entry->failures -= own < entry->failures ? own : entry->failures;
		return;
	}
	entry->forgiven[entry->next_forgiven++ % REMEMBERED] = user;
	entry->failures = 0;
	memset(entry->attempts, 0, sizeof entry->attempts);
}

void throttle_success(struct span address, struct span user, int64_t now)
{
	struct buf key = BUF_INIT(KEY_MAX);
	user_key(user, &key);
	uint64_t hash = table_hash(buf_span(&key)) | 1;
	struct entry *of_user = table_remove(&entries, buf_span(&key));
	unsigned own = of_user == NULL ? 0 : current(of_user, now);
	free(of_user);
	buf_reset(&key);
	throttle_network(address, &key);
	struct entry *entry = table_get(&entries, buf_span(&key));
	if (entry != NULL && current(entry, now) > 0)
		forgive(entry, hash, own);
	buf_done(&key);
}
