/* Shared reasons: a hundred thousand messages that wait for one dead host name it once.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "queue/index.h"

#define REASON_KEY_MAX 8192

static struct span clip(struct span text, size_t max)
{
	return span_head(text, max);
}

static void make_key(struct span dsn, struct span text, struct span remote_mta,
	struct span diagnostic, struct buf *key)
{
	const struct span parts[] = {clip(dsn, LEDGER_NAME_MAX), clip(text, LEDGER_TEXT_MAX),
		clip(remote_mta, LEDGER_NAME_MAX), clip(diagnostic, LEDGER_TEXT_MAX)};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		for (size_t j = 0; j < parts[i].len; j++)
			buf_append_char(key, parts[i].ptr[j] == '\0' ? '?' : parts[i].ptr[j]);
		buf_append_char(key, '\0');
	}
}

static struct queue_reason *make(struct span key)
{
	struct queue_reason *reason = memory_alloc(sizeof *reason + key.len);
	char *at = (char *)(reason + 1);
	memcpy(at, key.ptr, key.len);
	reason->users = 0;
	reason->dsn = at;
	reason->text = reason->dsn + strlen(reason->dsn) + 1;
	reason->remote_mta = reason->text + strlen(reason->text) + 1;
	reason->diagnostic = reason->remote_mta + strlen(reason->remote_mta) + 1;
	return reason;
}

struct queue_reason *queue_index_reason(struct queue_index *index, struct span dsn,
	struct span text, struct span remote_mta, struct span diagnostic)
{
	struct buf key = BUF_INIT(REASON_KEY_MAX);
	make_key(dsn, text, remote_mta, diagnostic, &key);
	struct queue_reason *reason = table_get(&index->reasons, buf_span(&key));
	if (reason == NULL) {
		reason = make(buf_span(&key));
		table_put(&index->reasons, buf_span(&key), reason);
	}
	reason->users++;
	buf_done(&key);
	return reason;
}

void queue_reason_drop(struct queue_index *index, struct queue_reason *reason)
{
	if (reason == NULL || --reason->users > 0)
		return;
	size_t len = (size_t)(reason->diagnostic + strlen(reason->diagnostic) + 1 - reason->dsn);
	CHECK(table_remove(&index->reasons, span_new(reason->dsn, len)) == reason);
	free(reason);
}
