/* A whole SMTP session (port 25, no TLS), with fakes for the other daemons: whatever the client
 * sends, every line of every reply is whole, no relaying is granted, and after the client has
 * closed nothing stays behind. The first byte chooses what cleanup answers.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "service/anvil.h"
#include "service/auth.h"
#include "service/cleanup.h"
#include "service/lookup.h"
#include "smtpd/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PATIENCE_MS 2 /* one process: whoever has an answer gives it at once */

static const char text[] =
	"compatibility_level = 3.6\nmyhostname = mail.example.test\nmydomain = example.test\n"
	"myorigin = example.test\nmydestination = example.test\nalias_maps =\nauth_user_maps =\n"
	"local_recipient_maps = inline:{ alice=x, bob=x }\nmynetworks = 127.0.0.0/8\n"
	"inet_interfaces = 127.0.0.1\nsmtpd_error_sleep_time = 0\nsmtpd_timeout = 5s\n"
	"smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = no\nmessage_size_limit = 100000\n"
	"smtpd_recipient_restrictions = reject_non_fqdn_sender, reject_unknown_sender_domain\n"
	"smtpd_junk_command_limit = 100\nsmtpd_hard_error_limit = 50\n";

static struct {
	struct server server;
	struct span input;
	int ends[2];
	uint8_t choice;
	bool authenticated;
} t;

static void silence(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)line;
	(void)len;
}

/* --- fakes --- */

static void check_recipients(const struct cleanup_recipient *recipients, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct span address = recipients[i].address;
		CHECK(address.len > 0 && span_is_printable(address));
		CHECK(t.authenticated || span_ends_with_nocase(address, SPAN("@example.test")) ||
			span_find_char(address, '@') == SIZE_MAX ||
			span_ends_with_nocase(address, SPAN("@mail.example.test")) ||
			span_ends_with(address, SPAN("]")));
	}
}

static bool take_message(struct channel *channel)
{
	static const struct message_type *const types[] = {
		&cleanup_recipients_type, &cleanup_chunk_type, &cleanup_end_type};
	struct cleanup_ready ready = {.status = (t.choice & 1) != 0 ? CLEANUP_NO_SPACE : CLEANUP_OK,
		.queue_id = SPAN("4ABCDEF"), .since_ms = task_now()};
	struct cleanup_result result = {.status = t.choice / 2 % (CLEANUP_NO_RECIPIENT + 1),
		.queue_id = SPAN("4ABCDEF"), .code = SPAN("5.7.1"), .text = SPAN("no")};
	void *message;
	size_t which;
	if (channel_send(channel, &cleanup_ready_type, &ready) != 0 ||
		channel_expect(channel, &cleanup_open_type, TASK_FOREVER, &message) != 0)
		return false;
	const struct cleanup_open *open = message;
	CHECK(span_is_printable(open->sender) && span_is_printable(open->helo));
	check_recipients(open->recipients, open->recipient_count);
	while (channel_receive(channel, types, ARRAY_LEN(types), TASK_FOREVER, &which, &message) == 0) {
		if (which == 0) {
			const struct cleanup_recipients *more = message;
			check_recipients(more->recipients, more->recipient_count);
		} else if (which == 2) {
			return channel_send(channel, &cleanup_result_type, &result) == 0;
		}
	}
	return false;
}

static void fake_cleanup(void *arg)
{
	struct channel *channel = arg;
	while (take_message(channel))
		(void)channel_flush(channel, TASK_FOREVER);
	channel_free(channel);
}

static void fake_auth(void *arg)
{
	static const struct message_type *const types[] = {
		&auth_start_type, &auth_continue_type, &account_question_type};
	struct channel *channel = arg;
	void *message;
	size_t which;
	while (channel_receive(channel, types, 3, TASK_FOREVER, &which, &message) == 0) {
		struct auth_reply reply = {.status = AUTH_CONTINUE, .challenge = SPAN("more"),
			.user = SPAN("alice"), .session_fd = -1};
		struct account_answer answer = {.existence = ACCOUNT_IS_UNKNOWN};
		if (which == 0 && ((struct auth_start *)message)->client_fd >= 0)
			close(((struct auth_start *)message)->client_fd);
		if (which == 0 && span_equal(((struct auth_start *)message)->mechanism, SPAN("LIST"))) {
			reply.status = AUTH_LIST;
			reply.mechanisms = SPAN("PLAIN LOGIN");
		} else if (which == 1) {
			struct span response = ((struct auth_continue *)message)->response;
			reply.status = span_equal(response, SPAN("secret")) ? AUTH_OK : AUTH_FAILED;
			t.authenticated = t.authenticated || reply.status == AUTH_OK;
		}
		if ((which == 2 ? channel_send(channel, &account_answer_type, &answer)
				: channel_send(channel, &auth_reply_type, &reply)) != 0)
			break;
	}
	channel_free(channel);
}

