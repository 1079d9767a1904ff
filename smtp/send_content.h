/* The content of a request, inline or in a file, on its way to the server.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_SEND_CONTENT_H
#define TAMBO_SMTP_SEND_CONTENT_H

#include "service/delivery.h"
#include "smtp/connection.h"

/* Bytes as announced in SIZE=: line ends counted as CRLF where the content is at hand. */
uint64_t send_content_size(const struct delivery_request *request);
/* Is the header (its first 64 KiB) free of bytes above 127? True also when it cannot be read:
 * send_content will fail, for now. */
bool send_content_header_is_ascii(const struct delivery_request *request);
/* Everything up to the final dot. False and problem: the connection is broken. */
bool send_content(const struct delivery_request *request, struct connection *connection,
	struct problem *problem);

#endif
