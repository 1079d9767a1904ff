/* A message under way into a mailbox, and the short way of a delivery.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_APPEND_PRIVATE_H
#define TAMBO_STORE_APPEND_PRIVATE_H

#include "store/append.h"
#include "store/content.h"
#include "store/folder_private.h"

struct append {
	struct folder *folder;
	const struct append_options *options;
	char tmp_path[300]; /* empty: it has no name, or its own already */
	int fd;
	int error;
	struct content_state to_lf, to_crlf;
	uint64_t size, crlf_size;
	int64_t internaldate; /* the file's mtime, once it is finished */
	struct buf text;    /* not yet in the file */
	bool is_spilled;    /* the file has bytes that text has not */
	bool is_ended;      /* all of it is in the file, measured and parsed */
	bool is_in_pool;
	bool has_buffer;    /* text is one of the buffers of append_file.c */
	struct buf cache;   /* what the index gets */
	struct buf name;    /* final file name */
	uint32_t uid;
	bool is_nameless;   /* see append_open.c */
	bool is_renamed, is_duplicate;
};

/* As much of a message is gathered before it is written. */
#define APPEND_PIECE 65536

/* A new file, mostly without a name: append_rename gives it its own in one step. */
int append_open_file(struct append *append);
/* Gives it one in tmp/, unless it has one. */
int append_name_file(struct append *append);
void append_unique_name(struct buf *out);

/* Everything that can be done to the file before the mailbox is locked. */
int append_finish_file(struct append *append);
void append_drop_text(struct append *append);

/* Makes append->name from append->uid. */
void append_make_name(struct append *append, uint32_t uidvalidity, const uint16_t *keywords,
	size_t keyword_count);
int append_rename(struct append *append);

/* Puts a first delivery whose file is finished among the mailbox's arrivals. 1: not possible now,
 * nothing was done; 0, or -errno: nothing was added. */
int append_arrival(struct append *append, struct append_result *ret_result);

#endif
