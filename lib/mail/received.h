/* The Received: field we prepend (RFC 5321 section 4.4, wording of Postfix), hop counting, and
 * message ids (RFC 5322 section 3.6.4).
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAIL_RECEIVED_H
#define TAMBO_MAIL_RECEIVED_H

#include "base/buf.h"
#include "mail/date.h"

struct received {
	struct span helo;           /* "" when there is no client (local submission) */
	struct span client_name;    /* "unknown" when not known */
	struct span client_address; /* "192.0.2.1", "2001:db8::1" */
	struct span tls_summary;    /* "using TLSv1.3 with cipher X (256/256 bits)", "" without */
	struct span sasl_username;  /* "" hides the line */
	struct span host;           /* myhostname */
	struct span mail_name;      /* "Tambo" */
	struct span protocol;       /* "ESMTPS"; "" for local submission */
	struct span queue_id;
	struct span recipient;      /* for <...>: internal form; "" leaves it out */
	int64_t submitter_uid;      /* local submission: "(..., from userid N)"; -1 when unknown */
	struct mail_date date;
};

/* Appends the whole folded field with its last line end. Foreign text is cleaned: no control byte
 * and no unbalanced parenthesis gets through. */
void received_format(const struct received *received, const char *line_end, struct buf *out);

/* "<20261122072348.4A5B6C@mail.example.com>" with its angle brackets. */
void message_id_make(struct mail_date date, struct span queue_id, struct span host,
	struct buf *out);

#endif
