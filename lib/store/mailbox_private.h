/* Inside of a view.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_MAILBOX_PRIVATE_H
#define TAMBO_STORE_MAILBOX_PRIVATE_H

#include "store/folder_private.h"
#include "store/mailbox.h"

struct mailbox {
	struct store *store;
	struct folder *folder;
	struct list_node folder_node;
	struct buf name;
	bool read_only, is_pop3;
	int pop3_lock_fd;
	uint32_t id, uidvalidity, uidnext;
	uint64_t generation, modseq, floor;
	uint64_t sum; /* as in the index: of index_row_sum of the messages that are not expunged */
	struct message *messages;
	size_t count, room;
	size_t told; /* the session knows the first so many; the others wait for the next refresh */
	struct table keyword_sets; /* bytes of the numbers -> struct keyword_set */
	char **keywords;           /* as of the last refresh; NULL where a number is unused */
	size_t keyword_count;
	size_t told_keywords;
	int event_fd;
	size_t touched_from, touched_end; /* of these something may have to be reported; 0, 0: none */
	size_t seen_below; /* the first so many are \Seen */
	bool keywords_behind; /* a message has a keyword whose name is not known here */
	bool recent_changed;
	bool has_gaps; /* a message could not be shown: no other session may take this list */
	bool has_own; /* a message may be pending, expunged, claimed or \Recent */
	/* results of the last refresh */
	struct mailbox_changes changes;
	struct buf expunged, expunged_uids, changed;
	bool uidls_loaded;
	struct table uidls;
};

/* Wakes whoever waits for event_fd. */
void mailbox_signal(struct mailbox *mailbox);
/* As mailbox_find, among all messages, also those not yet told. */
size_t view_find(const struct mailbox *mailbox, uint32_t uid);
/* Something of the message at this place may have to be reported. */
void view_touch(struct mailbox *mailbox, size_t at);
/* The message at this place is gone. */
void view_expunge(struct mailbox *mailbox, size_t at);
/* Takes a row into the view: a changed or a new message. */
void view_put_row(struct mailbox *mailbox, const struct index_row *row, bool pending);
/* Interns an ascending set of keyword numbers. */
const uint16_t *view_keywords(struct mailbox *mailbox, const uint16_t *keywords, size_t count);
/* Reads everything new from the index (view_load.c). */
int view_load(struct mailbox *mailbox);
/* The view begins with what is in memory of this mailbox; what changed since is for view_load. */
void view_spare_take(struct mailbox *mailbox);
/* The view ends: its list is kept for the next one. */
void view_spare_give(struct mailbox *mailbox);
/* Moves \Recent messages to cur/ and makes them this session's. */
int view_take_recent(struct mailbox *mailbox);
/* The record's keywords into the view. */
void view_copy_keywords(struct mailbox *mailbox);
struct change;
/* Messages that the index did not find: -EIO, and the index is dropped, when the view has them
 * still after it was brought up to date. Not locked. */
int mailbox_check_missing(struct mailbox *mailbox, const struct change *changes, size_t count);
int mailbox_check_writable(const struct mailbox *mailbox);
/* The row of a message, its name copied into *name; -ENOENT. */
int mailbox_get_row(struct mailbox *mailbox, uint32_t uid, struct index_row *ret_row,
	struct buf *name);

#endif
