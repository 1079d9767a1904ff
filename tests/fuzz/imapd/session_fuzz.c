/* A whole IMAP session behind the login, on a Maildir with two messages: whatever the client sends,
 * the session ends when it closes, and what it answers has no bare line ends. The Maildir goes from
 * one input to the next as it was left, and is made anew from time to time.
 * SPDX-License-Identifier: ISC */
#include "fuzz_mailbox.h"
#include "imapd/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span input;
static int ends[2];
static const struct worker_settings settings = {.timeout_ms = 1000, .idle_notify_ms = 1000,
	.append_size_limit = 20000,
	.limits = {.line_max = 8192, .literal_max = 8192, .literal_count = 20, .total_max = 65536}};

static void run_session(void *arg)
{
	struct session_start_info info = {.user = SPAN("ann"), .remote = SPAN("192.0.2.1"),
		.maildir = true, .mailbox_path = span_from_cstr(fuzz_maildir), .tag = SPAN("login")};
	(void)arg;
	session_run(stream_new(ends[1], CONNECTION_IN_CAP, CONNECTION_OUT_CAP), &info, &settings);
}

static void run_client(void *arg)
{
	struct stream *stream = stream_new(ends[0], 65536, 65536);
	char before = '\n';
	(void)arg;
	if (stream_write(stream, input) == 0 && stream_flush(stream, task_deadline(5000)) == 0)
		(void)shutdown(ends[0], SHUT_WR);
	for (;;) {
		struct span bytes;
		if (stream_peek(stream, task_deadline(60000), &bytes) != 0)
			break;
		for (size_t i = 0; i < bytes.len; i++) {
			CHECK(bytes.ptr[i] != '\0');
			CHECK(bytes.ptr[i] != '\n' || before == '\r');
			before = bytes.ptr[i];
		}
		stream_consume(stream, bytes.len);
	}
	stream_free(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A greater input could fill both directions: the client above writes all before it reads. */
	if (size > 4096)
		return 0;
	fuzz_mailbox_begin(false);
	input = span_new(data, size);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	CHECK(task_loop_open() == 0);
	CHECK(task_spawn("session", run_session, NULL, 0) != NULL);
	CHECK(task_spawn("client", run_client, NULL, 256 * 1024) != NULL);
	CHECK(task_loop_run() == 0);
	task_loop_close();
	return 0;
}
