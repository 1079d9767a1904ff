/* At the start: recipients that were delivered in this boot and whose checkpoint was missed. Their
 * bytes are in the page cache: once every file system has been flushed without an error they are
 * done. Where that cannot be known they are delivered again; the agent knows its files by their
 * names. (After another boot the index has made them pending already.)
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "qmgr/qmgr.h"
#include "sys/file_systems.h"

static struct file_systems systems;

/* What was written when this process began: an id with its NUL, then the run. What is written later
 * waits for its own checkpoint. */
struct run {
	uint32_t first, count;
};
static struct buf written = BUF_INIT(SIZE_MAX / 4);

static bool collect(struct span key, void *value, void *arg)
{
	(void)key;
	(void)arg;
	const struct queue_entry *entry = value;
	for (uint32_t at = 0; at < entry->recipient_count;) {
		struct queue_run run = queue_entry_run_at(entry, at);
		struct run found = {run.first, run.count};
		at = run.first + run.count;
		if (run.state != RECIPIENT_WRITTEN)
			continue;
		buf_append_bytes(&written, entry->queue_id, strlen(entry->queue_id) + 1);
		buf_append_bytes(&written, &found, sizeof found);
	}
	return true;
}

void settle_prepare(void)
{
	table_each(&qmgr.index.entries, collect, NULL);
	if (written.len > 0)
		file_systems_open(&systems);
}

/* Does not wait: nobody else is told about these recipients. */
static void settle(struct queue_entry *entry, struct run run, const struct outcome *as)
{
	struct outcome outcome = *as;
	outcome.index = run.first;
	outcome_assume(entry, &outcome, run.count);
	if (as->state == RECIPIENT_DONE)
		finish_if_done(entry);
	else if (entry->owner == NULL)
		waiting_retry(entry);
	else
		((struct message *)entry->owner)->retry_soon = true;
}

static void flush(void *arg)
{
	*(int *)arg = file_systems_flush(&systems);
}

static void settle_all(const struct outcome *as)
{
	struct span rest = buf_span(&written);
	while (rest.len > 0 && !qmgr.stopping) {
		struct run run;
		struct span id = span_head(rest, span_find_char(rest, '\0'));
		memcpy(&run, id.ptr + id.len + 1, sizeof run);
		rest = span_skip(rest, id.len + 1 + sizeof run);
		struct queue_entry *entry = queue_index_get(&qmgr.index, id);
		if (entry != NULL && !(entry->flags & ENTRY_DEAD))
			settle(entry, run, as);
	}
}

/* The disks may be slow: mail flows meanwhile. */
void settle_run(void)
{
	static const struct outcome done = {.state = RECIPIENT_DONE};
	const struct outcome again = {.state = RECIPIENT_DEFERRED, .dsn = SPAN("4.3.0"),
		.text = SPAN("not known to be durable"), .remote_mta = SPAN_EMPTY,
		.diagnostic = SPAN_EMPTY};
	int error = 0;
	if (written.len == 0)
		return;
	task_offload(flush, &error);
	if (error < 0)
		log_warning(NULL,
			"cannot tell whether recent deliveries are on disk (%s): they are repeated",
			error == -ENOTSUP ? "not every file system can be flushed from here"
					  : strerror(-error));
	settle_all(error < 0 ? &again : &done);
	buf_done(&written);
	file_systems_close(&systems);
}
