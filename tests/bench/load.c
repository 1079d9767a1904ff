/* The load generator of the benchmark: many SMTP sessions in one process, without PIPELINING
 * but for the recipients of one message, 50 at a time.
 *   bench_load PORT SESSIONS MESSAGES SIZE PER_CONNECTION RECIPIENTS PREFIX NAMES DOMAIN
 * sends MESSAGES messages of SIZE bytes to RECIPIENTS of the NAMES addresses PREFIX0@DOMAIN,
 * PREFIX1@DOMAIN... each, in turn. Prints one JSON line: messages with a 250, failures, seconds,
 * and the milliseconds from the first byte of a transaction (the connect, for the first of a
 * connection) to the 250 of its content.
 * SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 50

enum state { GREETING, HELLO, MAIL, RCPT, DATA, CONTENT, QUIT };

struct session {
	int fd;
	enum state state;
	unsigned sent, recipients; /* on this connection, in this message */
	unsigned unanswered;	   /* RCPT commands */
	uint64_t began;
	const char *out;
	size_t left;
	char line[512];
	size_t line_length;
	char commands[BATCH * 128];
};

static struct {
	unsigned port, sessions, messages, size, per_connection, recipients, names;
	const char *prefix, *domain;
} wanted;

static char *content;
static size_t content_length;
static unsigned started, finished, failed, next_name, open_sessions;
static uint64_t *times;
static int poll_fd;

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void make_content(void)
{
	static const char header[] = "From: <sender@example.net>\r\nTo: <reader@example.test>\r\n"
				     "Subject: a message of the benchmark\r\n"
				     "Message-ID: <bench@example.net>\r\n"
				     "Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\n";
	size_t room = wanted.size + sizeof header + 128;
	content = malloc(room);
	if (!content)
		die("memory");
	memcpy(content, header, sizeof header - 1);
	content_length = sizeof header - 1;
	while (content_length < wanted.size) {
		memset(content + content_length, 'a' + (int)(content_length % 26), 76);
		memcpy(content + content_length + 76, "\r\n", 2);
		content_length += 78;
	}
	memcpy(content + content_length, ".\r\n", 3);
	content_length += 3;
}

static void flush_out(struct session *s)
{
	while (s->left) {
		ssize_t n = send(s->fd, s->out, s->left, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			s->left = 0;
			return;
		}
		s->out += n;
		s->left -= (size_t)n;
	}
}

static void say(struct session *s, const char *text)
{
	s->out = text;
	s->left = strlen(text);
	flush_out(s);
}

static void open_session(struct session *s)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)wanted.port)};
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memset(s, 0, sizeof *s);
	s->began = now();
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&to, sizeof to) < 0)
		die("connect");
	int one = 1;
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = s};
	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, s->fd, &event) < 0)
		die("epoll");
	open_sessions++;
}

static void close_session(struct session *s)
{
	close(s->fd);
	s->fd = -1;
	open_sessions--;
	if (started < wanted.messages) {
		started++;
		open_session(s);
	}
}

static void say_mail(struct session *s)
{
	s->state = MAIL;
	s->recipients = 0;
	say(s, "MAIL FROM:<sender@example.net>\r\n");
}

static void say_rcpt(struct session *s)
{
	size_t length = 0;
	s->state = RCPT;
	while (s->unanswered < BATCH && s->recipients < wanted.recipients) {
		s->unanswered++;
		s->recipients++;
		length += (size_t)snprintf(s->commands + length, 128, "RCPT TO:<%.40s%u@%.40s>\r\n",
			wanted.prefix, next_name++ % wanted.names, wanted.domain);
	}
	say(s, s->commands);
}

static void message_done(struct session *s)
{
	times[finished++] = now() - s->began;
	s->sent++;
	if (s->sent < wanted.per_connection && started < wanted.messages) {
		started++;
		s->began = now();
		say_mail(s);
		return;
	}
	s->state = QUIT;
	say(s, "QUIT\r\n");
}

