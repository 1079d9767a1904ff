/* What was handed to cleanup for a recipient that is deferred all the same, because another of its
 * forwards failed: at the next try it is not handed over again. Kept in memory, for as many as
 * there is room for; whoever is forgotten (a new process, too many) gets the message twice rather
 * than never.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/list.h"
#include "base/memory.h"
#include "local/local.h"
#include "service/cleanup.h"

#define RECIPIENTS_MAX 1000
#define BYTES_MAX (64 * 1024) /* addresses of one recipient */

struct forwarded {
	struct list_node link; /* oldest first */
	struct buf sent;       /* sender, NUL, address, NUL, ... */
	char *key;
};

static struct table table;
static struct list_node oldest = LIST_INIT(oldest);

static void make_key(const struct delivery *delivery, struct buf *key)
{
	buf_append_format(key, "%.*s/%u", SPAN_ARGS(delivery->request->queue_id),
		delivery->recipient->index);
}

static struct forwarded *find(const struct delivery *delivery)
{
	struct buf key = BUF_INIT(200);
	if (table.count == 0)
		return NULL;
	make_key(delivery, &key);
	struct forwarded *forwarded = table_get(&table, buf_span(&key));
	buf_done(&key);
	return forwarded;
}

static void forget(struct forwarded *forwarded)
{
	list_remove(&forwarded->link);
	(void)table_remove(&table, span_from_cstr(forwarded->key));
	buf_done(&forwarded->sent);
	free(forwarded->key);
	free(forwarded);
}

static struct forwarded *make(const struct delivery *delivery)
{
	struct buf key = BUF_INIT(200);
	if (table.count == RECIPIENTS_MAX)
		forget(LIST_ENTRY(oldest.next, struct forwarded, link));
	struct forwarded *forwarded = NEW(struct forwarded);
	make_key(delivery, &key);
	buf_init(&forwarded->sent, BYTES_MAX);
	forwarded->key = buf_steal(&key);
	list_append(&oldest, &forwarded->link);
	(void)table_put(&table, span_from_cstr(forwarded->key), forwarded);
	return forwarded;
}

bool forwarded_before(const struct delivery *delivery, const struct forward_address *forward)
{
	const struct forwarded *forwarded = find(delivery);
	struct span rest = forwarded == NULL ? SPAN_EMPTY : buf_span(&forwarded->sent);
	while (rest.len > 0) {
		struct span sender = span_head(rest, span_find_char(rest, '\0'));
		rest = span_skip(rest, sender.len + 1);
		struct span address = span_head(rest, span_find_char(rest, '\0'));
		rest = span_skip(rest, address.len + 1);
		if (span_equal(sender, forward->sender) && span_equal(address, forward->address))
			return true;
	}
	return false;
}

void forwarded_note(const struct delivery *delivery, struct span sender,
	const struct cleanup_recipient *recipients, size_t count)
{
	struct forwarded *forwarded = find(delivery);
	if (forwarded == NULL)
		forwarded = make(delivery);
	for (size_t i = 0; i < count; i++) {
		size_t before = forwarded->sent.len;
		buf_append(&forwarded->sent, sender);
		buf_append_char(&forwarded->sent, '\0');
		buf_append(&forwarded->sent, recipients[i].address);
		buf_append_char(&forwarded->sent, '\0');
		if (!forwarded->sent.overflow)
			continue;
		buf_truncate(&forwarded->sent, before);
		return;
	}
}

void forwarded_forget(const struct delivery *delivery)
{
	struct forwarded *forwarded = find(delivery);
	if (forwarded != NULL)
		forget(forwarded);
}
