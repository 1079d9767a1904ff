/* See counters.h. A window begins with the first event after the last one ended, as Postfix's anvil
 * does it: cheap, and exact enough for a limit.
 * SPDX-License-Identifier: ISC */
#include "anvil/counters.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/memory.h"

#define KEY_MAX 3000

struct counters_client {
	struct list_node node;
	char *key;
	uint32_t connections;
	uint32_t rates[ANVIL_EVENT_COUNT];
	task_time start; /* of the window */
};

struct counters_held {
	uint32_t connections;
};

void counters_init(struct counters *counters, int64_t unit)
{
	table_init(&counters->clients);
	list_init(&counters->by_age);
	counters->unit = unit;
}

static void free_client(void *value)
{
	struct counters_client *client = value;

	free(client->key);
	free(client);
}

void counters_done(struct counters *counters)
{
	table_done(&counters->clients, free_client);
	list_init(&counters->by_age);
}

void counters_owner_init(struct counters_owner *owner)
{
	table_init(&owner->open);
}

static void forget(struct counters *counters, struct counters_client *client)
{
	(void)table_remove(&counters->clients, span_from_cstr(client->key));
	list_remove(&client->node);
	free_client(client);
}

/* Drops old clients from the front of the list, at most a few at a time. */
static void forget_old(struct counters *counters, task_time now)
{
	for (int i = 0; i < 3 && !list_is_empty(&counters->by_age); i++) {
		struct counters_client *client =
			LIST_ENTRY(counters->by_age.next, struct counters_client, node);
		bool full = counters->clients.count > COUNTERS_CLIENTS_MAX;
		if (now - client->start < counters->unit && !full)
			return;
		if (client->connections > 0 && !full) {
			/* Not to stand in the way of those behind it. */
			list_remove(&client->node);
			list_append(&counters->by_age, &client->node);
		} else {
			forget(counters, client);
		}
	}
}

static struct counters_client *find(struct counters *counters, struct span key, task_time now)
{
	struct counters_client *client = table_get(&counters->clients, key);

	if (client == NULL) {
		client = NEW(struct counters_client);
		client->key = span_dup_cstr(key);
		client->start = now;
		(void)table_put(&counters->clients, key, client);
	} else {
		list_remove(&client->node);
	}
	list_append(&counters->by_age, &client->node);
	if (now - client->start >= counters->unit) {
		memset(client->rates, 0, sizeof(client->rates));
		client->start = now;
	}
	return client;
}

/* Keeps the owner's account of its connections: +1 or -1. False: it has none to end. */
static bool hold(struct counters_owner *owner, struct span key, bool begin)
{
	struct counters_held *held = table_get(&owner->open, key);

	if (begin) {
		if (held == NULL) {
			held = NEW(struct counters_held);
			(void)table_put(&owner->open, key, held);
		}
		held->connections++;
		return true;
	}
	if (held == NULL)
		return false;
	if (--held->connections == 0)
		free(table_remove(&owner->open, key));
	return true;
}

void counters_count(struct counters *counters, struct counters_owner *owner,
	const struct anvil_count *count, task_time now, struct anvil_answer *ret_answer)
{
	struct buf text = BUF_INIT(KEY_MAX);

	buf_append(&text, count->service);
	buf_append_char(&text, ':');
	buf_append(&text, count->client);
	struct span key = buf_span(&text);
	forget_old(counters, now);
	struct counters_client *client = find(counters, key, now);
	if (count->event == ANVIL_DISCONNECT) {
		if (hold(owner, key, false) && client->connections > 0)
			client->connections--;
	} else if (count->event == ANVIL_CONNECT) {
		(void)hold(owner, key, true);
		client->connections++;
	}
	CHECK(count->event < ANVIL_EVENT_COUNT);
	if (client->rates[count->event] < UINT32_MAX)
		client->rates[count->event]++;
	*ret_answer = (struct anvil_answer){.concurrent = client->connections,
		.rate = client->rates[count->event]};
	buf_done(&text);
}

struct release {
	struct counters *counters;
};

static bool release(struct span key, void *value, void *arg)
{
	struct counters_held *held = value;
	struct release *context = arg;
	struct counters_client *client = table_get(&context->counters->clients, key);

	if (client != NULL)
		client->connections -= held->connections < client->connections ?
			held->connections : client->connections;
	return true;
}

void counters_owner_done(struct counters *counters, struct counters_owner *owner)
{
	struct release context = {.counters = counters};

	table_each(&owner->open, release, &context);
	table_done(&owner->open, free);
}
