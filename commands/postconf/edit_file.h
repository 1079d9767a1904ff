/* Changing main.cf and master.cf entry by entry: comments and everything else stay as they are. The
 * new file is written aside, under a lock, flushed, and renamed into place.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_COMMANDS_POSTCONF_EDIT_FILE_H
#define TAMBO_COMMANDS_POSTCONF_EDIT_FILE_H

#include "base/buf.h"

struct edit {
	char *key;    /* "name" or "service/type" */
	char *text;   /* what stands there now, without a newline; NULL: nothing, or see comment */
	bool comment; /* put '#' in front of its lines */
	bool append;  /* at the end of the file when the key does not occur */
	unsigned hits;
};

struct edit_list {
	struct edit *edits;
	size_t count;
	/* The key of the first line of an entry: appended to out; false: it has none. */
	bool (*get_key)(struct span line, struct buf *out);
	const char *path; /* of the file */
};

/* Reads, changes and replaces list->path. Ends the process with a message when that fails. */
void edit_file(struct edit_list *list);
void edit_list_done(struct edit_list *list);
struct edit *edit_list_add(struct edit_list *list);

#endif
