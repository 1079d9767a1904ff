/* See own_address.h.
 * SPDX-License-Identifier: ISC */
#include "net/own_address.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdlib.h>

#include "base/memory.h"

static void add(struct own_addresses *own, const struct sockaddr *address)
{
	struct address one = {0};
	if (own->count >= OWN_ADDRESSES_MAX)
		return;
	if (address->sa_family == AF_INET)
		one.len = sizeof one.v4;
	else if (address->sa_family == AF_INET6)
		one.len = sizeof one.v6;
	else
		return;
	memcpy(&one.storage, address, one.len);
	own->items = memory_resize(own->items, own->count + 1, sizeof *own->items);
	own->items[own->count++] = one;
}

static int add_interfaces(struct own_addresses *own, bool loopback_only)
{
	struct ifaddrs *list;
	if (getifaddrs(&list) != 0)
		return -errno;
	for (struct ifaddrs *at = list; at != NULL; at = at->ifa_next)
		if (at->ifa_addr != NULL &&
			(!loopback_only || (at->ifa_flags & IFF_LOOPBACK) != 0))
			add(own, at->ifa_addr);
	freeifaddrs(list);
	return 0;
}

static void add_host(struct own_addresses *own, struct span host)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		host = span_part(host, 1, host.len - 2);
	char *name = span_dup_cstr(host);
	if (getaddrinfo(name, NULL, &hints, &list) == 0) {
		for (struct addrinfo *at = list; at != NULL; at = at->ai_next)
			add(own, at->ai_addr);
		freeaddrinfo(list);
	}
	free(name);
}

int own_addresses_add(struct own_addresses *own, struct span list)
{
	struct span word;
	int error = 0;
	while (error == 0 && span_token(&list, ", \t\r\n", &word)) {
		if (span_equal_nocase(word, SPAN("all")))
			error = add_interfaces(own, false);
		else if (span_equal_nocase(word, SPAN("loopback-only")))
			error = add_interfaces(own, true);
		else
			add_host(own, word);
	}
	return error;
}

void own_addresses_done(struct own_addresses *own)
{
	free(own->items);
	*own = (struct own_addresses){0};
}

bool own_addresses_have(const struct own_addresses *own, const struct address *address)
{
	for (size_t i = 0; i < own->count; i++)
		if (address_equal_host(&own->items[i], address))
			return true;
	return false;
}
