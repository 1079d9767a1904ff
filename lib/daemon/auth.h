/* The way of a front to auth: service/auth_client.h over channels that master makes.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_DAEMON_AUTH_H
#define TAMBO_DAEMON_AUTH_H

#include "service/auth_client.h"

/* service: "imap", "pop3"; lives as long as *ret_client. Once, when the process runs. */
void daemon_auth_open(const char *service, struct auth_client *ret_client);

#endif
