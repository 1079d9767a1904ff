/* The coding of a message's envelope (the head of a RECORD_MESSAGE) and of its recipients. Pure;
 * every length is checked. An envelope is u32 version, u32 length of the attributes, then
 * attributes {u8 tag, u8 zero, u16 length, bytes}, then the encoded recipients.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_ENVELOPE_H
#define TAMBO_QUEUE_ENVELOPE_H

#include "base/buf.h"

enum queue_flag {
	QUEUE_SMTPUTF8 = 1,
	QUEUE_8BITMIME = 2,
	QUEUE_BOUNCE = 4, /* a DSN of ours */
	QUEUE_HELD = 8,	  /* begins its life on hold */
	QUEUE_REWRITE_LOCAL = 16,
	QUEUE_LARGE_CONTENT = 32,    /* content is the file large/<id>, not in the record */
	QUEUE_LARGE_RECIPIENTS = 64, /* recipients are in the file large/<id>.rcpt */
	QUEUE_COPIED = 128, /* made by a compaction: an older record of this id is or was there */
};

#define QUEUE_ADDRESS_MAX 2048      /* bytes of one address, original or orcpt */
#define QUEUE_ATTRIBUTE_MAX 4096    /* bytes of one text attribute of an envelope */
#define QUEUE_RECIPIENTS_INLINE_MAX (64 * 1024) /* encoded recipients above this: .rcpt file */
#define QUEUE_RECIPIENTS_MAX 10000000

struct queue_recipient {
	struct span address;  /* final: after virtual aliases; local@domain, unquoted */
	struct span original; /* as it was given; equal to address when nothing was rewritten */
	struct span orcpt;    /* "type;decoded", "" for none */
	uint32_t notify;      /* enum dsn_notify of service/cleanup.h; 0: default */
};

struct queue_envelope {
	struct span queue_id, sender, envid;
	struct span message_id; /* as logged */
	struct span client_name, client_address, client_port, helo, protocol;
	struct span sasl_method, sasl_username, sasl_sender;
	struct span original_queue_id; /* a forward or a bounce: of the message it came from */
	int64_t arrival_ms;     /* wall clock, UTC */
	uint64_t size;          /* bytes of content */
	uint32_t flags, dsn_return, origin;
	uint32_t recipient_count;
	struct span recipients; /* encoded (queue_recipient_append), empty when they have a file */
	uint64_t recipients_epoch; /* of the .rcpt file */
};

/* False when a limit is broken or out overflows (out is as before). */
bool queue_envelope_encode(const struct queue_envelope *envelope, struct buf *out);
/* The head of a RECORD_MESSAGE; spans point into bytes. Unknown attributes are skipped. False when
 * the bytes are not an envelope (queue id invalid, limits, lengths). */
bool queue_envelope_decode(struct span bytes, struct queue_envelope *ret_envelope);

/* Appends one recipient; false when a limit is broken or out overflows. */
bool queue_recipient_append(struct buf *out, const struct queue_recipient *recipient);
/* Takes the first recipient off *rest; false at the end, or (*rest not empty) on bad bytes. */
bool queue_recipient_next(struct span *rest, struct queue_recipient *ret_recipient);

#endif
