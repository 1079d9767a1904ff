/* Handing a message to cleanup (smtpd, local for forwards, qmgr for bounces). On one channel, for
 * each message: cleanup's READY (the queue id that the message will have), then OPEN RECIPIENTS*
 * CHUNK* END without waiting, then RESULT and at once the READY of the next one. Closing the
 * channel before RESULT drops the message. A RESULT of CLEANUP_OK means: durable (DESIGN "250 means
 * durable").
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SERVICE_CLEANUP_H
#define TAMBO_SERVICE_CLEANUP_H

#include "ipc/message.h"

enum cleanup_origin {
	CLEANUP_FROM_SMTP, /* smtpd: header rewriting by local_header_rewrite_clients */
	CLEANUP_FROM_MAILDROP,
	CLEANUP_FROM_LOCAL, /* forwarded by local: no missing headers added, hop count kept */
	CLEANUP_FROM_BOUNCE,
};

enum cleanup_flag {
	CLEANUP_SMTPUTF8 = 1,     /* MAIL FROM SMTPUTF8 */
	CLEANUP_8BITMIME = 2,     /* BODY=8BITMIME */
	CLEANUP_REWRITE_LOCAL = 4, /* client in local_header_rewrite_clients: complete headers */
	CLEANUP_NO_MAPPING = 8,   /* receive_override_options=no_address_mappings */
	CLEANUP_HOLD = 16,        /* access table said HOLD */
	CLEANUP_DISCARD = 32,     /* access table said DISCARD: accept and drop */
	CLEANUP_SHOW_LOGIN = 64,  /* smtpd_sasl_authenticated_header: the user name into Received: */
};

enum dsn_notify { DSN_NEVER = 1, DSN_SUCCESS = 2, DSN_FAILURE = 4, DSN_DELAY = 8 }; /* 0: default */
enum dsn_return { DSN_RETURN_DEFAULT, DSN_RETURN_FULL, DSN_RETURN_HEADERS };

struct cleanup_recipient {
	struct span address;  /* local@domain, unquoted internal form as parsed by mail/address */
	struct span orcpt;    /* RFC 3461 ORCPT as "type;decoded", "" for none */
	uint32_t notify;      /* enum dsn_notify */
};

struct cleanup_open {
	uint32_t origin, flags;
	struct span sender;        /* "" for <> */
	struct span envid;         /* decoded, "" for none */
	uint32_t dsn_return;
	uint64_t size_hint;        /* MAIL SIZE=, 0 when not said */
	/* The client as it stands in Received: and logs; "" where there is none */
	struct span client_name, client_address, client_port, helo, protocol; /* "ESMTPS" ... */
	struct span sasl_method, sasl_username, sasl_sender;
	struct span tls_summary;   /* for Received: "using TLSv1.3 with cipher X (256/256 bits)" */
	struct span received_for;  /* the only recipient, for the Received: for clause; "" for none */
	struct span original_queue_id; /* a forward: the message it came from */
	uint32_t hop_count;
	struct cleanup_recipient *recipients;
	size_t recipient_count;    /* the first ones; more may follow in cleanup_recipients */
};

/* Nothing said but where it comes from. */
struct cleanup_open cleanup_open_from(enum cleanup_origin origin);

/* Comes first on a new channel and behind each RESULT. */
struct cleanup_ready {
	uint32_t status;       /* enum cleanup_status: not OK says that no message can be taken */
	struct span queue_id;  /* "" when not OK */
	int64_t since_ms;      /* monotonic: an old one should be given up for a new channel */
};

struct cleanup_recipients {
	struct cleanup_recipient *recipients;
	size_t recipient_count;
};

/* Content as received, dots removed, CRLF or LF line ends; at most CLEANUP_CHUNK_MAX bytes each.
 * A bare CR, a NUL and an over-long line have been dealt with by the sender of this message. */
struct cleanup_chunk {
	struct span bytes;
};

struct cleanup_end {
	bool discard; /* the client went wrong: drop the message, RESULT answers all the same */
};

enum cleanup_status {
	CLEANUP_OK,
	CLEANUP_TOO_BIG,      /* message_size_limit */
	CLEANUP_NO_SPACE,     /* queue_minfree or a full disk */
	CLEANUP_TOO_MANY_HOPS,
	CLEANUP_REJECTED,     /* content: see text */
	CLEANUP_QUEUE_ERROR,  /* try again later */
	CLEANUP_NO_RECIPIENT, /* all expanded to nothing */
};

struct cleanup_result {
	uint32_t status;
	struct span queue_id;
	struct span code;  /* "5.7.1", may be "" */
	struct span text;
	uint64_t size;     /* as queued */
};

extern const struct message_type cleanup_open_type, cleanup_ready_type, cleanup_recipients_type,
	cleanup_chunk_type, cleanup_end_type, cleanup_result_type;

#define CLEANUP_CHUNK_MAX (128 * 1024)

#endif
