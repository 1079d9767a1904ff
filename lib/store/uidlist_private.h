/* The files in which Dovecot and Courier keep UIDs, keywords and POP3 UIDLs, for the takeover of
 * their Maildirs. Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_UIDLIST_PRIVATE_H
#define TAMBO_STORE_UIDLIST_PRIVATE_H

#include "base/buf.h"

#define UIDLIST_SIZE_MAX (256UL * 1024 * 1024)

struct uidlist_head {
	uint32_t uidvalidity, uidnext; /* uidnext: at least one above the greatest UID of the list */
};

struct uidlist_entry {
	uint32_t uid;
	struct span name;  /* file name, perhaps with flags */
	struct span uidl;  /* POP3 UIDL, empty: none of its own */
};

/* dovecot-uidlist version 3 ("3 V.. N.. G..", "uid [Kvalue ...] :name") or version 1, which is also
 * Courier's courierimapuiddb ("1 uidvalidity uidnext", "uid name"). Lines that make no sense are
 * passed over. False: the header is none. visit may be NULL. */
bool uidlist_parse(struct span text, void (*visit)(const struct uidlist_entry *entry, void *arg),
	void *arg, struct uidlist_head *ret_head);
/* courierpop3dsizelist "/2" and "/3": name and UIDL of each message; uid is 0. */
bool uidlist_parse_courier_pop3(struct span text,
	void (*visit)(const struct uidlist_entry *entry, void *arg), void *arg);
/* dovecot-keywords: "number name" lines. */
void uidlist_parse_keywords(struct span text,
	void (*visit)(size_t number, struct span name, void *arg), void *arg);
/* courierimapkeywords/:list: names, an empty line, "name:number number". Bits of the first 26. */
void uidlist_parse_courier_keywords(struct span text,
	void (*keyword)(size_t number, struct span name, void *arg),
	void (*message)(struct span name, uint32_t keywords, void *arg), void *arg);

#endif
