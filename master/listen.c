/* Listening sockets. One that a new configuration also wants stays open, so that a reload loses no
 * client that is waiting to be accepted.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/span.h"
#include "master/master.h"
#include "net/socket.h"

#define BACKLOG 1024
#define KEY_MAX 512

static struct listener *find(const char *key)
{
	LIST_FOREACH(node, &master.listeners) {
		struct listener *listener = LIST_ENTRY(node, struct listener, node);
		if (strcmp(listener->key, key) == 0)
			return listener;
	}
	return NULL;
}

/* The processes of a master that was killed close their sockets as soon as they notice. At a reload
 * nobody waits. */
static int listen_patiently(const struct address *address)
{
	static int waits = 20; /* of 100 ms, for all sockets together */
	const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
	int fd;
	while ((fd = socket_listen(address, BACKLOG, 0666)) == -EADDRINUSE && master.generation == 0 &&
		waits > 0) {
		waits--;
		(void)nanosleep(&pause, NULL);
	}
	return fd;
}

static int add(struct service *service, const char *key, const struct address *address)
{
	struct listener *listener = find(key);
	if (service->listener_count == SERVICE_LISTENERS_MAX)
		return -E2BIG;
	if (listener == NULL) {
		int fd = listen_patiently(address);
		if (fd < 0)
			return fd;
		listener = NEW(struct listener);
		listener->key = memory_dup_cstr(key);
		listener->fd = fd;
		list_append(&master.listeners, &listener->node);
	}
	listener->generation = master.generation + 1;
	service->listeners[service->listener_count++] = listener;
	return 0;
}

static bool wants_family(struct service *service, int family)
{
	struct span words = span_from_cstr(conf_get(service->conf, "inet_protocols"));
	return span_has_word(words, SPAN("all")) ||
		span_has_word(words, family == AF_INET ? SPAN("ipv4") : SPAN("ipv6"));
}

/* A kernel without IPv6 is no reason to fail when nobody asked for it by address. */
static bool is_forgivable(int error, bool wildcard)
{
	return wildcard && (error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL || error == -EPERM);
}

static int add_inet(struct service *service, const char *host, const char *port, bool wildcard)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found;
	char key[KEY_MAX];
	int result = 0;
	size_t done = 0;
	int error = getaddrinfo(host, port, &hints, &found);
	if (error != 0) {
		log_fatal(NULL, "service %s: host or port \"%s\" \"%s\": %s", service->name,
			host == NULL ? "*" : host, port, gai_strerror(error));
		return -EINVAL;
	}
	for (struct addrinfo *item = found; item != NULL && result == 0; item = item->ai_next) {
		struct address address = {.len = item->ai_addrlen};
		char text[128] = "?";
		if (!wants_family(service, item->ai_family))
			continue;
		memcpy(&address.storage, item->ai_addr, item->ai_addrlen);
		(void)getnameinfo(item->ai_addr, item->ai_addrlen, text, sizeof text, NULL, 0,
			NI_NUMERICHOST);
		snprintf(key, sizeof key, "inet %s %u", text, address_port(&address));
		result = add(service, key, &address);
		if (result == 0)
			done++;
		else if (is_forgivable(result, wildcard))
			result = 0;
		else
			log_fatal(NULL, "bind %s port %u: %s", text, address_port(&address), strerror(-result));
	}
	freeaddrinfo(found);
	if (result == 0 && done == 0 && !wildcard) {
		log_fatal(NULL, "service %s: no address to listen on", service->name);
		result = -EADDRNOTAVAIL;
	}
	return result;
}

/* inet_interfaces: "all", "loopback-only", or addresses and names. */
static int add_interfaces(struct service *service, const char *port)
{
	struct span rest = span_from_cstr(conf_get(service->conf, "inet_interfaces"));
	struct span word;
	int result = 0;
	while (result == 0 && span_token(&rest, ", \t\r\n", &word)) {
		if (span_equal_nocase(word, SPAN("all")) || span_equal_nocase(word, SPAN("*"))) {
			result = add_inet(service, NULL, port, true);
		} else if (span_equal_nocase(word, SPAN("loopback-only"))) {
			result = add_inet(service, "127.0.0.1", port, true);
			if (result == 0)
				result = add_inet(service, "::1", port, true);
		} else {
			char *host = span_dup_cstr(word);
			size_t len = strlen(host);
			bool bracketed = len > 2 && host[0] == '[' && host[len - 1] == ']';
			if (bracketed)
				host[len - 1] = '\0';
			result = add_inet(service, host + bracketed, port, false);
			free(host);
		}
	}
	return result;
}

/* "port", "host:port", "[address]:port" or "[address:port]" as older files have it. */
static int open_inet(struct service *service)
{
	struct span name = span_from_cstr(service->name);
	size_t colon = span_find_last_char(name, ':');
	if (colon == SIZE_MAX)
		return add_interfaces(service, service->name);
	struct span host = span_head(name, colon), port = span_skip(name, colon + 1);
	if (host.len > 1 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		host = span_part(host, 1, host.len - 2);
	if (host.len == 0) {
		char *text = span_dup_cstr(port);
		int result = add_interfaces(service, text);
		free(text);
		return result;
	}
	char *host_text = span_dup_cstr(host), *port_text = span_dup_cstr(port);
	int result = add_inet(service, host_text, port_text, false);
	free(host_text);
	free(port_text);
	return result;
}

static int open_unix(struct service *service)
{
	struct address address;
	char path[256], key[KEY_MAX];
	/* Master's working directory is the queue directory; the short name always fits. */
	snprintf(path, sizeof path, "%s/%s", service->line->is_private ? "private" : "public",
		service->name);
	snprintf(key, sizeof key, "unix %s", path);
	int result = address_from_path(path, &address);
	if (result == 0)
		result = add(service, key, &address);
	if (result != 0)
		log_fatal(NULL, "service %s: socket %s: %s", service->name, path, strerror(-result));
	return result;
}

int listen_open(struct service *service)
{
	bool listens = (service->program->flags & PROGRAM_LISTENS) != 0;
	if (service->line == NULL || !listens)
		return 0;
	switch (service->line->type) {
	case MASTER_INET:
		return open_inet(service);
	case MASTER_UNIX:
	case MASTER_FIFO: /* obsolete: pickup and qmgr of old files */
		return open_unix(service);
	case MASTER_UNIX_DGRAM:
	case MASTER_PASS:
		return 0;
	}
	return 0;
}

void listen_close_unused(void)
{
	LIST_FOREACH(node, &master.listeners) {
		struct listener *listener = LIST_ENTRY(node, struct listener, node);
		if (listener->generation == master.generation)
			continue;
		list_remove(&listener->node);
		close(listener->fd);
		if (strncmp(listener->key, "unix ", 5) == 0)
			unlink(listener->key + 5);
		free(listener->key);
		free(listener);
	}
}
