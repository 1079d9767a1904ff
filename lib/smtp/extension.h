/* What a server offers in its EHLO or LHLO reply (RFC 5321 section 4.1.1.1): keywords and their
 * arguments, one line at a time. Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_EXTENSION_H
#define TAMBO_SMTP_EXTENSION_H

#include "base/buf.h"

enum smtp_extension {
	SMTP_EXTENSION_PIPELINING = 1,
	SMTP_EXTENSION_SIZE = 2,
	SMTP_EXTENSION_8BITMIME = 4,
	SMTP_EXTENSION_SMTPUTF8 = 8,
	SMTP_EXTENSION_DSN = 16,
	SMTP_EXTENSION_STARTTLS = 32,
	SMTP_EXTENSION_AUTH = 64,
	SMTP_EXTENSION_ENHANCEDSTATUSCODES = 128,
	SMTP_EXTENSION_CHUNKING = 256,
};

#define SMTP_AUTH_MECHANISMS_MAX 1000 /* bytes */

struct smtp_offer {
	unsigned extensions;
	uint64_t size_limit;    /* of SIZE; 0: none told */
	struct buf host;        /* the name the server gave itself: first word of the first line */
	struct buf mechanisms;  /* of AUTH and "AUTH=": upper case, separated by a space */
};

void smtp_offer_init(struct smtp_offer *offer);
void smtp_offer_done(struct smtp_offer *offer);
void smtp_offer_reset(struct smtp_offer *offer);
/* text: a reply line behind its code; first: it is the reply's first line (no keyword). */
void smtp_offer_add(struct smtp_offer *offer, struct span text, bool first);
/* The extension of that keyword, 0 for others: for smtp_discard_ehlo_keywords. */
unsigned smtp_extension_find(struct span keyword);

#endif
