/* One delivery request: a message, its recipients and what became of each. An outcome is logged
 * when it is known; what is still open may be tried at the next server.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_DELIVERY_H
#define TAMBO_SMTP_DELIVERY_H

#include "service/delivery_log.h"
#include "smtp/connection.h"

struct delivery {
	const struct delivery_request *request;
	int requester;             /* the socket on which somebody waits for the outcomes */
	const char *id;            /* queue id, NUL-terminated */
	struct arena arena;        /* of texts and targets */
	struct delivery_times times;
	struct delivery_outcome *outcomes; /* by position in request->recipients */
	bool *settled;
	size_t open_count;         /* recipients without an outcome */
	bool last_server;          /* nobody else will be tried: soft failures are outcomes too */
	struct problem problem;    /* of the last failure */
	bool site_failed;          /* the problem is the destination's, not the message's */
};

/* 0 or -ENOMEM. request must outlive the delivery. requester: a socket, not taken. */
int delivery_init(struct delivery *delivery, const struct delivery_request *request,
	int requester);
void delivery_done(struct delivery *delivery);
/* Tries all servers of the next hop until every recipient has an outcome. */
void delivery_run(struct delivery *delivery);
/* What to answer; its spans live in the delivery. */
void delivery_result(const struct delivery *delivery, struct delivery_reply *ret_reply);

/* --- for the transaction --- */

/* The server took it: reply is what it said. */
void delivery_sent(struct delivery *delivery, size_t recipient,
	const struct connection *connection);
/* It failed with delivery->problem. A soft failure stays open when another server can be tried.
 * connection may be NULL. */
void delivery_failed(struct delivery *delivery, size_t recipient,
	const struct connection *connection);
/* The same for all that are open. site: the destination as a whole is at fault. */
void delivery_failed_all(struct delivery *delivery, const struct connection *connection, bool site);
/* Whoever asked has gone and will ask anew: nothing more is to be sent. Then all are settled,
 * without outcomes or a line in the log. */
bool delivery_is_abandoned(struct delivery *delivery);

#endif
