/* What IMAP's ENVELOPE tells of a header (RFC 3501 section 7.4.2): taken as it stands, encoded
 * words not decoded. Absent fields have a NULL ptr. Fields of one name that stand more than once:
 * addresses are joined, of the others the first counts.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAIL_ENVELOPE_H
#define TAMBO_MAIL_ENVELOPE_H

#include "mail/address_list.h"

#define ENVELOPE_ADDRESSES_MAX 5000 /* in one field of one message */
#define ENVELOPE_TEXT_MAX 65536     /* bytes of one unstructured field */

enum envelope_list {
	ENVELOPE_FROM,
	ENVELOPE_SENDER,   /* equals FROM when absent or empty */
	ENVELOPE_REPLY_TO, /* equals FROM when absent or empty */
	ENVELOPE_TO,
	ENVELOPE_CC,
	ENVELOPE_BCC,
	ENVELOPE_LIST_COUNT,
};

struct envelope {
	struct span date, subject, in_reply_to, message_id; /* unfolded; ptr NULL: absent */
	struct address_list lists[ENVELOPE_LIST_COUNT];
};

/* header: a message or its header. Everything lives in the arena. */
void envelope_parse(struct span header, struct arena *arena, struct envelope *ret_envelope);

#endif
