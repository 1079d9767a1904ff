/* See socket.h.
 * SPDX-License-Identifier: ISC */
#include "net/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"

bool address_parse_ip(struct span text, uint16_t port, struct address *ret_address)
{
	char copy[INET6_ADDRSTRLEN];
	struct address address = {0};
	bool tagged = span_starts_with_nocase(text, SPAN("IPv6:"));
	if (tagged)
		text = span_skip(text, 5);
	if (text.len >= sizeof copy || text.len == 0)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (memchr(copy, '\0', text.len) != NULL)
		return false;
	if (!tagged && inet_pton(AF_INET, copy, &address.v4.sin_addr) == 1) {
		address.v4.sin_family = AF_INET;
		address.v4.sin_port = htons(port);
		address.len = sizeof address.v4;
	} else if (inet_pton(AF_INET6, copy, &address.v6.sin6_addr) == 1) {
		address.v6.sin6_family = AF_INET6;
		address.v6.sin6_port = htons(port);
		address.len = sizeof address.v6;
	} else {
		return false;
	}
	*ret_address = address;
	return true;
}

int address_from_path(const char *path, struct address *ret_address)
{
	struct address address = {0};
	size_t len = strlen(path);
	if (len >= sizeof address.local.sun_path)
		return -ENAMETOOLONG;
	address.local.sun_family = AF_UNIX;
	memcpy(address.local.sun_path, path, len + 1);
	address.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	*ret_address = address;
	return 0;
}

void address_format(const struct address *address, struct buf *out)
{
	char text[INET6_ADDRSTRLEN];
	if (address->any.sa_family == AF_INET &&
		inet_ntop(AF_INET, &address->v4.sin_addr, text, sizeof text) != NULL)
		buf_append_cstr(out, text);
	else if (address->any.sa_family == AF_INET6 &&
		inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof text) != NULL)
		buf_append_cstr(out, text);
	else
		buf_append_cstr(out, "unknown");
}

uint16_t address_port(const struct address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohs(address->v4.sin_port);
	return address->any.sa_family == AF_INET6 ? ntohs(address->v6.sin6_port) : 0;
}

bool address_is_loopback(const struct address *address)
{
	if (address->any.sa_family == AF_INET)
		return (ntohl(address->v4.sin_addr.s_addr) >> 24) == 127;
	if (address->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
	return address->any.sa_family == AF_UNIX;
}

bool address_equal_host(const struct address *a, const struct address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	if (a->any.sa_family == AF_INET6)
		return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
	return false;
}

void address_unmap(struct address *address)
{
	if (address->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
		return;
	struct address plain = {0};
	plain.v4.sin_family = AF_INET;
	plain.v4.sin_port = address->v6.sin6_port;
	memcpy(&plain.v4.sin_addr, address->v6.sin6_addr.s6_addr + 12, 4);
	plain.len = sizeof plain.v4;
	*address = plain;
}

int socket_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -errno;
	if (flags & O_NONBLOCK)
		return 0;
	/* Not by F_SETFL, which could make an append-only log file another, and is refused by
	 * seccomp. */
	int yes = 1;
	return ioctl(fd, FIONBIO, &yes) != 0 ? -errno : 0;
}

int socket_set_nodelay(int fd)
{
	int yes = 1;
	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0 ? -errno : 0;
}

static int close_with(int fd, int error)
{
	task_forget_fd(fd);
	close(fd);
	return -error;
}

/* Binds under a name of its own and renames, so that a client never finds a dead socket. PRIV:
 * master does this as root in folders of mail_owner's, who could put a link in the way of a
 * chmod(): the mode comes from the umask. */
static int bind_local(int fd, const struct address *address, mode_t mode)
{
	char path[sizeof address->local.sun_path + 16];
	struct address temporary;
	snprintf(path, sizeof path, "%s.%d", address->local.sun_path, (int)getpid());
	int status = address_from_path(path, &temporary);
	if (status != 0)
		return status;
	unlink(path);
	mode_t mask = umask(~mode & 0777);
	int error = bind(fd, &temporary.any, temporary.len) != 0 ? errno : 0;
	umask(mask);
	if (error != 0)
		return -error;
	if (rename(path, address->local.sun_path) != 0) {
		error = errno;
		unlink(path);
		return -error;
	}
	return 0;
}

int socket_listen(const struct address *address, int backlog, mode_t unix_mode)
{
	int yes = 1;
	int family = address->any.sa_family;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
	if (family == AF_UNIX) {
		int status = bind_local(fd, address, unix_mode);
		if (status != 0)
			return close_with(fd, -status);
	} else if (bind(fd, &address->any, address->len) != 0) {
		return close_with(fd, errno);
	}
	if (listen(fd, backlog) != 0)
		return close_with(fd, errno);
	return fd;
}

int socket_accept(int listen_fd, task_time deadline, struct address *ret_peer)
{
	for (;;) {
		struct address peer = {.len = sizeof peer.storage};
		int fd = accept4(listen_fd, &peer.any, &peer.len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			address_unmap(&peer);
			*ret_peer = peer;
			return fd;
		}
		int status = 0;
		if (errno == EAGAIN) {
			status = task_wait_fd(listen_fd, TASK_ACCEPT, deadline);
		} else if (fd_is_shortage(-errno)) {
			int error = errno;
			status = task_sleep(100);
			return status != 0 ? status : -error;
		} else if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) {
			return -errno;
		}
		if (status != 0)
			return status;
	}
}

int socket_connect(const struct address *to, const struct address *bind_to, task_time deadline)
{
	int error = 0;
	socklen_t size = sizeof error;
	int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind_to != NULL && bind(fd, &bind_to->any, bind_to->len) != 0)
		return close_with(fd, errno);
	if (connect(fd, &to->any, to->len) == 0)
		return fd;
	if (errno != EINPROGRESS && errno != EAGAIN)
		return close_with(fd, errno);
	for (;;) {
		int status = task_wait_fd(fd, TASK_WRITE, deadline);
		if (status != 0)
			return close_with(fd, -status);
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
			return close_with(fd, errno);
		if (error != 0)
			return close_with(fd, error);
		struct sockaddr_storage peer;
		socklen_t peer_size = sizeof peer;
		if (getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0)
			return fd;
		if (errno != ENOTCONN)
			return close_with(fd, errno);
	}
}

int socket_local_address(int fd, struct address *ret_address)
{
	struct address address = {.len = sizeof address.storage};
	if (getsockname(fd, &address.any, &address.len) != 0)
		return -errno;
	address_unmap(&address);
	*ret_address = address;
	return 0;
}

int socket_peer_address(int fd, struct address *ret_address)
{
	struct address address = {.len = sizeof address.storage};
	if (getpeername(fd, &address.any, &address.len) != 0)
		return -errno;
	address_unmap(&address);
	*ret_address = address;
	return 0;
}
