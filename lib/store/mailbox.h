/* A session's view of one mailbox: a list of messages that changes only when the session asks for
 * it (mailbox_refresh), however many sessions, processes and programs work on the Maildir. Sequence
 * numbers are positions in that list plus one.
 *
 * Functions that take an array of UIDs want them ascending; UIDs that are not there are passed over
 * (RFC 3501 6.4.8). Those that write take the mailbox's file lock in pieces of some hundred
 * messages and yield in between, so one big command does not stop the others. Errors as in
 * store/store.h; -ESTALE: the mailbox was deleted, or got a new UIDVALIDITY: close the view and
 * tell the client; -EROFS: the view was opened read only.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_MAILBOX_H
#define TAMBO_STORE_MAILBOX_H

#include "store/store.h"

struct mailbox;

enum message_flag {
	MESSAGE_SEEN = 1,
	MESSAGE_ANSWERED = 2,
	MESSAGE_FLAGGED = 4,
	MESSAGE_DELETED = 8,
	MESSAGE_DRAFT = 16,
	MESSAGE_RECENT = 32, /* cannot be stored; the first session that selects read-write gets it */
};
#define MESSAGE_FLAGS_SYSTEM 31

struct message {
	uint32_t uid;
	uint32_t flags;             /* enum message_flag */
	uint64_t modseq;
	int64_t internaldate;       /* seconds since the epoch */
	uint64_t size;              /* RFC822.SIZE, or UINT64_MAX: ask mailbox_message_size */
	const uint16_t *keywords;   /* ascending numbers for mailbox_keyword */
	uint16_t keyword_count;
	bool expunged;              /* gone from the Maildir, not yet reported to this session */
	bool pending, claimed;      /* the store's: changed and not yet reported; \Recent is ours */
};

enum mailbox_open_flag {
	MAILBOX_READ_ONLY = 1,  /* EXAMINE: \Recent is not taken, nothing can be stored */
	MAILBOX_POP3 = 2,       /* takes the mailbox's POP3 lock until close, or answers -EBUSY */
};

/* Scans the Maildir first when it is not as the index has it. */
int mailbox_open(
	struct store *store, struct span name, unsigned flags, struct mailbox **ret_mailbox);
void mailbox_close(struct mailbox *mailbox); /* NULL is allowed */
struct span mailbox_name(const struct mailbox *mailbox);
bool mailbox_is_read_only(const struct mailbox *mailbox);
uint32_t mailbox_uidvalidity(const struct mailbox *mailbox);
uint32_t mailbox_uidnext(const struct mailbox *mailbox);          /* as of the last refresh */
uint64_t mailbox_highestmodseq(const struct mailbox *mailbox);    /* as of the last refresh */
size_t mailbox_recent(const struct mailbox *mailbox);             /* messages with \Recent */

/* The view. A message pointer is valid until the next mailbox_refresh or writing call. */
size_t mailbox_count(const struct mailbox *mailbox);
const struct message *mailbox_at(const struct mailbox *mailbox, size_t index);
/* Index of the first message without \Seen; mailbox_count when there is none. */
size_t mailbox_first_unseen(struct mailbox *mailbox);
/* Index of the first message with this UID or a greater one; mailbox_count when there is none. */
size_t mailbox_find(const struct mailbox *mailbox, uint32_t uid);

/* The keywords of this mailbox; numbers never change their meaning while the view is open. A number
 * that is not in use has the empty name. */
size_t mailbox_keyword_count(const struct mailbox *mailbox);
struct span mailbox_keyword(const struct mailbox *mailbox, size_t number);
/* Number of a keyword (case-insensitive), or SIZE_MAX. */
size_t mailbox_keyword_find(const struct mailbox *mailbox, struct span name);
bool message_has_keyword(const struct message *message, size_t number);

struct mailbox_changes {
	/* Sequence numbers to report as EXPUNGE, in this order: each is right at its moment. */
	uint32_t *expunged;
	uint32_t *expunged_uids; /* the same messages' UIDs */
	size_t expunged_count;
	/* Indexes (after the expunges) of messages whose flags, keywords or modseq changed. */
	uint32_t *changed;
	size_t changed_count;
	size_t first_new;       /* index of the first new message; mailbox_count when none is new */
	bool exists_changed;    /* EXISTS (and RECENT) must be told */
	bool recent_changed;
	bool keywords_changed;  /* new keywords exist: FLAGS and PERMANENTFLAGS must be told */
};

/* Brings the view up to date with the Maildir. allow_expunge false: messages that went away stay in
 * the list (expunged set) until a later refresh may report them (RFC 3501 7.4.1). *ret_changes
 * lives in the mailbox until the next refresh. Changes made through this very view by mailbox_store
 * and so on are in the view at once and are reported as `changed` too unless silent
 * was asked for. */
