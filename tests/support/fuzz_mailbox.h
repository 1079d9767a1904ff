/* What fuzz targets of imapd and pop3d stand on: a Maildir with two messages, which goes from one
 * input to the next as it was left and is made anew from time to time; and an auth that takes the
 * password "secret" and opens the session with the worker, as the real one does.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_FUZZ_MAILBOX_H
#define TAMBO_FUZZ_MAILBOX_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "service/auth.h"
#include "task/task.h"

#define RUNS_PER_MAILDIR 200
/* In both messages; nobody sees it without a login. */
#define FUZZ_SECRET "only-for-bob"

static char fuzz_maildir[64];

static const char *const fuzz_messages[] = {
	"From: Ann <ann@example.org>\nTo: bob@example.test\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n"
	"Date: Mon, 7 Feb 1994 21:52:25 -0800\nMessage-ID: <1@example.org>\n\nHello " FUZZ_SECRET "\n",
	"From: carl@example.org\nSubject: two parts " FUZZ_SECRET "\nMIME-Version: 1.0\n"
	"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nfirst\n--x\n"
	"Content-Type: message/rfc822\n\nSubject: inner\n\n.text\n--x--\n",
};

static inline void fuzz_silence(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)line;
	(void)len;
}

static inline int fuzz_remove_entry(const char *path, const struct stat *info, int kind,
	struct FTW *walk)
{
	(void)info;
	(void)kind;
	(void)walk;
	return remove(path);
}

static inline void fuzz_remove_maildir(void)
{
	if (fuzz_maildir[0] != '\0')
		(void)nftw(fuzz_maildir, fuzz_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	fuzz_maildir[0] = '\0';
}

static inline void fuzz_make_maildir(void)
{
	static const char *const parts[] = {"/cur", "/new", "/tmp"};
	char path[128];
	(void)snprintf(fuzz_maildir, sizeof fuzz_maildir, "/tmp/tambo-session-fuzz-XXXXXX");
	CHECK(mkdtemp(fuzz_maildir) != NULL);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		(void)snprintf(path, sizeof path, "%s%s", fuzz_maildir, parts[i]);
		CHECK(mkdir(path, 0700) == 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(fuzz_messages); i++) {
		(void)snprintf(path, sizeof path, "%s/new/160000000%zu.M1P1.host", fuzz_maildir, i);
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		size_t len = strlen(fuzz_messages[i]);
		CHECK(fd >= 0 && write(fd, fuzz_messages[i], len) == (ssize_t)len && close(fd) == 0);
	}
}

/* Before each input. anew: the Maildir of the last one is of no more use. */
static inline void fuzz_mailbox_begin(bool anew)
{
	static unsigned runs;
	if (runs++ == 0) {
		log_set_sink(fuzz_silence);
		(void)atexit(fuzz_remove_maildir);
		task_offload_threads(0);
	}
	if (anew || runs % RUNS_PER_MAILDIR == 1) {
		fuzz_remove_maildir();
		fuzz_make_maildir();
	}
}

/* A line of an answer; input: all that the client sent, which may come back to it. */
static inline bool fuzz_shows_secret(struct span line, struct span input)
{
	return span_find(line, SPAN(FUZZ_SECRET)) != SIZE_MAX &&
		span_find(input, SPAN(FUZZ_SECRET)) == SIZE_MAX;
}

/* Messages in new/ and cur/. */
static inline size_t fuzz_count_messages(void)
{
	static const char *const parts[] = {"/cur", "/new"};
	char path[128];
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		(void)snprintf(path, sizeof path, "%s%s", fuzz_maildir, parts[i]);
		DIR *folder = opendir(path);
		for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
			count += entry->d_name[0] != '.';
		if (folder != NULL)
			(void)closedir(folder);
	}
	return count;
}

/* --- auth --- */

/* daemon_spec.serve of the room. */
struct fuzz_auth {
	void (*serve)(struct channel *channel_take, const char *peer);
	bool logged_in;
	struct channel *worker;
};

static inline void fuzz_run_worker(void *arg)
{
	struct fuzz_auth *auth = arg;
	auth->serve(auth->worker, "auth");
}

