/* The addresses of this host as inet_interfaces and proxy_interfaces name them: for mail to
 * user@[192.0.2.1], and to notice that a mail exchanger is ourselves. Read once, before the walls
 * close.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_NET_OWN_ADDRESS_H
#define TAMBO_NET_OWN_ADDRESS_H

#include "net/socket.h"

#define OWN_ADDRESSES_MAX 4096

struct own_addresses {
	struct address *items;
	size_t count;
};

/* Adds those of a list of "all", "loopback-only", addresses and names; a name that does not resolve
 * is not ours. 0 or -errno. */
int own_addresses_add(struct own_addresses *own, struct span list);
void own_addresses_done(struct own_addresses *own);
bool own_addresses_have(const struct own_addresses *own, const struct address *address);

#endif
