/* A whole IMAP session behind the login, on a Maildir with two messages: whatever the client sends,
 * the session ends when it closes, and what it answers has no bare line ends. The Maildir goes from
 * one input to the next as it was left, and is made anew from time to time.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "imapd/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RUNS_PER_MAILDIR 200

static char root[64];
static struct span input;
static int ends[2];
static const struct worker_settings settings = {.timeout_ms = 1000, .idle_notify_ms = 1000,
	.append_size_limit = 20000,
	.limits = {.line_max = 8192, .literal_max = 8192, .literal_count = 20, .total_max = 65536}};

static const char *const messages[] = {
	"From: Ann <ann@example.org>\nTo: bob@example.test\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n"
	"Date: Mon, 7 Feb 1994 21:52:25 -0800\nMessage-ID: <1@example.org>\n\nHello\n",
	"From: carl@example.org\nSubject: two parts\nMIME-Version: 1.0\n"
	"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nfirst\n--x\n"
	"Content-Type: message/rfc822\n\nSubject: inner\n\ntext\n--x--\n",
};

static void silence(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)line;
	(void)len;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
	(void)info;
	(void)kind;
	(void)walk;
	return remove(path);
}

static void remove_maildir(void)
{
	if (root[0] != '\0')
		(void)nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	root[0] = '\0';
}

static void make_maildir(void)
{
	static const char *const parts[] = {"", "/cur", "/new", "/tmp"};
	char path[128];
	(void)snprintf(root, sizeof root, "/tmp/tambo-session-fuzz-XXXXXX");
	CHECK(mkdtemp(root) != NULL);
	for (size_t i = 1; i < ARRAY_LEN(parts); i++) {
		(void)snprintf(path, sizeof path, "%s%s", root, parts[i]);
		CHECK(mkdir(path, 0700) == 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		(void)snprintf(path, sizeof path, "%s/new/160000000%zu.M1P1.host", root, i);
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		size_t len = strlen(messages[i]);
		CHECK(fd >= 0 && write(fd, messages[i], len) == (ssize_t)len && close(fd) == 0);
	}
}

static void run_session(void *arg)
{
	struct session_start_info info = {.user = SPAN("ann"), .remote = SPAN("192.0.2.1"),
		.maildir = true, .mailbox_path = span_from_cstr(root), .tag = SPAN("login")};
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
	static unsigned runs;
	/* A greater input could fill both directions: the client above writes all before it reads. */
	if (size > 4096)
		return 0;
	if (runs++ == 0) {
		log_set_sink(silence);
		(void)atexit(remove_maildir);
		task_offload_threads(0);
	}
	if (runs % RUNS_PER_MAILDIR == 1) {
		remove_maildir();
		make_maildir();
	}
	input = span_new(data, size);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	CHECK(task_loop_open() == 0);
	CHECK(task_spawn("session", run_session, NULL, 0) != NULL);
	CHECK(task_spawn("client", run_client, NULL, 256 * 1024) != NULL);
	CHECK(task_loop_run() == 0);
	task_loop_close();
	return 0;
}
