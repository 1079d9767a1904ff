/* One connection to a server: its stream, what it offers, how it stands. Commands and replies, with
 * Postfix's texts for what goes wrong.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_CONNECTION_H
#define TAMBO_SMTP_CONNECTION_H

#include "net/stream.h"
#include "smtp/extension.h"
#include "smtp/problem.h"
#include "smtp/target.h"

struct connection {
	struct stream *stream;
	char *host;        /* the server's name (or address) */
	char *label;       /* "host[address]" */
	char *label_port;  /* "host[address]:port" */
	bool best_mx;
	bool esmtp;        /* EHLO or LHLO was accepted */
	bool tls;
	bool verified;     /* its certificate satisfied the policy */
	bool authenticated;
	bool broken;       /* must not be used again */
	unsigned uses;     /* messages begun on it */
	task_time opened;
	struct smtp_offer offer;
	unsigned extensions; /* of the offer, without those that are not wanted */
	struct smtp_reply reply; /* the last one */
};

/* Connects. NULL with problem "connect to host[address]:port: reason" (4.4.1). */
struct connection *connection_open(const struct target *target, struct problem *problem);
/* Says nothing; NULL is allowed. */
void connection_free(struct connection *connection);
/* QUIT first, unless it is broken. */
void connection_quit(struct connection *connection);

/* Appends a command line to the output (CRLF is added). False and problem when that failed; while:
 * what we were doing, for the text ("sending MAIL FROM"). */
bool connection_send(struct connection *connection, int64_t timeout, const char *doing,
	struct problem *problem, struct span line);
/* Flushes and reads one reply into connection->reply. */
bool connection_receive(struct connection *connection, int64_t timeout, const char *doing,
	struct problem *problem);
/* Both. */
bool connection_ask(struct connection *connection, int64_t timeout, const char *doing,
	struct problem *problem, struct span line);
/* As connection_receive; each line of the reply goes into the offer too. */
bool connection_receive_offer(struct connection *connection, int64_t timeout, const char *doing,
	struct problem *problem);

/* "host said: REPLY (in reply to COMMAND)" from the last reply. */
void connection_problem(
	struct connection *connection, const char *command, struct problem *problem);
/* Of an -errno of the stream. Marks the connection broken. */
void connection_lost(struct connection *connection, int error, const char *doing,
	struct problem *problem);

#endif
