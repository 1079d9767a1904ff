/* The records that sendmail writes, postdrop checks and stores as a file in maildrop/, and cleanup
 * picks up. Pure. Strict: what is not exactly this is refused as a whole.
 *   "TamboMD1", then records {u8 type, u32 little endian length, bytes} in this order: one sender;
 *   attributes in any order, each at most once; recipients (u8 notify, u16 length of orcpt, orcpt,
 *   address), at least one; content in pieces; one end, with the CRC-32C of all bytes before.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_MAILDROP_H
#define TAMBO_QUEUE_MAILDROP_H

#include "base/buf.h"

#define MAILDROP_MAGIC "TamboMD1"
#define MAILDROP_CONTENT_MAX (64 * 1024) /* bytes of one piece */
#define MAILDROP_RECORD_MAX (5 + MAILDROP_CONTENT_MAX)
#define MAILDROP_RECIPIENTS_MAX 1000000

enum maildrop_type {
	MAILDROP_SENDER = 'S',
	MAILDROP_FULL_NAME = 'F',
	MAILDROP_ENVID = 'V',
	MAILDROP_RETURN = 'T', /* one byte: enum dsn_return */
	MAILDROP_FLAGS = 'G',  /* one byte: enum maildrop_flag */
	MAILDROP_RECIPIENT = 'R',
	MAILDROP_CONTENT = 'C',
	MAILDROP_END = 'E',
};

enum maildrop_flag { MAILDROP_8BITMIME = 1, MAILDROP_SMTPUTF8 = 2 };

struct maildrop_record {
	uint8_t type;
	struct span bytes; /* of a recipient: the address */
	struct span orcpt;
	uint8_t notify;
};

struct maildrop_encoder {
	uint32_t crc;
};

void maildrop_begin(struct maildrop_encoder *encoder, struct buf *out);
/* Appends one record; content longer than a piece becomes several. */
void maildrop_append(struct maildrop_encoder *encoder, uint8_t type, struct span bytes,
	struct buf *out);
void maildrop_append_recipient(struct maildrop_encoder *encoder, struct span address,
	struct span orcpt, uint8_t notify, struct buf *out);
void maildrop_end(struct maildrop_encoder *encoder, struct buf *out);

struct maildrop_decoder {
	uint32_t crc;
	unsigned seen; /* attributes */
	uint32_t recipients;
	uint64_t content; /* bytes */
	uint8_t phase;
	bool begun;
};

enum maildrop_result {
	MAILDROP_RECORD, /* one record; the last is MAILDROP_END */
	MAILDROP_MORE,   /* more bytes are needed */
	MAILDROP_BAD,
};

/* Takes one record off *input; its bytes point into it. After the end record any byte is BAD. */
enum maildrop_result maildrop_next(struct maildrop_decoder *decoder, struct span *input,
	struct maildrop_record *ret_record);
bool maildrop_is_complete(const struct maildrop_decoder *decoder);

#endif
