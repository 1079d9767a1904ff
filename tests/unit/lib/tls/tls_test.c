/* TLS over a socket pair: agreement, dropped plaintext, tickets bound to a service, names, ALPN.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tls/tls.h"

#define TICKET_PERIOD (12 * 3600) /* as in lib/tls/context.c */

/* The clock of everything in this program, OpenSSL too; 0: the machine's. */
static time_t now;

time_t time(time_t *ret_time)
{
	struct timespec spec;
	time_t seconds = now;
	if (seconds == 0 && clock_gettime(CLOCK_REALTIME, &spec) == 0)
		seconds = spec.tv_sec;
	if (ret_time != NULL)
		*ret_time = seconds;
	return seconds;
}

static struct buf cert = BUF_INIT(100000), key = BUF_INIT(100000);

static void read_all(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	for (int c; (c = fgetc(file)) != EOF;)
		buf_append_char(out, (char)c);
	fclose(file);
}

static int make_certificate(void **state)
{
	(void)state;
	char dir[] = "/tmp/tls_test_XXXXXX", command[600];
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(command, sizeof command,
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
		"-subj /CN=mail.example.test -addext subjectAltName=DNS:mail.example.test "
		"-keyout %s/key -out %s/cert 2>/dev/null", dir, dir);
	FILE *run = popen(command, "r");
	if (run == NULL || pclose(run) != 0)
		return -1;
	snprintf(command, sizeof command, "%s/cert", dir);
	read_all(command, &cert);
	unlink(command);
	snprintf(command, sizeof command, "%s/key", dir);
	read_all(command, &key);
	unlink(command);
	return rmdir(dir);
}

static int drop_certificate(void **state)
{
	(void)state;
	buf_done(&cert);
	buf_done(&key);
	return 0;
}

static struct tls_context *server_context(const char *name, const char *alpn)
{
	char *error = NULL;
	struct tls_settings settings = {.name = name,
		.pair_count = 1,
		.protocols = ">=TLSv1.2",
		.ciphers = "medium",
		.alpn = alpn,
		.ticket_secret = SPAN("0123456789abcdef0123456789abcdef")};
	settings.pairs[0].chain_pem = buf_span(&cert);
	settings.pairs[0].key_pem = buf_span(&key);
	struct tls_context *context = tls_server_context(&settings, &error);
	if (context == NULL)
		fail_msg("%s", error);
	return context;
}

struct side {
	struct stream *stream;
	struct tls_context *context;
	const char *name;
	enum tls_verify verify;
	int status;
	bool verified;
	struct tls_info info;
};

static void serve(void *arg)
{
	struct side *side = arg;
	char *error = NULL;
	struct span line;
	/* The client stuffed a plaintext line behind its request: it must not be seen below. */
	assert_int_equal(stream_read_line(side->stream, 100, TASK_FOREVER, &line), 0);
	assert_true(stream_buffered(side->stream).len > 0);
	stream_write_cstr(side->stream, "go\n");
	stream_flush(side->stream, TASK_FOREVER);
	side->status = tls_accept(side->stream, side->context, task_deadline(5000), &error);
	free(error);
	if (side->status == 0) {
		assert_int_equal(stream_read_line(side->stream, 100, TASK_FOREVER, &line), 0);
		assert_true(span_equal(line, SPAN("secret\n")));
		stream_write_cstr(side->stream, "answer\n");
	}
	stream_close(side->stream, task_deadline(5000));
}

static void ask(void *arg)
{
	struct side *side = arg;
	char *error = NULL;
	struct span line;
	stream_write_cstr(side->stream, "STARTTLS\nINJECTED\n");
	stream_flush(side->stream, TASK_FOREVER);
	assert_int_equal(stream_read_line(side->stream, 100, TASK_FOREVER, &line), 0);
	side->status = tls_connect(side->stream, side->context, side->name, side->verify,
		task_deadline(5000), &error);
	free(error);
	if (side->status == 0) {
		assert_true(tls_stream_info(side->stream, &side->info));
		side->verified = side->info.verified;
		stream_write_cstr(side->stream, "secret\n");
		stream_flush(side->stream, TASK_FOREVER);
		side->status = stream_read_line(side->stream, 100, task_deadline(5000), &line);
		if (side->status == 0)
			assert_true(span_equal(line, SPAN("answer\n")));
	}
	stream_close(side->stream, task_deadline(5000));
}

