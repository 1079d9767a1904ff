/* Changing rows together with the names of their files: flags, keywords, new/ to cur/. The folder
 * is locked.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_CHANGE_PRIVATE_H
#define TAMBO_STORE_CHANGE_PRIVATE_H

#include "base/arena.h"
#include "store/folder_private.h"

#define CHANGE_PIECE 500

struct change {
	uint32_t uid;
	bool found;            /* change_load: there is such a row */
	bool refused;          /* set by the caller: found, and not to be changed */
	bool wanted;           /* set by the caller: row differs from old */
	bool touch;            /* counts as a modification (modseq) */
	bool log_keywords;     /* write its line of tambo-keywords */
	struct index_row old;  /* as loaded; name and keywords in the arena */
	struct index_row row;  /* what it is to become; its name is made by change_apply */
};

/* Loads the rows of changes[].uid. */
int change_load(struct folder *folder, struct arena *arena, struct change *changes, size_t count,
	struct index_folder *ret_folder);
/* Renames files, then writes rows. A file that another program moved is found again; one that is
 * gone is left to the next scan. row->modseq is set for touched rows. */
int change_apply(struct folder *folder, struct arena *arena, struct change *changes, size_t count);
/* Gives numbers to keyword names, creating and saving new ones. numbers: room for count. -E2BIG. */
int change_keywords(struct folder *folder, const struct span *names, size_t count, bool create,
	uint16_t *numbers, size_t *ret_count);
/* The 26 that stand in a file name, as bits. */
uint32_t change_letters(const uint16_t *keywords, size_t count);
bool change_has_more(const uint16_t *keywords, size_t count); /* any beyond the alphabet */

#endif
