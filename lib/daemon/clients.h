/* Clients of a front: the addresses of a connection as text, and how many connections an address
 * has, counted by anvil for all processes of the service.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_DAEMON_CLIENTS_H
#define TAMBO_DAEMON_CLIENTS_H

#include "net/socket.h"

#define CLIENT_ADDRESS_SIZE 64 /* with the NUL */

struct client_addresses {
	char remote[CLIENT_ADDRESS_SIZE], local[CLIENT_ADDRESS_SIZE]; /* local: "" when unknown */
	bool counted;
};

/* fd: the connection. An IPv4 address stands as such, also on an IPv6 socket. */
void client_addresses_read(int fd, const struct address *peer, struct client_addresses *ret);

/* False: the address has limit connections already (0: no limit). Without anvil there is none.
 * Each call, also one that refused, is answered by one clients_leave. */
bool clients_enter(struct client_addresses *client, int64_t limit);
void clients_leave(struct client_addresses *client);

#endif
