/* The bytes of one message as IMAP sends them (CRLF line ends), from a file that may have LF: any
 * range, read and sent in pieces, so that the size of a message costs time and not memory.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAPD_CONTENT_H
#define TAMBO_IMAPD_CONTENT_H

#include "imap/fetch.h"
#include "imapd/session.h"

struct content {
	struct session *session;
	uint32_t uid;
	int fd; /* -1: not opened yet */
	uint64_t file_size;
	struct buf parts; /* struct message_part one after the other; empty: not asked yet */
};

void content_init(struct content *content, struct session *session, uint32_t uid);
void content_done(struct content *content);

/* Makes sure that the file is open, or that the parts are known. 0 or -errno; -ENOENT: it is gone.
 */
int content_open(struct content *content);
int content_load_parts(struct content *content);
size_t content_part_count(const struct content *content);
struct message_part content_part(const struct content *content, size_t index);

/* The range of wire bytes that a section names (header names not considered): false when the
 * message has no such part. content_load_parts has been called. */
bool content_section(const struct content *content, const struct imap_section *section,
	uint64_t *ret_start, uint64_t *ret_end);

/* Sends, or appends to out, wire bytes [start, end). 0 or -errno; -EIO: the file ended early. */
int content_send(struct content *content, uint64_t start, uint64_t end);
int content_read(struct content *content, uint64_t start, uint64_t end, struct buf *out);

#endif
