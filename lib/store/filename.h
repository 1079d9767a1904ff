/* Maildir file names: BASE[,S=size][,W=size][,T=uidvalidity.uid]:2,FLAGS (tambo-maildir(5)). T is
 * ours: it says which UID the file has, and in which life of the mailbox. Other programs carry the
 * part before the colon along unchanged. Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_STORE_FILENAME_H
#define TAMBO_STORE_FILENAME_H

#include "base/buf.h"

#define FILENAME_UNKNOWN UINT64_MAX

struct filename {
	struct span unique;    /* up to the first ",S=", ",W=" or ",T=", or the colon: identity */
	struct span base;      /* up to the colon */
	uint64_t size;         /* S=, or FILENAME_UNKNOWN */
	uint64_t crlf_size;    /* W=, or FILENAME_UNKNOWN */
	bool has_uid;
	uint32_t uidvalidity, uid;
	bool has_info;         /* ":2," was there */
	uint32_t flags;        /* enum message_flag from D F R S T */
	uint32_t keywords;     /* bit n: letter 'a' + n */
	struct span rest;      /* info characters that are not ours (P, X, ",..."), kept as they are */
};

/* False: not a message's name (empty, begins with '.', holds '/' or NUL). */
bool filename_parse(struct span name, struct filename *ret_filename);
/* Appends the name of a file: unique with S, W and T as far as known, and info when with_info.
 * Other fields of the old base (",X=") stay. */
void filename_format(const struct filename *filename, bool with_info, struct buf *out);
/* The base of a delivery: a pure function of queue id, recipient number and arrival time, so that a
 * second attempt has the same. host: made safe. */
void filename_delivery_base(struct span queue_id, uint32_t recipient, int64_t arrival_ms,
	struct span host, struct buf *out);

#endif