static void fake_anvil(void *arg)
{
	static const struct message_type *const types[] = {&anvil_count_type, &lookup_question_type};
	struct channel *channel = arg;
	void *message;
	size_t which;
	while (channel_receive(channel, types, 2, TASK_FOREVER, &which, &message) == 0) {
		struct anvil_answer counts = {1, 1};
		struct lookup_answer answer = {.status = LOOKUP_FOUND, .name = SPAN("client.example.net")};
		if ((which == 0 ? channel_send(channel, &anvil_answer_type, &counts)
				: channel_send(channel, &lookup_answer_type, &answer)) != 0)
			break;
	}
	channel_free(channel);
}

static struct channel *take(enum service_peer peer, task_time deadline)
{
	int fds[2];
	(void)deadline;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	CHECK(task_spawn("fake", peer == PEER_CLEANUP ? fake_cleanup : peer == PEER_AUTH ? fake_auth
		: fake_anvil, channel_new(fds[1]), 0) != NULL);
	return channel_new(fds[0]);
}

static void give(enum service_peer peer, struct channel *channel_take)
{
	(void)peer;
	channel_free(channel_take);
}

static bool stopping(void)
{
	return false;
}

/* --- the two ends --- */

static void run_server(void *arg)
{
	struct address peer;
	(void)arg;
	CHECK(address_parse_ip(SPAN("192.0.2.1"), 12345, &peer));
	session_run(&t.server, t.ends[1], &peer, false);
	anvil_client_done(&t.server.anvil);
}

/* Reads one whole reply; its code, or 0 when none came in time. */
static uint64_t read_reply(struct stream *stream, int64_t ms)
{
	struct span line;
	uint64_t code;
	do {
		if (stream_read_line(stream, 4096, task_deadline(ms), &line) != 0)
			return 0;
		CHECK(span_ends_with(line, SPAN("\r\n")));
		line.len -= 2;
		CHECK(span_is_printable(line) && line.len >= 4);
		CHECK(span_to_u64(span_head(line, 3), 599, &code) && code >= 200);
		CHECK(line.ptr[3] == ' ' || line.ptr[3] == '-');
	} while (line.ptr[3] == '-');
	return code;
}

static bool say(struct stream *stream, struct span bytes)
{
	return stream_write(stream, bytes) == 0 && stream_flush(stream, task_deadline(60000)) == 0;
}

/* Line by line, each after the reply to the one before, but not within the content. */
static void converse(struct stream *stream, unsigned lines)
{
	bool content = false;
	for (unsigned i = 0; i < lines && t.input.len > 0; i++) {
		struct span rest = t.input, line = span_split(&rest, '\n');
		size_t len = rest.ptr == NULL ? t.input.len : line.len + 1;
		if (!say(stream, span_head(t.input, len)))
			return;
		t.input = span_skip(t.input, len);
		if (!content || span_equal(line, SPAN(".\r")))
			content = read_reply(stream, PATIENCE_MS) == 354;
	}
}

/* Early talkers are told to go: the greeting is waited for, then the answer to EHLO. */
static void run_client(void *arg)
{
	struct stream *stream = stream_new(t.ends[0], 4096, 65536);
	(void)arg;
	(void)read_reply(stream, 60000);
	converse(stream, (t.choice & 0x80) != 0 ? 1 : 100);
	if (say(stream, t.input))
		(void)shutdown(t.ends[0], SHUT_WR);
	while (read_reply(stream, 60000) != 0)
		;
	stream_free(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	if (size < 1 || size > 16000)
		return 0;
	if (!ready) {
		char *error = NULL;
		log_set_sink(silence);
		static struct conf *conf;
		conf = conf_parse("/nowhere", "smtp", span_from_cstr(text), &error);
		CHECK(conf != NULL);
		t.server.services = (struct services){take, give, stopping};
		CHECK(server_open(&t.server, conf) == 0);
		task_offload_threads(0);
	}
	ready = true;
	t.choice = data[0];
	t.authenticated = false;
	t.input = span_new(data + 1, size - 1);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, t.ends) == 0);
	CHECK(task_loop_open() == 0);
	CHECK(task_spawn("session", run_server, NULL, 0) != NULL);
	CHECK(task_spawn("client", run_client, NULL, 256 * 1024) != NULL);
	CHECK(task_loop_run() == 0);
	task_loop_close();
	return 0;
}
