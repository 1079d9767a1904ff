/* The beginning of a session: greeting, EHLO (or HELO, LHLO), STARTTLS, AUTH.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_GREET_H
#define TAMBO_SMTP_GREET_H

#include "smtp/connection.h"
#include "smtp/tls_policy.h"

enum greet_result {
	GREET_OK,
	GREET_FAILED,      /* problem says why */
	GREET_WITHOUT_TLS, /* a handshake that was not required failed: connect again, without */
};

enum greet_result greet(struct connection *connection, const struct tls_policy *policy,
	const struct next_hop *hop, struct span sender, struct problem *problem);

#endif
