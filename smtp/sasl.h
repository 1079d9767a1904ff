/* AUTH as a client (RFC 4954), mechanisms from Cyrus SASL. Passwords come from
 * smtp_sasl_password_maps: by sender (when asked for), by server name, by next hop.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_SASL_H
#define TAMBO_SMTP_SASL_H

#include "smtp/connection.h"
#include "smtp/next_hop.h"

struct credentials {
	struct buf user, password; /* done with credentials_done, which wipes */
};

/* Loads the mechanisms, before the walls close. 0 or -EINVAL (logged). */
int sasl_load(void);

/* True with *ret_found telling whether there are any; false and problem when the table could not be
 * asked. */
bool credentials_find(const struct connection *connection, const struct next_hop *hop,
	struct span sender, struct credentials *ret_credentials, bool *ret_found,
	struct problem *problem);
void credentials_init(struct credentials *credentials);
void credentials_done(struct credentials *credentials);

/* Logs in; false and problem when that failed. */
bool sasl_login(struct connection *connection, struct credentials *credentials,
	struct problem *problem);

#endif
