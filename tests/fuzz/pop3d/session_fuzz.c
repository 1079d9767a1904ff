/* A whole POP3 session, from the greeting to its end: the front, its hand-over to the worker, the
 * worker on a Maildir. Whatever the client sends, each line of an answer is whole, nobody sees a
 * message without a login, and nothing is removed without QUIT. The first byte: bit 0 logs in
 * before the input, the rest is where the input is sent in two pieces.
 * SPDX-License-Identifier: ISC */
#include "fuzz_mailbox.h"
#include "pop3d/pop3d.h"
#include "pop3d/settings.h"
#include "pop3d/worker_settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
	"compatibility_level = 3.6\nmyhostname = mail.example.test\npop3d_tls_security_level = none\n"
	"pop3d_tls_auth_only = no\npop3d_client_connection_count_limit = 0\npop3d_timeout = 1s\n"
	"pop3d_idle_timeout = 1s\n";

static struct {
	struct fuzz_auth auth;
	struct auth_client client;
	struct span input;
	size_t first;
	int ends[2];
	bool log_in;
} t;

static void run_server(void *arg)
{
	struct address peer;
	(void)arg;
	CHECK(address_parse_ip(SPAN("192.0.2.1"), 12345, &peer));
	pop3d_front(t.ends[1], &peer);
}

static bool say(struct stream *stream, struct span bytes)
{
	bool sent = stream_write(stream, bytes) == 0 && stream_flush(stream, task_deadline(5000)) == 0;
	/* What comes next finds the server behind these. */
	for (int turns = 0; sent && turns < 8; turns++)
		(void)task_yield();
	return sent;
}

static void run_client(void *arg)
{
	struct stream *stream = stream_new(t.ends[0], 65536, 65536);
	struct span line;
	(void)arg;
	if ((!t.log_in || say(stream, SPAN("USER bob\r\nPASS secret\r\n"))) &&
		say(stream, span_head(t.input, t.first)) && say(stream, span_skip(t.input, t.first)))
		(void)shutdown(t.ends[0], SHUT_WR);
	while (stream_read_line(stream, 65536, task_deadline(60000), &line) == 0) {
		CHECK(span_ends_with(line, SPAN("\r\n")) && span_find_char(line, '\0') == SIZE_MAX);
		CHECK(t.auth.logged_in || !fuzz_shows_secret(line, t.input));
	}
	stream_free(stream);
}

static bool says_quit(struct span input)
{
	for (; input.len >= 4; input = span_skip(input, 1))
		if (span_equal_nocase(span_head(input, 4), SPAN("QUIT")))
			return true;
	return false;
}

static void set_up(void)
{
	static struct conf *conf;
	char *error = NULL;
	conf = conf_parse("/nowhere", "pop3", span_from_cstr(text), &error);
	CHECK(conf != NULL && pop3d_prepare(conf) == 0 && worker_settings_read(conf) == 0);
	t.auth.serve = pop3d_worker;
	t.client = (struct auth_client){.service = SPAN("pop3"), .arg = &t.auth,
		.take = fuzz_take_auth, .give = fuzz_give_auth};
	pop3d_ask_auth(&t.client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static size_t left;
	/* A greater input could fill both directions: the client above writes all before it reads. */
	if (size < 1 || size > 4096)
		return 0;
	if (t.auth.serve == NULL)
		set_up();
	fuzz_mailbox_begin(left < ARRAY_LEN(fuzz_messages));
	t.auth.logged_in = false;
	t.log_in = (data[0] & 1) != 0;
	t.input = span_new(data + 1, size - 1);
	t.first = t.input.len * (data[0] / 2) / 128;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, t.ends) == 0);
	CHECK(task_loop_open() == 0);
	CHECK(task_spawn("session", run_server, NULL, 0) != NULL);
	CHECK(task_spawn("client", run_client, NULL, 256 * 1024) != NULL);
	CHECK(task_loop_run() == 0);
	task_loop_close();
	auth_client_done(&t.client);
	left = fuzz_count_messages();
	CHECK(left == ARRAY_LEN(fuzz_messages) || says_quit(t.input));
	return 0;
}
