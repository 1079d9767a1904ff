/* An SMTP server of the benchmark that takes every message and forgets it.
 *   bench_sink PORT   prints how many messages and recipients it has taken so far, a line each
 *                     time it has changed and rests or grew by 100 messages.
 * SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
	int fd;
	int in_data;
	unsigned long recipients; /* of this message */
	size_t length;
	char line[1024];
};

static unsigned long taken, taken_recipients;

static void reply(struct client *c, const char *text)
{
	ssize_t n = send(c->fd, text, strlen(text), MSG_NOSIGNAL);
	(void)n; /* a client that is gone shows at the next read */
}

static void take_line(struct client *c)
{
	const char *l = c->line;
	if (c->in_data) {
		if (c->length == 3 && l[0] == '.') {
			c->in_data = 0;
			taken++;
			taken_recipients += c->recipients;
			c->recipients = 0;
			reply(c, "250 2.0.0 Ok\r\n");
		}
	} else if (!strncmp(l, "EHLO", 4)) {
		reply(c, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n");
	} else if (!strncmp(l, "RCPT", 4)) {
		c->recipients++;
		reply(c, "250 2.1.5 Ok\r\n");
	} else if (!strncmp(l, "DATA", 4)) {
		c->in_data = 1;
		reply(c, "354 go on\r\n");
	} else if (!strncmp(l, "QUIT", 4)) {
		reply(c, "221 bye\r\n");
	} else {
		reply(c, "250 2.0.0 Ok\r\n");
	}
}

static void client_ready(struct client *c)
{
	static char bytes[65536];
	for (;;) {
		ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close(c->fd);
			free(c);
			return;
		}
		for (ssize_t i = 0; i < n; i++) {
			if (c->length < sizeof c->line - 1)
				c->line[c->length++] = bytes[i];
			if (bytes[i] == '\n') {
				c->line[c->length] = 0;
				take_line(c);
				c->length = 0;
			}
		}
	}
}

static void accept_one(int poll_fd, int listener)
{
	int fd = accept(listener, NULL, NULL);
	struct client *c = fd < 0 ? NULL : calloc(1, sizeof *c);
	if (!c)
		return;
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->fd = fd;
	reply(c, "220 sink ESMTP\r\n");
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = c};
	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		close(fd);
		free(c);
	}
}

int main(int argc, char **argv)
{
	unsigned port = 0;
	for (const char *p = argc == 2 ? argv[1] : ""; *p >= '0' && *p <= '9' && port < 65536; p++)
		port = port * 10 + (unsigned)(*p - '0');
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	int poll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	if (port == 0 || port > 65535 || bind(listener, (struct sockaddr *)&at, sizeof at) < 0 ||
	    listen(listener, 1024) < 0 || epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &event) < 0) {
		fprintf(stderr, "bench_sink: %s\n", strerror(errno));
		return 1;
	}
	for (unsigned long told = 0;;) {
		struct epoll_event events[256];
		int n = epoll_wait(poll_fd, events, 256, 20);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				client_ready(events[i].data.ptr);
			else
				accept_one(poll_fd, listener);
		}
		if (taken != told && (n == 0 || taken >= told + 100)) {
			told = taken;
			printf("%lu %lu\n", told, taken_recipients);
			fflush(stdout);
		}
	}
}
