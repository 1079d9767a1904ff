/* The list of messages of a mailbox that was closed is kept for the next time it is opened, so that
 * only what changed since is read from the index; a second session copies that of the first.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/memory.h"
#include "store/mailbox_private.h"

/* In all lists that are kept, 48 bytes each. Below the least, reading costs nothing. */
#define KEPT_MAX (200 * 1000)
#define KEPT_LEAST 64

struct view_spare {
	uint32_t id, uidvalidity, uidnext;
	uint64_t generation, modseq, sum;
	struct message *messages;
	size_t count, room, seen_below;
	struct table keyword_sets;
};

static size_t kept;

void view_spare_free(struct folder *folder)
{
	struct view_spare *spare = folder->spare;
	if (spare == NULL)
		return;
	kept -= spare->count;
	free(spare->messages);
	table_done(&spare->keyword_sets, free);
	free(spare);
	folder->spare = NULL;
}

/* What was this session's alone goes. False: \Recent that nobody has taken, the next one reads it
 * anew. */
static bool forget_session(struct message *message)
{
	if ((message->flags & MESSAGE_RECENT) != 0 && !message->claimed)
		return false;
	message->flags &= ~(uint32_t)MESSAGE_RECENT;
	message->claimed = message->pending = false;
	return true;
}

void view_spare_give(struct mailbox *mailbox)
{
	struct folder *folder = mailbox->folder;
	size_t count = 0;
	view_spare_free(folder);
	if (mailbox->generation == 0 || mailbox->has_gaps || mailbox->count < KEPT_LEAST ||
		folder->store == NULL || kept + mailbox->count > KEPT_MAX)
		return;
	for (size_t i = 0; mailbox->has_own && i < mailbox->count; i++) {
		if (mailbox->messages[i].expunged)
			continue;
		if (!forget_session(&mailbox->messages[i]))
			return;
		mailbox->messages[count++] = mailbox->messages[i];
	}
	if (!mailbox->has_own)
		count = mailbox->count;
	size_t seen_below = count == mailbox->count ? mailbox->seen_below : 0;
	struct view_spare *spare = NEW(struct view_spare);
	*spare = (struct view_spare){.id = mailbox->id, .uidvalidity = mailbox->uidvalidity,
		.uidnext = mailbox->uidnext, .generation = mailbox->generation,
		.modseq = mailbox->modseq, .sum = mailbox->sum, .messages = mailbox->messages,
		.count = count, .room = mailbox->room, .seen_below = seen_below,
		.keyword_sets = mailbox->keyword_sets};
	mailbox->messages = NULL;
	mailbox->count = mailbox->room = mailbox->told = 0;
	table_init(&mailbox->keyword_sets);
	folder->spare = spare;
	kept += count;
}

static bool copy_messages(struct mailbox *mailbox, const struct mailbox *other)
{
	struct message *messages = memory_zalloc(other->count, sizeof(*messages));
	size_t count = 0;
	for (size_t i = 0; i < other->count; i++) {
		if (other->messages[i].expunged)
			continue;
		struct message *message = &messages[count++];
		*message = other->messages[i];
		message->keywords = view_keywords(mailbox, message->keywords, message->keyword_count);
		if (forget_session(message))
			continue;
		free(messages);
		return false;
	}
	mailbox->messages = messages;
	mailbox->room = other->count;
	mailbox->count = count;
	return true;
}

static void copy_other(struct mailbox *mailbox)
{
	LIST_FOREACH(node, &mailbox->folder->views) {
		const struct mailbox *other = LIST_ENTRY(node, struct mailbox, folder_node);
		if (other == mailbox || other->generation == 0 || other->has_gaps ||
			other->count < KEPT_LEAST || other->uidvalidity != mailbox->uidvalidity)
			continue;
		if (!copy_messages(mailbox, other))
			return;
		mailbox->id = other->id;
		mailbox->uidnext = other->uidnext;
		mailbox->generation = other->generation;
		mailbox->modseq = other->modseq;
		mailbox->sum = other->sum;
		view_copy_keywords(mailbox);
		return;
	}
}

void view_spare_take(struct mailbox *mailbox)
{
	struct view_spare *spare = mailbox->folder->spare;
	if (spare == NULL || spare->uidvalidity != mailbox->uidvalidity) {
		copy_other(mailbox);
		return;
	}
	mailbox->id = spare->id;
	mailbox->uidnext = spare->uidnext;
	mailbox->generation = spare->generation;
	mailbox->modseq = spare->modseq;
	mailbox->sum = spare->sum;
	mailbox->messages = spare->messages;
	mailbox->count = spare->count;
	mailbox->room = spare->room;
	mailbox->seen_below = spare->seen_below;
	table_done(&mailbox->keyword_sets, free);
	mailbox->keyword_sets = spare->keyword_sets;
	view_copy_keywords(mailbox);
	spare->messages = NULL;
	table_init(&spare->keyword_sets);
	view_spare_free(mailbox->folder);
}