static void reply_received(struct session *s)
{
	int code = s->line[0];
	if (s->state == QUIT) {
		close_session(s);
		return;
	}
	if (code != (s->state == DATA ? '3' : '2')) {
		fprintf(stderr, "bench_load: %.*s\n", (int)s->line_length, s->line);
		failed++;
		s->state = QUIT;
		say(s, "QUIT\r\n");
		return;
	}
	switch (s->state) {
	case GREETING:
		s->state = HELLO;
		say(s, "EHLO bench.example.net\r\n");
		break;
	case HELLO:
		say_mail(s);
		break;
	case MAIL:
		say_rcpt(s);
		break;
	case RCPT:
		if (--s->unanswered)
			break;
		if (s->recipients < wanted.recipients) {
			say_rcpt(s);
		} else {
			s->state = DATA;
			say(s, "DATA\r\n");
		}
		break;
	case DATA:
		s->state = CONTENT;
		s->out = content;
		s->left = content_length;
		flush_out(s);
		break;
	case CONTENT:
		message_done(s);
		break;
	case QUIT:
		break;
	}
}

/* Returns false when the connection has ended. */
static int take_bytes(struct session *s, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (s->line_length < sizeof s->line)
			s->line[s->line_length++] = bytes[i];
		if (bytes[i] != '\n')
			continue;
		int last = s->line_length > 3 && s->line[3] != '-';
		int before = s->fd;
		enum state state = s->state;
		if (last)
			reply_received(s);
		if (last && state == QUIT)
			return 0;
		if (s->fd != before)
			return 0;
		s->line_length = 0;
	}
	return 1;
}

static void session_ready(struct session *s)
{
	char bytes[4096];
	flush_out(s);
	for (;;) {
		ssize_t n = recv(s->fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			if (s->state != QUIT)
				failed++;
			close_session(s);
			return;
		}
		if (!take_bytes(s, bytes, (size_t)n))
			return;
	}
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static unsigned number(const char *text)
{
	const char *end;
	unsigned long value = 0;
	for (end = text; *end >= '0' && *end <= '9' && value < 100000000; end++)
		value = value * 10 + (unsigned long)(*end - '0');
	if (*end || !*text || value > 100000000) {
		fprintf(stderr, "bench_load: not a number: %s\n", text);
		exit(1);
	}
	return (unsigned)value;
}

int main(int argc, char **argv)
{
	if (argc != 10) {
		fprintf(stderr, "usage: bench_load PORT SESSIONS MESSAGES SIZE PER_CONNECTION "
				"RECIPIENTS PREFIX NAMES DOMAIN\n");
		return 1;
	}
	wanted.port = number(argv[1]);
	wanted.sessions = number(argv[2]);
	wanted.messages = number(argv[3]);
	wanted.size = number(argv[4]);
	wanted.per_connection = number(argv[5]);
	wanted.recipients = number(argv[6]);
	wanted.prefix = argv[7];
	wanted.names = number(argv[8]);
	wanted.domain = argv[9];
	if (!wanted.sessions || !wanted.messages || !wanted.names)
		return 1;
	if (wanted.sessions > wanted.messages)
		wanted.sessions = wanted.messages;
	make_content();
	times = calloc(wanted.messages, sizeof *times);
	struct session *sessions = calloc(wanted.sessions, sizeof *sessions);
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!times || !sessions || poll_fd < 0)
		die("start");
	uint64_t began = now();
	for (unsigned i = 0; i < wanted.sessions; i++) {
		started++;
		open_session(&sessions[i]);
	}
	while (open_sessions) {
		struct epoll_event events[256];
		int n = epoll_wait(poll_fd, events, 256, 60000);
		if (n == 0)
			die("nothing heard for a minute");
		for (int i = 0; i < n; i++)
			session_ready(events[i].data.ptr);
	}
	double seconds = (double)(now() - began) / 1e9;
	qsort(times, finished, sizeof *times, by_time);
	printf("{\"sent\": %u, \"failed\": %u, \"seconds\": %.4f, \"p50\": %.3f, \"p99\": %.3f}\n",
	       finished, failed, seconds, finished ? (double)times[finished / 2] / 1e6 : 0.0,
	       finished ? (double)times[(size_t)finished * 99 / 100] / 1e6 : 0.0);
	return 0;
}
