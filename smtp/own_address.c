/* See own_address.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/own_address.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdlib.h>

#include "base/memory.h"

#define OWN_MAX 4096

static struct address *own;
static size_t own_count;

static void add(const struct sockaddr *address)
{
	struct address one = {0};
	if (address == NULL || own_count >= OWN_MAX)
		return;
	one.len = address->sa_family == AF_INET ? sizeof one.v4 :
		address->sa_family == AF_INET6  ? sizeof one.v6 :
						  0;
	if (one.len == 0)
		return;
	memcpy(&one.storage, address, one.len);
	own = memory_resize(own, own_count + 1, sizeof *own);
	own[own_count++] = one;
}

static int add_interfaces(bool loopback_only)
{
	struct ifaddrs *list;
	if (getifaddrs(&list) != 0)
		return -errno;
	for (struct ifaddrs *at = list; at != NULL; at = at->ifa_next)
		if (!loopback_only || (at->ifa_flags & IFF_LOOPBACK) != 0)
			add(at->ifa_addr);
	freeifaddrs(list);
	return 0;
}

/* A name or an address; what cannot be found is not ours. */
static void add_host(struct span word)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	if (word.len > 2 && word.ptr[0] == '[')
		word = span_part(word, 1, word.len - 2);
	char *name = span_dup_cstr(word);
	if (getaddrinfo(name, NULL, &hints, &list) == 0) {
		for (struct addrinfo *at = list; at != NULL; at = at->ai_next)
			add(at->ai_addr);
		freeaddrinfo(list);
	}
	free(name);
}

static int add_words(const char *text)
{
	struct span rest = span_from_cstr(text), word;
	int error = 0;
	while (error == 0 && span_token(&rest, ", \t", &word)) {
		if (span_equal_nocase(word, SPAN("all")))
			error = add_interfaces(false);
		else if (span_equal_nocase(word, SPAN("loopback-only")))
			error = add_interfaces(true);
		else
			add_host(word);
	}
	return error;
}

int own_address_load(const char *inet_interfaces, const char *proxy_interfaces)
{
	int error = add_words(inet_interfaces);
	return error == 0 ? add_words(proxy_interfaces) : error;
}

bool own_address_is(const struct address *address)
{
	for (size_t i = 0; i < own_count; i++)
		if (address_equal_host(&own[i], address))
			return true;
	return false;
}
