/* Connections of the benchmark that send no mail, all by one blocking client after the other.
 *   bench_sessions hold PORT COUNT plain|tls
 *       opens COUNT sessions (TLS from the first byte), says HELO in each, prints how many are
 *       open, holds them until standard input ends
 *   bench_sessions shake PORT COUNT full|resume CLIENTS
 *       COUNT TLS handshakes by CLIENTS processes, each with a greeting and QUIT; prints one JSON
 *       line
 * A session that is not greeted within 5 seconds ends the opening. Resumed ones are what OpenSSL
 * says was resumed: each takes the newest ticket of its client.
 * SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 64

struct session {
	int fd;
	SSL *tls;
};

struct tally {
	unsigned done, resumed;
};

static unsigned port;
static SSL_CTX *context;
static SSL_SESSION *newest;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned number(const char *text)
{
	unsigned value = 0;
	for (; *text >= '0' && *text <= '9' && value < 10000000; text++)
		value = value * 10 + (unsigned)(*text - '0');
	return *text ? 0 : value;
}

static int keep_ticket(SSL *tls, SSL_SESSION *session)
{
	(void)tls;
	SSL_SESSION_free(newest);
	newest = session;
	return 1;
}

static int connect_to(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct timeval patience = {.tv_sec = 5};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	close(fd);
	return -1;
}

/* One line that begins with a 2. */
static int good_line(struct session *s)
{
	char line[1024];
	int length = 0;
	while (length < (int)sizeof line) {
		ssize_t n = s->tls ? SSL_read(s->tls, line + length, (int)sizeof line - length)
				   : recv(s->fd, line + length, sizeof line - (size_t)length, 0);
		if (n <= 0)
			return 0;
		length += (int)n;
		if (line[length - 1] == '\n')
			return line[0] == '2';
	}
	return 0;
}

static int say(struct session *s, const char *text)
{
	int length = (int)strlen(text);
	if (s->tls)
		return SSL_write(s->tls, text, length) == length;
	return send(s->fd, text, (size_t)length, MSG_NOSIGNAL) == length;
}

static void close_session(struct session *s)
{
	if (s->tls) {
		SSL_shutdown(s->tls);
		SSL_free(s->tls);
	}
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->tls = NULL;
}

/* Connected and greeted. */
static int open_session(struct session *s, int resume)
{
	s->tls = NULL;
	s->fd = connect_to();
	if (s->fd < 0)
		return 0;
	if (context) {
		s->tls = SSL_new(context);
		SSL_set_fd(s->tls, s->fd);
		if (resume && newest) {
			/* A copy: OpenSSL would use the ticket itself once only. */
			SSL_SESSION *copy = SSL_SESSION_dup(newest);
			SSL_set_session(s->tls, copy);
			SSL_SESSION_free(copy);
		}
		if (SSL_connect(s->tls) != 1) {
			close_session(s);
			return 0;
		}
	}
	if (good_line(s))
		return 1;
	close_session(s);
	return 0;
}

static int hold(unsigned count)
{
	struct session *sessions = calloc(count, sizeof *sessions);
	unsigned open = 0;
	char byte;
	while (sessions && open < count && open_session(&sessions[open], 0)) {
		if (!say(&sessions[open], "HELO bench.example.net\r\n") || !good_line(&sessions[open])) {
			close_session(&sessions[open]);
			break;
		}
		open++;
	}
	printf("%u\n", open);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		continue;
	return 0;
}

static void client(unsigned count, int resume, struct tally *tally)
{
	struct session s;
	if (resume && open_session(&s, 0)) {
		if (say(&s, "QUIT\r\n"))
			good_line(&s);
		close_session(&s);
	}
	for (unsigned i = 0; i < count; i++) {
		if (!open_session(&s, resume))
			return;
		tally->done++;
		tally->resumed += (unsigned)SSL_session_reused(s.tls);
		if (say(&s, "QUIT\r\n"))
			good_line(&s);
		close_session(&s);
	}
}

static int shake(unsigned count, int resume, unsigned clients)
{
	struct tally *tallies = mmap(NULL, CLIENTS_MAX * sizeof *tallies, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct tally all = {0};
	double began = now();
	if (tallies == MAP_FAILED)
		return 1;
	for (unsigned i = 0; i < clients; i++) {
		if (fork() == 0) {
			client(count / clients, resume, &tallies[i]);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		continue;
	for (unsigned i = 0; i < clients; i++) {
		all.done += tallies[i].done;
		all.resumed += tallies[i].resumed;
	}
	printf("{\"wanted\": %u, \"done\": %u, \"resumed\": %u, \"seconds\": %.4f}\n",
		count / clients * clients, all.done, all.resumed, now() - began);
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	unsigned count = argc > 3 ? number(argv[3]) : 0;
	int holds = argc == 5 && !strcmp(argv[1], "hold");
	unsigned clients = argc == 6 && !strcmp(argv[1], "shake") ? number(argv[5]) : 0;
	if (count == 0 || (!holds && (clients == 0 || clients > CLIENTS_MAX))) {
		fprintf(stderr, "usage: bench_sessions hold PORT COUNT plain|tls\n"
				"       bench_sessions shake PORT COUNT full|resume CLIENTS\n");
		return 1;
	}
	port = number(argv[2]);
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (!holds || !strcmp(argv[4], "tls")) {
		context = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
		SSL_CTX_set_session_cache_mode(context,
			SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(context, keep_ticket);
	}
	return holds ? hold(count) : shake(count, !strcmp(argv[4], "resume"), clients);
}
