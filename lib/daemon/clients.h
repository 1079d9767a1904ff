/* Clients of a front that counts its own: the addresses of a connection as text, and how many
 * connections each address has in this process.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_DAEMON_CLIENTS_H
#define TAMBO_DAEMON_CLIENTS_H

#include "base/table.h"
#include "net/socket.h"

#define CLIENT_ADDRESS_SIZE 64 /* with the NUL */

struct client_addresses {
	char remote[CLIENT_ADDRESS_SIZE], local[CLIENT_ADDRESS_SIZE]; /* local: "" when unknown */
};

/* fd: the connection. An IPv4 address stands as such, also on an IPv6 socket. */
void client_addresses_read(int fd, const struct address *peer, struct client_addresses *ret);

/* counts: a zeroed table of the caller's. False: the address has limit connections already (0: no
 * limit) and this one is not counted. Each true is answered by one clients_leave. */
bool clients_enter(struct table *counts, const char *address, int64_t limit);
void clients_leave(struct table *counts, const char *address);

#endif