int mailbox_refresh(struct mailbox *mailbox, bool allow_expunge,
	const struct mailbox_changes **ret_changes);
/* A descriptor that becomes readable when mailbox_refresh would probably find something
 * (deliveries, other sessions, other programs): for task_wait_two in IDLE. Owned by the mailbox;
 * mailbox_refresh clears it. Watching begins with the first call, and the descriptor is readable
 * then. -errno when there is none to be had: then ask every few seconds. */
int mailbox_event_fd(struct mailbox *mailbox);

enum store_operation { STORE_SET, STORE_ADD, STORE_REMOVE };

struct store_request {
	const uint32_t *uids;
	size_t uid_count;
	enum store_operation operation;
	uint32_t flags;               /* MESSAGE_FLAGS_SYSTEM only */
	const struct span *keywords;  /* names, need not exist yet */
	size_t keyword_count;
	bool has_unchanged_since;     /* CONDSTORE */
	uint64_t unchanged_since;
	bool silent;                  /* not to be reported to this view as `changed` */
};

/* Changes flags: the names of files and, beyond 26 keywords, tambo-keywords. Safe against the death
 * of any process; a power cut may take back the last seconds. ret_modified (may be NULL): gets the
 * UIDs, as uint32_t one after the other, that failed unchanged_since. -E2BIG: too many keywords,
 * nothing was changed. Afterwards the view has the new flags and modseqs. */
int mailbox_store(struct mailbox *mailbox, const struct store_request *request,
	struct buf *ret_modified);
/* Removes those of the messages that carry \Deleted (only_deleted), or all of them (POP3 QUIT).
 * They are reported by the next mailbox_refresh. Durable. *ret_count: how many went;
 * may be NULL. */
int mailbox_expunge(struct mailbox *mailbox, const uint32_t *uids, size_t uid_count,
	bool only_deleted, size_t *ret_count);

struct copy_result {
	uint32_t uidvalidity;        /* of the destination */
	uint32_t *source_uids, *uids; /* pairs, ascending in source_uids; free() both */
	size_t count;
};
void copy_result_done(struct copy_result *result);
/* All or nothing for copy: on an error no message is left in the destination. Durable. -ENOENT: no
 * such destination (answer TRYCREATE). Flags, keywords and internal date go along. move: the
 * messages are gone from here afterwards (reported by the next refresh); on an error those in
 * *ret_result have moved and the rest has not. */
int mailbox_copy(struct mailbox *mailbox, const uint32_t *uids, size_t uid_count, struct span to,
	bool move, struct copy_result *ret_result);

/* --- content --- */

/* RFC822.SIZE, measured (in the thread pool) when not yet known. */
int mailbox_message_size(struct mailbox *mailbox, uint32_t uid, uint64_t *ret_size);
/* An open file of the message: descriptor or -errno; -ENOENT: it is gone. *ret_size: bytes of the
 * file, or NULL. The file may have LF or CRLF line ends, or both: what IMAP and POP3 send has CRLF
 * (store/content.h). */
int mailbox_message_open(struct mailbox *mailbox, uint32_t uid, uint64_t *ret_size);

enum message_cache {
	CACHE_ENVELOPE,      /* "(...)" of RFC 3501 ENVELOPE */
	CACHE_BODYSTRUCTURE, /* "(...)" */
	CACHE_BODY,          /* "(...)", without extension data */
	CACHE_HEADERS, /* the fields of message_cache_has_header, whole, CRLF, original order and
			  case */
	CACHE_PARTS,   /* struct message_part one after the other */
	CACHE_PREVIEW, /* at most 256 characters of UTF-8 text (RFC 8970) */
	CACHE_KINDS,
};

/* Where a part stands, as bytes of the message with CRLF line ends. Parts are in depth-first order;
 * the first is the message itself. */
struct message_part {
	uint64_t header_offset, body_offset, end_offset;
	uint32_t lines;          /* of the body */
	uint32_t parent;         /* index of the enclosing part; the first has itself */
	uint32_t number;         /* position among its siblings, from 1 */
	uint32_t kind;           /* enum message_part_kind */
};
enum message_part_kind { PART_LEAF, PART_MULTIPART, PART_MESSAGE /* message/rfc822 */ };

/* Appends what the index holds, ready to send; parses the message and fills the index when it is
 * not there yet. -ENOENT: the message is gone. */
int mailbox_message_cache(struct mailbox *mailbox, uint32_t uid, enum message_cache kind,
	struct buf *out);
/* Is this header field (any case) among those of CACHE_HEADERS? */
bool message_cache_has_header(struct span field_name);

/* Appends the POP3 unique id: what the message had under Dovecot or Courier, or UID and UIDVALIDITY
 * as 16 hexadecimal digits. Never changes for a message; 1 to 70 characters 33-126. */
int mailbox_message_uidl(struct mailbox *mailbox, uint32_t uid, struct buf *out);

#endif
