/* The text of MAIL and RCPT commands with the parameters that the server understands.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_ENVELOPE_COMMAND_H
#define TAMBO_SMTP_ENVELOPE_COMMAND_H

#include "service/delivery.h"
#include "smtp/connection.h"

/* "MAIL FROM:<...> SIZE=.. BODY=.." without line end. */
void envelope_command_mail(const struct delivery_request *request,
	const struct connection *connection, struct buf *out);
/* "RCPT TO:<...> ORCPT=.. NOTIFY=.." */
void envelope_command_rcpt(const struct delivery_request *request, size_t recipient,
	unsigned extensions, struct buf *out);

#endif
