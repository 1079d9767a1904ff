/* The client of the IMAP and POP3 rows: runs a script of commands on some sessions, each a thread.
 *   mail_load PORT SESSIONS COUNT fresh|kept none|full|resume < script
 * kept: each session connects once, runs the lines P, then all of them share COUNT runs of the
 * lines M. fresh: each of the COUNT runs has a connection of its own. Prints "ready", waits for a
 * byte on standard input, runs, prints one JSON line (seconds, milliseconds per run, TLS sessions
 * resumed, bytes received), keeps its sessions open until standard input ends.
 * A line of the script: P or M, then what ends the answer (t: tagged line, l: a line, d: a line
 * with a dot, +: a continuation, n: nothing awaited), a space, what to send with \r \n \\, %d
 * (number of the run, %n from 1), %s (of the session). The script ends with an empty line. An
 * answer that is not OK or +OK ends the run.
 * SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TAG "tag9x "
#define ROOM (1 << 20)
#define STEPS_MAX 2000

struct step {
	bool measured;
	char end;
	char *text;
};

struct session {
	pthread_t thread;
	int fd, number;
	SSL *tls;
	SSL_SESSION *saved;
	char *room;
	uint64_t received, resumed;
};

static struct step steps[STEPS_MAX];
static int step_count, port, count, next_run;
static bool fresh, with_tls, resume;
static SSL_CTX *context;
static uint64_t *times;
static pthread_barrier_t prepared, go;

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what, const char *more)
{
	fprintf(stderr, "mail_load: %s: %s (%s)\n", what, more, strerror(errno));
	exit(1);
}

/* Replaces \r \n \\ and keeps % for later. */
static char *unescape(const char *from)
{
	char *text = malloc(strlen(from) + 1), *to = text;
	for (; *from; from++) {
		if (*from == '\\' && from[1]) {
			from++;
			*to++ = (char)(*from == 'r' ? '\r' : *from == 'n' ? '\n' : *from);
		} else {
			*to++ = *from;
		}
	}
	*to = 0;
	return text;
}

static void read_script(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	while ((length = getline(&line, &room, stdin)) > 1) {
		if (step_count == STEPS_MAX || length < 4)
			die("script", line);
		line[length - 1] = 0;
		steps[step_count++] = (struct step){line[0] == 'M', line[1], unescape(line + 3)};
	}
	free(line);
}

static size_t fill(const char *text, int run, int session, char *out)
{
	char *to = out;
	for (; *text; text++) {
		if (text[0] == '%' && strchr("dns", text[1]))
			to += snprintf(to, 12, "%d", *++text == 's' ? session : run + (*text == 'n'));
		else
			*to++ = *text;
	}
	return (size_t)(to - out);
}

static void connect_session(struct session *s)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int one = 1;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&to, sizeof to) < 0)
		die("connect", "");
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (!with_tls)
		return;
	s->tls = SSL_new(context);
	SSL_set_fd(s->tls, s->fd);
	if (resume && s->saved)
		SSL_set_session(s->tls, s->saved);
	if (SSL_connect(s->tls) != 1)
		die("TLS", "handshake");
	s->resumed += (uint64_t)SSL_session_reused(s->tls);
}

static void close_session(struct session *s)
{
	if (s->tls) {
		if (resume) {
			SSL_SESSION_free(s->saved);
			s->saved = SSL_get1_session(s->tls);
		}
		SSL_shutdown(s->tls);
		SSL_free(s->tls);
		s->tls = NULL;
	}
	close(s->fd);
}

static void put(struct session *s, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = s->tls ? SSL_write(s->tls, bytes, (int)length)
				   : send(s->fd, bytes, length, MSG_NOSIGNAL);
		if (n <= 0)
			die("send", "");
		bytes += n;
		length -= (size_t)n;
	}
}

static bool is_complete(const char *bytes, size_t length, char end)
{
	if (length < 2 || memcmp(bytes + length - 2, "\r\n", 2) != 0)
		return false;
	if (end == 'd')
		return bytes[0] == '-' || (length >= 5 && memcmp(bytes + length - 5, "\r\n.\r\n", 5) == 0);
	const char *line = memrchr(bytes, '\n', length - 2);
	line = line ? line + 1 : bytes;
	if (end == 't')
		return strncmp(line, TAG, strlen(TAG)) == 0;
	return true;
}

