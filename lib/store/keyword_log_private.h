/* tambo-keywords: which messages have keywords beyond the 26 that a file name can carry. Lines
 * "UID name name ...", the last one for a UID counts; a torn or foreign line is passed over.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_KEYWORD_LOG_PRIVATE_H
#define TAMBO_STORE_KEYWORD_LOG_PRIVATE_H

#include "store/folder_private.h"

#define KEYWORD_LOG_FILE "tambo-keywords"
#define KEYWORD_LOG_MAX (64 * 1024 * 1024)

struct keyword_log {
	struct buf text;
	struct table lines; /* 4 bytes of UID -> offset in text plus one */
};

void keyword_log_init(struct keyword_log *log);
void keyword_log_done(struct keyword_log *log);
/* A missing file is an empty log. 0 or -errno. */
int keyword_log_load(int dir_fd, struct keyword_log *log);
/* Pure: takes the text over. */
void keyword_log_parse(struct keyword_log *log);
/* Numbers (26 and up) of the keywords of a UID, ascending; names the record does not know are
 * passed over. out has room for STORE_KEYWORDS_MAX. */
size_t keyword_log_get(const struct keyword_log *log, const struct record *record, uint32_t uid,
	uint16_t *out);
/* Appends a line to text. */
void keyword_log_format(const struct record *record, uint32_t uid, const uint16_t *keywords,
	size_t count, struct buf *text);

/* Folder locked. Appends lines; rewrites the file from the index when it has grown much. */
int keyword_log_append(struct folder *folder, struct span lines);

#endif
