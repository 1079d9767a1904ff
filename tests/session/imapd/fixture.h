/* A Maildir in a temporary folder, sessions of one person on it, and what other programs do to it.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TESTS_IMAPD_FIXTURE_H
#define TAMBO_TESTS_IMAPD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "imapd/session.h"
#include "transcript.h"

static char root[] = "/tmp/tambo-imapd-XXXXXX";
static char maildir[64];
static unsigned delivered;

static struct worker_settings settings = {.timeout_ms = 30 * 60 * 1000,
	.idle_notify_ms = 4 * 60 * 1000,
	.append_size_limit = 1000000};

static void run_session(void *arg)
{
	int fd = *(int *)arg;
	free(arg);
	struct session_start_info info = {.user = SPAN("alice"), .remote = SPAN("192.0.2.1"),
		.maildir = true,
		.mailbox_path = span_from_cstr(maildir),
		.tag = SPAN("login")};
	session_run(stream_new(fd, CONNECTION_IN_CAP, CONNECTION_OUT_CAP), &info, &settings);
}

static void connect_session(int fd_take, int client)
{
	int *arg = NEW(int);
	*arg = fd_take;
	(void)client;
	CHECK(task_spawn("session", run_session, arg, 0) != NULL);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
	(void)info;
	(void)kind;
	(void)walk;
	return remove(path);
}

static int fresh_maildir(void **state)
{
	(void)state;
	memcpy(root + sizeof(root) - 7, "XXXXXX", 6);
	CHECK(mkdtemp(root) != NULL);
	snprintf(maildir, sizeof(maildir), "%s/Maildir", root);
	settings.limits = imap_frame_after_login;
	setenv("TZ", "UTC", 1);
	return 0;
}

static int drop_maildir(void **state)
{
	(void)state;
	return nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_folder(const char *path)
{
	CHECK(mkdir(path, 0700) == 0 || errno == EEXIST);
}

/* As another program does it: folder "" is INBOX, ".Sent" a subfolder. place: "new" or "cur". */
static void put_message(const char *folder, const char *place, const char *info, struct span bytes)
{
	char path[512], base[256];
	static const char *const parts[] = {"cur", "new", "tmp"};
	make_folder(maildir);
	snprintf(base, sizeof(base), "%s/%s", maildir, folder);
	make_folder(base);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		snprintf(path, sizeof(path), "%s/%s", base, parts[i]);
		make_folder(path);
	}
	snprintf(path, sizeof(path), "%s/%s/1600000%03u.M1P%u.host%s", base, place, delivered,
		getpid(), info);
	delivered++;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
	struct timespec times[2] = {{1600000000, 0}, {1600000000, 0}};
	CHECK(futimens(fd, times) == 0 && close(fd) == 0);
}

static void put_simple(const char *folder, const char *subject)
{
	struct buf text = BUF_INIT(4096);
	buf_append_format(&text,
		"From: Ann <ann@example.org>\nTo: alice@example.test\nSubject: %s\n"
		"Date: Mon, 7 Feb 1994 21:52:25 -0800\nMessage-ID: <%s@example.org>\n\nHello %s\n",
		subject, subject, subject);
	put_message(folder, "new", "", buf_span(&text));
	buf_done(&text);
}

struct case_of {
	const char *name, *script;
	const char *messages; /* subjects of messages that lie in new/ of INBOX, one letter each */
};

static void (*prepare_case)(const char *name); /* may be NULL */
static void (*case_action)(const char *name);

/* "DO name" */
static bool run_action(struct span word, struct span text, const char **ret_why)
{
	(void)ret_why;
	if (!span_equal(word, SPAN("DO")) || case_action == NULL)
		return false;
	char *name = span_dup_cstr(text);
	case_action(name);
	free(name);
	return true;
}

static void play_cases(const struct case_of *cases, size_t count)
{
	size_t failures = 0;
	for (size_t i = 0; i < count; i++) {
		fresh_maildir(NULL);
		for (const char *c = cases[i].messages; c != NULL && *c != '\0'; c++) {
			char subject[2] = {*c, '\0'};
			put_simple("", subject);
		}
		if (prepare_case != NULL)
			prepare_case(cases[i].name);
		struct transcript transcript = {.name = cases[i].name,
			.script = cases[i].script,
			.connect = connect_session,
			.directive = run_action};
		const char *failure = transcript_play(&transcript);
		drop_maildir(NULL);
		if (failure != NULL) {
			print_error("%s\n", failure);
			failures++;
		}
	}
	assert_int_equal(failures, 0);
}

#endif
