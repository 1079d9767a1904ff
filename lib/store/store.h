/* One user's mail: a Maildir++ tree (root = INBOX, ".A.B" = folder A/B) and its index. The Maildir
 * is the truth, the index only a cache (tambo-maildir(5)). Several processes of the same uid may
 * have the same store open, and other programs may change the Maildir at any time.
 *
 * Mailbox names here are IMAP's: modified UTF-7 (RFC 3501 5.1.3), hierarchy separator '/', no
 * prefix; a first component that is "inbox" in any case means INBOX. On disk '.' separates, and a
 * '.' inside a component is written "&AC4-". No name leads out of the root.
 *
 * Functions may wait (file locks, flushes in the thread pool) when called in a task; outside of a
 * task they block. Errors are -errno; -EINVAL: the name is not valid; -ENOENT: no such mailbox;
 * -EEXIST; -EPERM: not allowed for this mailbox (INBOX, for example); -EDQUOT and -ENOSPC: disk;
 * -ETIMEDOUT: a lock is held for longer than 30 s; -E2BIG: too many mailboxes or too deep.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_STORE_H
#define TAMBO_STORE_STORE_H

#include "base/arena.h"
#include "base/buf.h"

#define STORE_SEPARATOR '/'
#define STORE_NAME_MAX 240      /* bytes of a mailbox name on disk */
#define STORE_DEPTH_MAX 32      /* levels */
#define STORE_MAILBOXES_MAX 10000
#define STORE_KEYWORDS_MAX 1000 /* keywords of one mailbox */
#define STORE_KEYWORD_LEN 200   /* bytes of one keyword */

struct store;

enum store_open_flag {
	STORE_CREATE = 1, /* make root, cur, new, tmp (0700) when cur is missing; otherwise -ENOENT */
	STORE_REPAIR = 3, /* and new and tmp when they alone are missing */
};

/* root: absolute path of the Maildir. The same root opened twice in one process gives the same
 * store (counted). Cheap: nothing is scanned. */
int store_open(const char *root, unsigned flags, struct store **ret_store);
/* One more reference to an open store, without a look at the disk. */
struct store *store_share(struct store *store);
void store_close(struct store *store); /* NULL is allowed */

/* For processes that open the same stores again and again: it stays open after its last
 * store_close, until STORE_KEPT_MAX others were used later. */
#define STORE_KEPT_MAX 32
void store_keep(struct store *store);
/* A reference to the store that is kept for root, or NULL; also when another folder stands there
 * now (noticed within a second). */
struct store *store_kept(const char *root);
/* After a failure: the next store_open makes again what may be missing. */
void store_forget(const char *root);
const char *store_root(const struct store *store);
uint64_t store_device(const struct store *store); /* the file system of the root */

enum store_entry_flag {
	STORE_EXISTS = 1,       /* a mailbox that can be selected; otherwise \NonExistent \Noselect */
	STORE_HAS_CHILDREN = 2,
	STORE_SUBSCRIBED = 4,
	STORE_CHILD_SUBSCRIBED = 8, /* some mailbox below it is subscribed */
};

enum store_use { STORE_USE_NONE, STORE_USE_DRAFTS, STORE_USE_SENT, STORE_USE_TRASH, STORE_USE_JUNK,
	STORE_USE_ARCHIVE };

struct store_entry {
	struct span name; /* as IMAP has it */
	uint32_t flags;   /* enum store_entry_flag */
	enum store_use use;
};

/* All mailboxes, parents that exist only through their children, and subscribed names that do not
 * exist (STORE_SUBSCRIBED without STORE_EXISTS); sorted by name with INBOX first. The array and
 * names live in arena. */
int store_list(struct store *store, struct arena *arena, struct store_entry **ret_entries,
	size_t *ret_count);
/* "\\Drafts" ... or NULL for STORE_USE_NONE. */
const char *store_use_name(enum store_use use);
/* 0, or -ENOENT, -EINVAL. */
int store_exists(struct store *store, struct span name);

/* A trailing separator is ignored, missing parents need not exist. */
int store_create(struct store *store, struct span name);
/* Deletes messages too. -EPERM for INBOX. Children stay. */
int store_delete(struct store *store, struct span name);
/* Children move along, UIDs and UIDVALIDITY are kept, subscriptions stay as they are (RFC 3501
 * 6.3.9). INBOX: its messages move to the new mailbox, INBOX stays, empty. */
int store_rename(struct store *store, struct span from, struct span to);
/* The name need not exist. Durable when it returns. */
int store_subscribe(struct store *store, struct span name, bool on);

/* Is this a name that could be created? Writes its canonical form ("inbox" becomes "INBOX", a
 * trailing separator goes) to ret_name. Pure. */
bool store_name_check(struct span name, struct buf *ret_name);

struct mailbox_status {
	uint32_t exists, recent, unseen, deleted;
	uint32_t uidvalidity, uidnext;
	uint64_t highestmodseq;
	uint64_t size;       /* sum of RFC822.SIZE; see size_known */
	bool size_known;     /* false: some message of a foreign program was never measured */
};

/* STATUS without opening messages: from the index when that agrees with the folders' mtimes,
 * otherwise after a scan. */
int store_status(struct store *store, struct span name, struct mailbox_status *ret_status);

#endif
