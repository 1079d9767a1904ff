/* Sockets: addresses, listening, connecting. Addresses are IPv4, IPv6 or UNIX-domain.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_NET_SOCKET_H
#define TAMBO_NET_SOCKET_H

#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>

#include "base/buf.h"
#include "task/task.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
		struct sockaddr_storage storage;
	};
	socklen_t len;
};

/* "192.0.2.1", "2001:db8::1" or "IPv6:2001:db8::1"; no brackets, no name. */
bool address_parse_ip(struct span text, uint16_t port, struct address *ret_address);
/* -ENAMETOOLONG when the path does not fit. */
int address_from_path(const char *path, struct address *ret_address);
/* "192.0.2.1" or "2001:db8::1" (as Postfix logs it), "unknown" for others. */
void address_format(const struct address *address, struct buf *out);
uint16_t address_port(const struct address *address);
bool address_is_loopback(const struct address *address);
bool address_equal_host(const struct address *a, const struct address *b);
/* IPv4-mapped IPv6 becomes IPv4. */
void address_unmap(struct address *address);

/* Listening socket, non-blocking, close-on-exec, SO_REUSEADDR; IPV6_V6ONLY for IPv6; a UNIX socket
 * is made under a temporary name and renamed, mode given. fd or -errno. */
int socket_listen(const struct address *address, int backlog, mode_t unix_mode);
/* Non-blocking accept in a task: fd or -errno (-EMFILE and -ENFILE have slept 100 ms already). */
int socket_accept(int listen_fd, task_time deadline, struct address *ret_peer);
/* Connects in a task; bind_to may be NULL. fd or -errno. */
int socket_connect(const struct address *to, const struct address *bind_to, task_time deadline);
int socket_local_address(int fd, struct address *ret_address);
int socket_peer_address(int fd, struct address *ret_address);
int socket_set_nonblocking(int fd);
int socket_set_nodelay(int fd);

#endif
