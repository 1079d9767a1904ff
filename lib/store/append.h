/* Putting a message into a mailbox: IMAP APPEND, and delivery by `local`. The file is written under
 * tmp/, gets its UID, and appears under its final name in one rename.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_APPEND_H
#define TAMBO_STORE_APPEND_H

#include "store/store.h"

struct append;

enum append_durability {
	APPEND_DURABLE,    /* file and folder are flushed before append_commit returns */
	APPEND_CHECKPOINT, /* written, not flushed: the caller does syncfs before it counts on it */
};

struct append_options {
	uint32_t flags;              /* enum message_flag, system flags */
	const struct span *keywords;
	size_t keyword_count;
	int64_t internaldate;        /* seconds; INT64_MIN: now */
	/* Delivery: begin of the file name (store/filename.h), the same for each attempt, so that a
	 * message that is there already is recognised. Empty: a fresh unique name. */
	struct span base;
	bool is_delivery;            /* goes to new/, \Recent */
	/* Wall clock, ms: when the first attempt with that base was begun, which is this one: what an
	 * earlier one left is not looked for. 0: there may have been others. */
	int64_t first_ms;
	enum append_durability durability;
};

struct append_result {
	uint32_t uidvalidity, uid;
	bool duplicate; /* a message with that base was there: nothing was added */
};

/* -ENOENT: no such mailbox. -EEXIST cannot happen. The options' spans must live until the end. */
int append_begin(struct store *store, struct span mailbox, const struct append_options *options,
	struct append **ret_append);
/* Message bytes with CRLF or LF line ends; stored with LF. May be called many times. After an error
 * only append_abort makes sense. */
int append_write(struct append *append, struct span bytes);
/* The rest of the message: size bytes of a file, from offset on. They are read, written and
 * parsed in one job of the pool: handing each piece from thread to thread costs more than copying
 * it. Nothing may be written afterwards. -EIO: the file is shorter. */
int append_fill(struct append *append, int fd, uint64_t offset, uint64_t size);
/* Frees append, whatever it returns. -ENOSPC, -EDQUOT ...: nothing was added. */
int append_commit(struct append *append_take, struct append_result *ret_result);
/* As append_commit for several messages of one mailbox: all or none (MULTIAPPEND). */
int append_commit_all(
	struct append **appends_take, size_t count, struct append_result *ret_results);
void append_abort(struct append *append); /* NULL is allowed */

#endif