static bool is_good(const char *bytes, size_t length, char end)
{
	if (end == 't') {
		const char *line = memrchr(bytes, '\n', length - 2);
		line = line ? line + 1 : bytes;
		return strncmp(line + strlen(TAG), "OK", 2) == 0;
	}
	return bytes[0] == '+' || strncmp(bytes, "* ", 2) == 0;
}

/* Reads one answer; of a long one only what decides is kept. */
static void await(struct session *s, const struct step *step)
{
	size_t have = 0;
	for (;;) {
		ssize_t n = s->tls ? SSL_read(s->tls, s->room + have, (int)(ROOM - 1 - have))
				   : recv(s->fd, s->room + have, ROOM - 1 - have, 0);
		if (n <= 0)
			die("the server hung up", step->text);
		have += (size_t)n;
		s->received += (uint64_t)n;
		s->room[have] = 0;
		if (is_complete(s->room, have, step->end))
			break;
		if (have > 8192 && step->end != 'l') {
			memmove(s->room + 64, s->room + have - 1024, 1024);
			have = 64 + 1024;
		}
	}
	if (!is_good(s->room, have, step->end))
		die(step->text, have > 300 ? s->room + have - 300 : s->room);
}

static void run_steps(struct session *s, bool measured, int run)
{
	for (int i = 0; i < step_count; i++) {
		if (steps[i].measured != measured)
			continue;
		char out[16384];
		size_t length = fill(steps[i].text, run, s->number, out);
		if (length > 0)
			put(s, out, length);
		if (steps[i].end != 'n')
			await(s, &steps[i]);
	}
}

static void *session_main(void *arg)
{
	struct session *s = arg;
	int run;
	s->room = malloc(ROOM);
	if (!fresh) {
		connect_session(s);
		run_steps(s, false, 0);
	}
	pthread_barrier_wait(&prepared);
	pthread_barrier_wait(&go);
	while ((run = __atomic_fetch_add(&next_run, 1, __ATOMIC_RELAXED)) < count) {
		uint64_t began = now();
		if (fresh)
			connect_session(s);
		run_steps(s, true, run);
		if (fresh)
			close_session(s);
		times[run] = now() - began;
	}
	return NULL;
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	if (argc != 6)
		die("usage", "mail_load PORT SESSIONS COUNT fresh|kept none|full|resume < script");
	int sessions = atoi(argv[2]);
	port = atoi(argv[1]);
	count = atoi(argv[3]);
	fresh = strcmp(argv[4], "fresh") == 0;
	with_tls = strcmp(argv[5], "none") != 0;
	resume = strcmp(argv[5], "resume") == 0;
	setvbuf(stdin, NULL, _IONBF, 0);
	read_script();
	if (with_tls)
		context = SSL_CTX_new(TLS_client_method());
	times = calloc((size_t)count, sizeof *times);
	struct session *all = calloc((size_t)sessions, sizeof *all);
	pthread_barrier_init(&prepared, NULL, (unsigned)sessions + 1);
	pthread_barrier_init(&go, NULL, (unsigned)sessions + 1);
	for (int i = 0; i < sessions; i++) {
		all[i].number = i;
		pthread_create(&all[i].thread, NULL, session_main, &all[i]);
	}
	pthread_barrier_wait(&prepared);
	printf("ready\n");
	fflush(stdout);
	char byte;
	if (read(0, &byte, 1) != 1)
		return 1;
	uint64_t began = now(), received = 0, resumed = 0;
	pthread_barrier_wait(&go);
	for (int i = 0; i < sessions; i++) {
		pthread_join(all[i].thread, NULL);
		received += all[i].received;
		resumed += all[i].resumed;
	}
	double took = (double)(now() - began) / 1e9;
	qsort(times, (size_t)count, sizeof *times, by_time);
	printf("{\"seconds\": %.6f, \"p50\": %.3f, \"p99\": %.3f, \"resumed\": %llu, "
	       "\"received\": %llu}\n",
		took, (double)times[count / 2] / 1e6, (double)times[count * 99 / 100] / 1e6,
		(unsigned long long)resumed, (unsigned long long)received);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		continue;
	return 0;
}
