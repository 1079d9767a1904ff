/* Reading new/ and cur/ and bringing the index into line with them.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_SCAN_PRIVATE_H
#define TAMBO_STORE_SCAN_PRIVATE_H

#include "base/arena.h"
#include "store/filename.h"
#include "store/folder_private.h"

/* A file found. */
struct found {
	struct span name;
	struct filename parsed;
	bool in_new;
	bool has_stat;
	bool is_new_message; /* gets a UID and a new name */
	uint32_t uid;        /* what it has, or will have */
	int64_t mtime, size; /* with has_stat */
	struct span new_name;
	int error;           /* of its rename */
};

struct listing {
	struct arena arena;
	struct found *items;
	size_t count, room;
	int64_t new_mtime, cur_mtime; /* before reading; 0: too fresh to be trusted */
};

void listing_init(struct listing *listing);
void listing_done(struct listing *listing);
/* Reads both folders in the thread pool. */
int listing_read(struct folder *folder, struct listing *listing);

/* What messages had under another server, by unique name. */
struct inherited {
	struct table uids;     /* values: (void *)(uintptr_t)uid */
	struct table keywords; /* values: (void *)(uintptr_t)bits of the first 26 */
	struct table uidls;    /* values: char *, POP3 */
};

/* Folder locked, record valid. inherited may be NULL. */
int scan_folder(struct folder *folder, const struct inherited *inherited);

#endif