static void talk(struct side *server, struct side *client)
{
	int fd[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
	server->stream = stream_new(fd[0], 8192, 8192);
	client->stream = stream_new(fd[1], 8192, 8192);
	task_loop_open();
	task_spawn("serve", serve, server, 0);
	task_spawn("ask", ask, client, 0);
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

static struct tls_context *client_context(const char *protocols)
{
	char *error = NULL;
	struct tls_settings settings = {.name = "client", .protocols = protocols, .ciphers = "high"};
	struct tls_context *context = tls_client_context(&settings, &error);
	assert_non_null(context);
	return context;
}

static void test_session(void **state)
{
	(void)state;
	struct side server = {.context = server_context("smtp", "smtp")};
	struct side client = {.context = client_context(">=TLSv1.2"), .name = "mail.example.test",
		.verify = TLS_VERIFY_CHAIN_AND_NAME};
	talk(&server, &client);
	assert_int_equal(server.status, 0);
	assert_int_equal(client.status, 0);
	assert_string_equal(client.info.protocol, "TLSv1.3");
	assert_false(client.verified); /* self-signed */
	tls_context_free(server.context);
	tls_context_free(client.context);
}

static void test_old_protocols_are_refused(void **state)
{
	(void)state;
	char *error = NULL;
	struct tls_settings settings = {.name = "x", .protocols = "!TLSv1.2, !TLSv1.3"};
	assert_null(tls_client_context(&settings, &error));
	assert_non_null(error);
	free(error);
	settings.protocols = "SSLv9";
	assert_null(tls_client_context(&settings, &error));
	free(error);
	settings.protocols = "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1";
	struct tls_context *context = tls_client_context(&settings, &error);
	assert_non_null(context);
	tls_context_free(context);
}

static void test_bad_certificates_are_told(void **state)
{
	(void)state;
	char *error = NULL;
	struct tls_settings settings = {.name = "x", .pair_count = 1};
	settings.pairs[0].chain_pem = SPAN("rubbish");
	settings.pairs[0].key_pem = buf_span(&key);
	assert_null(tls_server_context(&settings, &error));
	assert_non_null(strstr(error, "certificate"));
	free(error);
}

/* --- tickets, as a client sees them that is not ours --- */

struct ticket_client {
	int fd;
	SSL_CTX *context;
	SSL_SESSION *offered; /* NULL: none */
	SSL_SESSION *got;
	bool resumed, ok;
};

static void *run_ticket_client(void *arg)
{
	struct ticket_client *client = arg;
	char bytes[100];
	client->ok = write(client->fd, "STARTTLS\nINJECTED\n", 18) == 18 &&
		read(client->fd, bytes, sizeof bytes) == 3;
	SSL *ssl = SSL_new(client->context);
	SSL_set_fd(ssl, client->fd);
	if (client->offered != NULL)
		SSL_set_session(ssl, client->offered);
	client->ok = client->ok && SSL_connect(ssl) == 1 && SSL_write(ssl, "secret\n", 7) == 7 &&
		SSL_read(ssl, bytes, sizeof bytes) == 7;
	client->resumed = SSL_session_reused(ssl) == 1;
	client->got = SSL_get1_session(ssl);
	SSL_shutdown(ssl); /* without it the session counts as broken */
	SSL_free(ssl);
	close(client->fd);
	return NULL;
}

/* One conversation with that service; what the client got stays in *client. */
static void take_ticket(const char *service, SSL_SESSION *offered, struct ticket_client *client)
{
	struct side server = {.context = server_context(service, NULL)};
	pthread_t thread;
	int fd[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
	server.stream = stream_new(fd[0], 8192, 8192);
	*client = (struct ticket_client){.fd = fd[1],
		.context = SSL_CTX_new(TLS_client_method()), .offered = offered};
	assert_int_equal(pthread_create(&thread, NULL, run_ticket_client, client), 0);
	task_loop_open();
	task_spawn("serve", serve, &server, 0);
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
	pthread_join(thread, NULL);
	assert_int_equal(server.status, 0);
	assert_true(client->ok);
	assert_non_null(client->got);
	SSL_CTX_free(client->context);
	tls_context_free(server.context);
}

/* The name of the key that a ticket was made with (RFC 5077 4). */
static const unsigned char *key_name(const struct ticket_client *client)
{
	const unsigned char *ticket;
	size_t len;
	SSL_SESSION_get0_ticket(client->got, &ticket, &len);
	assert_true(len > 16);
	return ticket;
}

static void test_ticket_keys_change_with_time(void **state)
{
	(void)state;
	struct ticket_client first, same, next, other;
	time_t change = (time(NULL) / TICKET_PERIOD + 1) * TICKET_PERIOD;
	now = change - 60;
	take_ticket("smtpd/smtp", NULL, &first);
	take_ticket("smtpd/smtp", first.got, &same);
	assert_true(same.resumed);
	assert_memory_equal(key_name(&first), key_name(&same), 16);
	take_ticket("smtpd/submission", first.got, &other);
	assert_false(other.resumed);
	assert_memory_not_equal(key_name(&first), key_name(&other), 16);
	/* The last key still opens what it made, and what comes instead is made with the new one. */
	now = change + 60;
	take_ticket("smtpd/smtp", first.got, &next);
	assert_true(next.resumed);
	assert_memory_not_equal(key_name(&first), key_name(&next), 16);
	now = 0;
	SSL_SESSION_free(first.got);
	SSL_SESSION_free(same.got);
	SSL_SESSION_free(next.got);
	SSL_SESSION_free(other.got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_old_protocols_are_refused),
		cmocka_unit_test(test_bad_certificates_are_told),
		cmocka_unit_test(test_ticket_keys_change_with_time),
	};
	return cmocka_run_group_tests(tests, make_certificate, drop_certificate);
}
