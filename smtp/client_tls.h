/* TLS of the client: contexts made before the walls close, handshake and what the policy demands of
 * the server's certificate.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_CLIENT_TLS_H
#define TAMBO_SMTP_CLIENT_TLS_H

#include "smtp/connection.h"
#include "smtp/tls_policy.h"

/* 0 or -EINVAL (logged). */
int client_tls_load(void);
void client_tls_done(void);

enum client_tls_result {
	CLIENT_TLS_OK,
	CLIENT_TLS_HANDSHAKE, /* failed: the connection is broken, another without TLS may work */
	CLIENT_TLS_REFUSED,   /* the certificate is not what the policy asks for */
};

/* On a connection where the server waits for a handshake. hop: for names to match. */
enum client_tls_result client_tls_start(struct connection *connection,
	const struct tls_policy *policy, const struct next_hop *hop, struct problem *problem);

#endif