/* A task has the worker's end; the front's is returned. */
static inline int fuzz_open_session(struct fuzz_auth *auth)
{
	struct session_user user = {.user = SPAN("bob"), .home = SPAN("/"), .maildir = true,
		.mailbox = span_from_cstr(fuzz_maildir), .remote_address = SPAN("192.0.2.1")};
	int ends[2];
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	struct channel *channel = channel_new(ends[0]);
	CHECK(channel_send(channel, &session_user_type, &user) == 0 &&
		channel_flush(channel, TASK_FOREVER) == 0);
	auth->worker = channel_new(ends[1]);
	CHECK(task_spawn("worker", fuzz_run_worker, auth, 0) != NULL);
	return channel_release(channel, NULL);
}

static inline void fuzz_judge(struct fuzz_auth *auth, struct span response,
	struct auth_reply *reply)
{
	bool with_data = span_ends_with(response, SPAN("secret+")); /* as SCRAM's server signature */
	reply->status = with_data || span_ends_with(response, SPAN("secret")) ? AUTH_OK
		: span_equal(response, SPAN("busy")) ? AUTH_TEMPORARY : AUTH_FAILED;
	if (!with_data)
		reply->challenge = SPAN_EMPTY;
	if (reply->status != AUTH_OK || auth->logged_in)
		return;
	auth->logged_in = true;
	reply->session_fd = fuzz_open_session(auth);
}

struct fuzz_exchange {
	struct fuzz_auth *auth;
	struct channel *channel;
};

static inline bool fuzz_answer(struct fuzz_exchange *exchange, const struct auth_start *start,
	const struct auth_continue *more)
{
	struct auth_reply reply = {.status = AUTH_CONTINUE, .challenge = SPAN("more"),
		.session_fd = -1};
	if (start != NULL && start->client_fd >= 0)
		close(start->client_fd);
	if (start != NULL && span_equal(start->mechanism, SPAN("LIST"))) {
		reply.status = AUTH_LIST;
		reply.mechanisms = SPAN("PLAIN LOGIN");
	} else if (start != NULL && !span_equal(start->mechanism, SPAN("PLAIN")) &&
		!span_equal(start->mechanism, SPAN("LOGIN"))) {
		reply.status = AUTH_UNAVAILABLE;
	} else if (start != NULL && start->has_response) {
		fuzz_judge(exchange->auth, start->response, &reply);
	} else if (more != NULL) {
		if (!more->abort)
			fuzz_judge(exchange->auth, more->response, &reply);
		else
			reply.status = AUTH_FAILED;
	}
	bool sent = channel_send(exchange->channel, &auth_reply_type, &reply) == 0 &&
		channel_flush(exchange->channel, TASK_FOREVER) == 0;
	if (reply.session_fd >= 0)
		close(reply.session_fd);
	return sent;
}

static inline void fuzz_serve_auth(void *arg)
{
	static const struct message_type *const types[] = {&auth_start_type, &auth_continue_type};
	struct fuzz_exchange *exchange = arg;
	void *message;
	size_t which;
	while (channel_receive(exchange->channel, types, 2, TASK_FOREVER, &which, &message) == 0)
		if (!fuzz_answer(exchange, which == 0 ? message : NULL, which == 1 ? message : NULL))
			break;
	channel_free(exchange->channel);
	free(exchange);
}

/* auth_client.take; its arg is a struct fuzz_auth. */
static inline struct channel *fuzz_take_auth(void *arg, task_time deadline)
{
	struct fuzz_exchange *exchange = malloc(sizeof *exchange);
	int ends[2];
	(void)deadline;
	CHECK(exchange != NULL && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	*exchange = (struct fuzz_exchange){arg, channel_new(ends[1])};
	CHECK(task_spawn("auth", fuzz_serve_auth, exchange, 0) != NULL);
	return channel_new(ends[0]);
}

static inline void fuzz_give_auth(void *arg, struct channel *channel_take)
{
	(void)arg;
	channel_free(channel_take);
}

#endif
