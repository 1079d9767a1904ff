/* MAIL, RCPT, DATA and the content on one connection, pipelined where the server allows it
 * (RFC 5321, RFC 2920, RFC 3461, RFC 6531; LMTP: RFC 2033).
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_TRANSACTION_H
#define TAMBO_SMTP_TRANSACTION_H

#include "smtp/delivery.h"

/* Sends the message to the recipients that are open. Afterwards the connection is between messages,
 * or broken. */
void transaction_run(struct delivery *delivery, struct connection *connection);

#endif
