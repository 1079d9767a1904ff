/* A whole delivery by SMTP to a server that says anything: every recipient has one outcome whose
 * code fits it, in one line, and none is sent unless the end of the content has been. The input is
 * what the server says, in pieces with NUL between: one at the beginning of a connection, then one
 * whenever the client has spoken or waits; behind the last it hangs up.
 * SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "dns/resolve.h"
#include "ipc/channel.h"
#include "service/delivery.h"
#include "smtp/cache.h"
#include "smtp/client_tls.h"
#include "smtp/sasl.h"
#include "smtp/serve.h"
#include "smtp/settings.h"
#include "sys/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECIPIENTS 3
#define HOSTS 200 /* 127.0.1.1 and so on: each with ports of its own to connect from */
#define HEARD_MAX 65536
#define PATIENCE_MS 0 /* one process: whoever has heard something says it in the same round */

static const char text[] =
	"compatibility_level = 3.6\nmyhostname = client.test\nqueue_directory = /nowhere\n"
	"inet_protocols = ipv4\ninet_interfaces = 192.0.2.1\nsmtp_tls_security_level = may\n"
	"smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = static:me:secret\n"
	"smtp_sasl_security_options =\nsmtp_connect_timeout = 2s\nsmtp_helo_timeout = 2s\n"
	"smtp_mail_timeout = 2s\nsmtp_rcpt_timeout = 2s\nsmtp_data_init_timeout = 2s\n"
	"smtp_data_xfer_timeout = 2s\nsmtp_data_done_timeout = 2s\nsmtp_rset_timeout = 2s\n"
	"smtp_quit_timeout = 2s\nsmtp_starttls_timeout = 2s\n";
static const char content[] = "From: <a@here.test>\nSubject: x\n\n.dot\nline\n";

static struct {
	struct span input;
	struct buf heard;
	struct task *accepts;
	int listener, fds[2];
	unsigned host;
	uint16_t port;
} t;

static void silence(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)line;
	(void)len;
}

/* --- the server --- */

static bool say_next(struct stream *stream)
{
	bool more = t.input.ptr != NULL && t.input.len > 0;
	struct span piece = more ? span_split(&t.input, '\0') : SPAN_EMPTY;
	return more && stream_write(stream, piece) == 0 &&
		stream_flush(stream, task_deadline(5000)) == 0;
}

/* 0, also when the client waits for more, or -errno. */
static int hear(struct stream *stream, int64_t ms)
{
	struct span bytes;
	int error = stream_peek(stream, task_deadline(ms), &bytes);
	if (error != 0)
		return error == -ETIMEDOUT ? 0 : error;
	buf_append(&t.heard, bytes);
	stream_consume(stream, bytes.len);
	return 0;
}

static void play(int fd)
{
	struct stream *stream = stream_new(fd, HEARD_MAX, HEARD_MAX);
	while (say_next(stream) && hear(stream, PATIENCE_MS) == 0)
		;
	/* What was said is read, whatever the client still says. */
	(void)shutdown(stream_fd(stream), SHUT_WR);
	while (hear(stream, 60000) == 0)
		;
	stream_free(stream);
}

static void run_server(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = accept4(t.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			play(fd);
		else if (task_wait_fd(t.listener, TASK_READ, TASK_FOREVER) != 0)
			break;
	}
}

/* --- qmgr --- */

static void check_outcome(const struct delivery_outcome *outcome)
{
	static const char classes[] = {[DELIVERY_SENT] = '2', [DELIVERY_DEFERRED] = '4',
		[DELIVERY_BOUNCED] = '5'};
	CHECK(outcome->status < sizeof classes && outcome->index >= 100);
	CHECK(outcome->dsn.len >= 5 && outcome->dsn.ptr[0] == classes[outcome->status]);
	for (size_t i = 0; i < outcome->dsn.len; i++)
		CHECK(ascii_is_digit(outcome->dsn.ptr[i]) || outcome->dsn.ptr[i] == '.');
	CHECK(span_is_printable(outcome->text) && span_is_printable(outcome->diagnostic) &&
		span_is_printable(outcome->remote_mta));
	if (outcome->status == DELIVERY_SENT)
		CHECK(span_find(buf_span(&t.heard), SPAN("\r\n.\r\n")) != SIZE_MAX);
}

