/* The framing of everything the queue writes: records with epoch and checksum. Pure: no I/O. Torn
 * or foreign bytes are refused, never trusted.
 *
 * A record, little endian, begins at a multiple of 8:
 *   u32 magic, u16 type, u16 zero, u32 length of the body, u32 length of its head (<= length),
 *   u64 epoch, u32 CRC-32C of the rest of the body, u32 CRC-32C of the 28 bytes before and the
 *   head; then the body (head, rest) and zeros up to the next multiple of 8.
 * epoch is a random number of the file; bytes that an earlier life of the file left do not match
 * it. In a message the head is the envelope and the rest is the content.
 *
 * INVARIANT: content is stored with LF line ends and ends with an LF (unless it is empty). Sizes
 * are counted so. smtp makes CRLF of LF while it doubles dots; a Maildir file is the content as it
 * stands.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_RECORD_H
#define TAMBO_QUEUE_RECORD_H

#include "base/buf.h"

#define RECORD_HEADER_SIZE 32
#define RECORD_BODY_MAX (4u * 1024 * 1024)

enum record_type {
	RECORD_MESSAGE = 1,    /* journal: envelope and content */
	RECORD_RECIPIENTS = 2, /* recipient file of one message: a run of recipients */
	RECORD_LEDGER = 3,     /* ledger: one entry */
};

struct record_header {
	uint32_t type, length, head_length;
	uint64_t epoch;
	uint32_t rest_crc, crc;
};

enum record_result {
	RECORD_OK,
	RECORD_END,  /* no record of this epoch begins here: the end of what was written */
	RECORD_TORN, /* one begins here, but its bytes are not whole */
};

/* Bytes that a record with this body takes, header and padding included. */
size_t record_size(size_t length);
/* Fills the 32 bytes of the header of a record whose body is head, then rest. */
void record_header_encode(uint32_t type, uint64_t epoch, struct span head, struct span rest,
	unsigned char ret_bytes[RECORD_HEADER_SIZE]);
/* Looks at 32 bytes (or fewer: RECORD_END). Checks magic, epoch and lengths, not the checksums. */
enum record_result record_header_decode(struct span bytes, uint64_t epoch,
	struct record_header *ret_header);
/* Checks the head: header_bytes are the 32 bytes that were decoded. */
bool record_check_head(const struct record_header *header, struct span header_bytes,
	struct span head);
bool record_check_rest(const struct record_header *header, struct span rest);
/* The first record of bytes, both checksums checked; head and rest point into bytes. A record that
 * does not end within bytes is RECORD_TORN. */
enum record_result record_decode(struct span bytes, uint64_t epoch,
	struct record_header *ret_header, struct span *ret_head, struct span *ret_rest);
/* Do the bytes begin with what is left of a record of this epoch, one of the marks of its header
 * included? Its size as far as that can be told, at most bytes.len; 0: no. */
size_t record_begun(struct span bytes, uint64_t epoch);
/* Appends a whole record, padding included, to a buffer. */
void record_append(struct buf *out, uint32_t type, uint64_t epoch, struct span head,
	struct span rest);

/* The position of a record: what qmgr keeps of a message. length: of the whole record. */
struct queue_position {
	uint64_t segment, offset, length;
};

#endif
