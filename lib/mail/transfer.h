/* Content-Transfer-Encoding (RFC 2045 section 6): decoding base64 and quoted-printable bodies as
 * they come. Lenient: junk in base64 is skipped, a broken "=XX" is kept as it is. The decoder takes
 * input in pieces of any size.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAIL_TRANSFER_H
#define TAMBO_MAIL_TRANSFER_H

#include "base/buf.h"

enum transfer_encoding {
	TRANSFER_7BIT, /* also a missing field */
	TRANSFER_8BIT,
	TRANSFER_BINARY,
	TRANSFER_QUOTED_PRINTABLE,
	TRANSFER_BASE64,
	TRANSFER_UNKNOWN,
};

/* Of a Content-Transfer-Encoding value. */
enum transfer_encoding transfer_encoding_parse(struct span value);

struct transfer_decoder {
	enum transfer_encoding encoding;
	uint32_t bits;      /* base64: collected so far */
	unsigned bit_count;
	char held[80];      /* quoted-printable: '=' or white space that may end the line */
	size_t held_len;
};

void transfer_decoder_init(struct transfer_decoder *decoder, enum transfer_encoding encoding);
/* Appends what can be decoded so far. */
void transfer_decode(struct transfer_decoder *decoder, struct span bytes, struct buf *out);
/* After the last piece. */
void transfer_decode_end(struct transfer_decoder *decoder, struct buf *out);

/* All at once. */
void transfer_decode_all(enum transfer_encoding encoding, struct span bytes, struct buf *out);


#endif