static void check_reply(const struct delivery_reply *reply)
{
	unsigned seen = 0;
	CHECK(reply->outcome_count == RECIPIENTS);
	for (size_t i = 0; i < RECIPIENTS; i++) {
		check_outcome(&reply->outcomes[i]);
		CHECK(reply->outcomes[i].index < 100 + RECIPIENTS);
		seen |= 1u << (reply->outcomes[i].index - 100);
	}
	CHECK(seen == (1u << RECIPIENTS) - 1);
}

static void run_qmgr(void *arg)
{
	struct channel *channel = channel_new(t.fds[0]);
	struct delivery_recipient recipients[RECIPIENTS];
	char nexthop[40];
	void *reply;
	(void)arg;
	(void)snprintf(nexthop, sizeof nexthop, "[127.0.1.%u]:%u", 1 + t.host, t.port);
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		recipients[i] = (struct delivery_recipient){.index = 100 + i,
			.address = i == 0 ? SPAN("b c@x.test") : i == 1 ? SPAN("c@x.test") : SPAN("d@x.test"),
			.original = SPAN("o@x.test"), .notify = 3};
	struct delivery_request request = {.queue_id = SPAN("4ABC"), .transport = SPAN("smtp"),
		.nexthop = span_from_cstr(nexthop), .sender = SPAN("a@here.test"), .envid = SPAN("id"),
		.arrival_ms = clock_wall_ms() - 1500, .active_ms = clock_wall_ms() - 50,
		.content = span_from_cstr(content), .size = sizeof content - 1, .content_fd = -1,
		.recipients = recipients, .recipient_count = RECIPIENTS};
	for (int round = 0; round < 2; round++) {
		CHECK(channel_call(channel, &delivery_request_type, &request, &delivery_reply_type,
			TASK_FOREVER, &reply) == 0);
		check_reply(reply);
	}
	channel_free(channel);
	cache_close();
	task_cancel(t.accepts);
}

static void run_client(void *arg)
{
	(void)arg;
	serve(channel_new(t.fds[1]), "qmgr");
}

/* --- */

static void set_up(void)
{
	static struct conf *conf;
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof address;
	char *error = NULL;
	log_set_sink(silence);
	conf = conf_parse("/nowhere", "smtp", span_from_cstr(text), &error);
	CHECK(conf != NULL && settings_load(conf, false) == 0);
	CHECK(sasl_load() == 0 && client_tls_load() == 0);
	task_offload_threads(0);
	t.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK(bind(t.listener, (struct sockaddr *)&address, sizeof address) == 0);
	CHECK(listen(t.listener, 100) == 0);
	CHECK(getsockname(t.listener, (struct sockaddr *)&address, &len) == 0);
	t.port = ntohs(address.sin_port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 8192)
		return 0;
	if (t.port == 0)
		set_up();
	t.input = span_new(data, size);
	t.host = (t.host + 1) % HOSTS;
	buf_init(&t.heard, HEARD_MAX * 8);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, t.fds) == 0);
	CHECK(task_loop_open() == 0);
	t.accepts = task_spawn("server", run_server, NULL, 256 * 1024);
	CHECK(t.accepts != NULL && task_spawn("client", run_client, NULL, 0) != NULL);
	CHECK(task_spawn("qmgr", run_qmgr, NULL, 256 * 1024) != NULL);
	CHECK(task_loop_run() == 0);
	task_forget_fd(t.listener);
	task_loop_close();
	buf_done(&t.heard);
	return 0;
}
