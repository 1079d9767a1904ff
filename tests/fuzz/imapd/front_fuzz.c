/* A whole IMAP session from its greeting: the front, its hand-over to the worker, the worker on a
 * Maildir (which session_fuzz.c knows better). Whatever the client sends, each line of an answer
 * is whole and begins as one, and nobody sees a message without a login. The first byte: where the
 * input is sent in two pieces.
 * SPDX-License-Identifier: ISC */
#include "fuzz_mailbox.h"
#include "imapd/imapd.h"
#include "imapd/settings.h"
#include "imapd/worker_settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
	"compatibility_level = 3.6\nmyhostname = mail.example.test\nimapd_tls_security_level = none\n"
	"imapd_tls_auth_only = no\nimapd_client_connection_count_limit = 0\nimapd_timeout = 1s\n"
	"imapd_idle_timeout = 1s\nimapd_literal_size_limit = 20000\n";

static struct {
	struct fuzz_auth auth;
	struct auth_client client;
	struct span input;
	size_t first;
	int ends[2];
} t;

static void run_server(void *arg)
{
	struct address peer;
	(void)arg;
	CHECK(address_parse_ip(SPAN("192.0.2.1"), 12345, &peer));
	imapd_session(t.ends[1], &peer);
}

static bool say(struct stream *stream, struct span bytes)
{
	bool sent = stream_write(stream, bytes) == 0 && stream_flush(stream, task_deadline(5000)) == 0;
	/* What comes next finds the server behind these. */
	for (int turns = 0; sent && turns < 8; turns++)
		(void)task_yield();
	return sent;
}

/* Before the login no answer has literals. */
static void check_line(struct span line)
{
	CHECK(span_ends_with(line, SPAN("\r\n")) && span_find_char(line, '\0') == SIZE_MAX);
	if (t.auth.logged_in)
		return;
	CHECK(!fuzz_shows_secret(line, t.input));
	size_t space = span_find_char(line, ' ');
	struct span rest = span_skip(line, space + 1);
	CHECK(space != SIZE_MAX && space > 0);
	CHECK(line.ptr[0] == '*' || line.ptr[0] == '+' || span_starts_with(rest, SPAN("OK ")) ||
		span_starts_with(rest, SPAN("NO ")) || span_starts_with(rest, SPAN("BAD ")));
}

static void run_client(void *arg)
{
	struct stream *stream = stream_new(t.ends[0], 65536, 65536);
	struct span line;
	(void)arg;
	if (say(stream, span_head(t.input, t.first)) && say(stream, span_skip(t.input, t.first)))
		(void)shutdown(t.ends[0], SHUT_WR);
	while (stream_read_line(stream, 65536, task_deadline(60000), &line) == 0)
		check_line(line);
	stream_free(stream);
}

static void set_up(void)
{
	static struct conf *conf;
	char *error = NULL;
	conf = conf_parse("/nowhere", "imap", span_from_cstr(text), &error);
	CHECK(conf != NULL && imapd_settings_read(conf) == 0 && worker_settings_read(conf) == 0);
	t.auth.serve = imapd_serve;
	t.client = (struct auth_client){.service = SPAN("imap"), .arg = &t.auth,
		.take = fuzz_take_auth, .give = fuzz_give_auth};
	imapd_settings_ask_auth(&t.client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A greater input could fill both directions: the client above writes all before it reads. */
	if (size < 1 || size > 4096)
		return 0;
	if (t.auth.serve == NULL)
		set_up();
	fuzz_mailbox_begin(false);
	t.auth.logged_in = false;
	t.input = span_new(data + 1, size - 1);
	t.first = t.input.len * data[0] / 256;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, t.ends) == 0);
	CHECK(task_loop_open() == 0);
	CHECK(task_spawn("session", run_server, NULL, 0) != NULL);
	CHECK(task_spawn("client", run_client, NULL, 256 * 1024) != NULL);
	CHECK(task_loop_run() == 0);
	task_loop_close();
	auth_client_done(&t.client);
	return 0;
}
