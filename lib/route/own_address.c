/* The addresses of this host, for mail to user@[192.0.2.1]: inet_interfaces and proxy_interfaces.
 * SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>

#include "base/memory.h"
#include "route/route_private.h"

#define OWN_ADDRESSES_MAX 4096

static void add(struct route *route, const struct sockaddr *address)
{
	struct own_address own = {.family = address->sa_family};
	if (address->sa_family == AF_INET)
		own.v4 = ((const struct sockaddr_in *)(const void *)address)->sin_addr;
	else if (address->sa_family == AF_INET6)
		own.v6 = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	else
		return;
	if (route->own_count >= OWN_ADDRESSES_MAX)
		return;
	route->own = memory_resize(route->own, route->own_count + 1, sizeof own);
	route->own[route->own_count++] = own;
}

static int add_interfaces(struct route *route, bool loopback_only)
{
	struct ifaddrs *list = NULL;
	if (getifaddrs(&list) < 0)
		return -errno;
	for (struct ifaddrs *at = list; at != NULL; at = at->ifa_next)
		if (at->ifa_addr != NULL && (!loopback_only || (at->ifa_flags & IFF_LOOPBACK)))
			add(route, at->ifa_addr);
	freeifaddrs(list);
	return 0;
}

/* A name that does not resolve is not ours: mail to a literal of it cannot exist. */
static void add_host(struct route *route, struct span host)
{
	if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		host = span_part(host, 1, host.len - 2);
	char name[256];
	if (host.len >= sizeof name)
		return;
	memcpy(name, host.ptr, host.len);
	name[host.len] = '\0';
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return;
	for (struct addrinfo *at = found; at != NULL; at = at->ai_next)
		add(route, at->ai_addr);
	freeaddrinfo(found);
}

static int add_list(struct route *route, const char *names)
{
	struct span rest = span_from_cstr(names), name;
	while (span_token(&rest, ", \t\r\n", &name)) {
		int error = 0;
		if (span_equal_nocase(name, SPAN("all")))
			error = add_interfaces(route, false);
		else if (span_equal_nocase(name, SPAN("loopback-only")))
			error = add_interfaces(route, true);
		else
			add_host(route, name);
		if (error < 0)
			return error;
	}
	return 0;
}

int route_own_addresses(struct route *route, const char *interfaces, const char *proxies)
{
	int error = add_list(route, interfaces);
	return error < 0 ? error : add_list(route, proxies);
}

bool route_is_own_literal(const struct route *route, struct span domain)
{
	if (domain.len < 3 || domain.ptr[0] != '[' || domain.ptr[domain.len - 1] != ']')
		return false;
	struct span inside = span_part(domain, 1, domain.len - 2);
	bool tagged = span_starts_with_nocase(inside, SPAN("IPv6:"));
	if (tagged)
		inside = span_skip(inside, 5);
	char text[INET6_ADDRSTRLEN + 1];
	if (inside.len >= sizeof text)
		return false;
	memcpy(text, inside.ptr, inside.len);
	text[inside.len] = '\0';
	struct in_addr v4;
	struct in6_addr v6;
	bool is_v4 = !tagged && inet_pton(AF_INET, text, &v4) == 1;
	bool is_v6 = !is_v4 && inet_pton(AF_INET6, text, &v6) == 1;
	for (size_t i = 0; i < route->own_count; i++) {
		const struct own_address *own = &route->own[i];
		if (is_v4 && own->family == AF_INET && own->v4.s_addr == v4.s_addr)
			return true;
		if (is_v6 && own->family == AF_INET6 && IN6_ARE_ADDR_EQUAL(&own->v6, &v6))
			return true;
	}
	return false;
}
