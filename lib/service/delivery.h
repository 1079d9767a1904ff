/* qmgr asks a delivery agent (smtp, local) to deliver one message to some recipients of one
 * destination. The agent gets the bytes of that message and nothing else: inline when small, as a
 * descriptor of the message's own file when large. One request, one reply, then the channel is free
 * for the next. The agent writes the log line of each recipient.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SERVICE_DELIVERY_H
#define TAMBO_SERVICE_DELIVERY_H

#include "ipc/message.h"

#define DELIVERY_INLINE_MAX (256 * 1024)
#define DELIVERY_RECIPIENTS_MAX 1000

enum delivery_flag {
	DELIVERY_SMTPUTF8 = 1,
	DELIVERY_8BITMIME = 2,
	DELIVERY_BOUNCE = 4, /* the message is a bounce of ours */
	DELIVERY_FIRST = 8,  /* nobody was asked before to deliver it to these recipients */
};

struct delivery_recipient {
	uint32_t index;       /* position in the message's recipient list: names the outcome */
	struct span address;  /* where to deliver */
	struct span original; /* before aliasing: X-Original-To, orig_to= */
	struct span orcpt;
	uint32_t notify;
};

struct delivery_request {
	struct span queue_id;
	struct span transport; /* master.cf service: "smtp", "relay", "local", "virtual", "lmtp" */
	struct span nexthop;   /* "example.com", "[192.0.2.1]:25", "unix:/path" ... */
	struct span sender;
	struct span envid;
	uint32_t dsn_return, flags;
	int64_t arrival_ms;    /* wall clock: when cleanup took it in */
	int64_t active_ms;     /* wall clock: when this delivery was scheduled (delays=a/b) */
	uint64_t size;         /* of content */
	struct span client_name, client_address, client_helo, client_protocol, sasl_method,
		sasl_username;
	struct span content;   /* CRLF or LF as stored; "" when content_fd is used */
	int content_fd;        /* -1, or a descriptor */
	uint64_t content_offset; /* where content begins in it; size says how much */
	struct delivery_recipient *recipients;
	size_t recipient_count;
};

enum delivery_status { DELIVERY_SENT, DELIVERY_DEFERRED, DELIVERY_BOUNCED, DELIVERY_EXPANDED };

struct delivery_outcome {
	uint32_t index;
	uint32_t status;
	struct span dsn;        /* "2.0.0" */
	struct span text;       /* human text, as logged in parentheses */
	struct span remote_mta; /* "mx.example.com", "" when none */
	struct span diagnostic; /* the remote reply "550 5.1.1 ...", "" when none */
	uint32_t action_relayed; /* 1: passed on to a host that does not do DSN (RFC 3461 6.2.x) */
	uint64_t checkpoint;    /* 0: durable. Otherwise wait for delivery_checkpoint >= this value */
};

struct delivery_reply {
	bool site_failed; /* the destination as a whole failed: count it against the destination */
	struct span site_text;  /* why: becomes "delivery temporarily suspended: ..." */
	struct span site_dsn;
	struct delivery_outcome *outcomes;
	size_t outcome_count;   /* recipients that are not named are deferred */
};

/* Sent by local on a channel that qmgr opened and on which it sent one delivery_checkpoint with
 * serial 0: all outcomes of this process up to serial are durable. The channel's end means that
 * outcomes not covered so far must be delivered again (the agent recognises them). The high 32 bits
 * of a serial name the agent's process (a random number, not 0), the low ones count: so a serial of
 * one life of the agent can never cover an outcome of another. The agent answers serial 0 at once
 * with what is durable so far. qmgr opens the channel when the first outcome asks for it. */
struct delivery_checkpoint {
	uint64_t serial;
};

extern const struct message_type delivery_request_type, delivery_reply_type,
	delivery_checkpoint_type;

#endif
