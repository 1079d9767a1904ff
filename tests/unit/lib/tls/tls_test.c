/* TLS over a socket pair: agreement, dropped plaintext, tickets bound to a service, names, ALPN.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls/tls.h"

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
	uint8_t binding[32];
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
		assert_true(tls_channel_binding(side->stream, side->binding));
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
		assert_true(tls_channel_binding(side->stream, side->binding));
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
	assert_memory_equal(server.binding, client.binding, 32);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_old_protocols_are_refused),
		cmocka_unit_test(test_bad_certificates_are_told),
	};
	return cmocka_run_group_tests(tests, make_certificate, drop_certificate);
}
