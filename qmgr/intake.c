/* cleanup tells of new mail. Each message is read from the journal where cleanup says it is; what
 * was not told (cleanup or this process died in between) is found by scanning what lies before it.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "qmgr/qmgr.h"

static struct task_lock scanning;
static bool lock_ready;

static void added(void *arg, struct queue_entry *entry)
{
	(void)arg;
	/* A copy may be of a message that an earlier process had begun on. */
	if (!(entry->envelope_flags & QUEUE_COPIED))
		entry->flags |= ENTRY_FRESH;
	waiting_add(entry);
}

int intake_scan(uint64_t segment, uint64_t until)
{
	if (!lock_ready)
		task_lock_init(&scanning);
	lock_ready = true;
	int error = task_lock_take(&scanning, TASK_FOREVER);
	if (error < 0)
		return error;
	uint64_t known_end = queue_index_segment(&qmgr.index, segment)->known_end;
	if (until == 0 || until > known_end)
		error = queue_index_scan(&qmgr.index, qmgr.reader, segment, until, added, NULL);
	task_lock_release(&scanning);
	corrupt_keep_places();
	if (error < 0)
		log_warning(NULL, "cannot read segment %llu of the journal: %s",
			(unsigned long long)segment, strerror(-error));
	return error < 0 ? error : 0;
}

void intake_serve(struct channel *channel)
{
	struct peer_task self;
	int error = 0;
	peer_task_begin(&self);
	while (error == 0 && !qmgr.stopping) {
		struct queue_added *told;
		error = channel_expect(channel, &queue_added_type, TASK_FOREVER, (void **)&told);
		if (error == 0)
			(void)intake_scan(told->segment, told->queue_id.len == 0 ? 0
				: told->offset + told->length);
	}
	if (error != 0 && error != -EPIPE && error != -ECANCELED)
		log_warning(NULL, "cleanup's channel failed: %s", strerror(-error));
	peer_task_end(&self);
	channel_free(channel);
}
