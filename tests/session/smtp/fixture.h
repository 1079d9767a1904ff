/* What a test of deliveries by smtp stands on: a folder, the log, servers to deliver to.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TESTS_SMTP_FIXTURE_H
#define TAMBO_TESTS_SMTP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "dns/resolve.h"
#include "helper.h"
#include "ipc/channel.h"
#include "service/cleanup.h"
#include "smtp/cache.h"
#include "smtp/client_tls.h"
#include "smtp/delivery.h"
#include "smtp/sasl.h"
#include "smtp/serve.h"
#include "smtp/settings.h"
#include "sys/clock.h"

#define RECIPIENTS_MAX 4
#define SINK_OPTIONS_MAX 12
#define MESSAGE "From: <a@here.test>\nSubject: x\n\n.dot\nline\n"

struct expected {
	enum delivery_status status;
	const char *dsn;
	const char *text; /* must stand in the outcome's text */
};

struct scenario {
	const char *what;
	const char *config;                       /* %P: the port, %D: the test's folder */
	const char *sink[SINK_OPTIONS_MAX];       /* options of the server on 127.0.0.1; NULL: none */
	const char *second[SINK_OPTIONS_MAX];     /* of one on 127.0.0.2, the same port */
	const char *nexthop;                      /* %P, %D */
	const char *recipients[RECIPIENTS_MAX];
	struct expected expected[RECIPIENTS_MAX];
	const char *log;                          /* must stand in a log line */
	const char *seen;                         /* must stand in what the server wrote down */
	const char *not_seen;
	const char *sender;                       /* default: a@here.test */
	unsigned flags;
	bool lmtp, twice, large;
	bool unreadable;                          /* what is large */
	bool gone;                                /* whoever asked, before it was delivered */
};

static char folder[] = "/tmp/tambo-smtp-XXXXXX";
static pid_t dns_pid;
static char dns_server[64];
static struct buf log_text;
static int failures; /* all scenarios are played, also behind one that fails */

/* --- helpers --- */

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	failures++;
}

static void keep_log(enum log_level level, const char *line, size_t len)
{
	(void)level;
	buf_append_bytes(&log_text, line, len);
	buf_append_char(&log_text, '\n');
}

/* %P and %D replaced; heap string. */
static char *fill(const char *text, int port)
{
	struct buf out = BUF_INIT(100000);
	for (const char *c = text; *c != '\0'; c++) {
		if (c[0] == '%' && c[1] == 'P')
			buf_append_format(&out, "%d", port);
		else if (c[0] == '%' && c[1] == 'D')
			buf_append_cstr(&out, folder);
		else {
			buf_append_char(&out, *c);
			continue;
		}
		c++;
	}
	return buf_steal(&out);
}

static void write_file(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static char *read_file(const char *name)
{
	char path[256];
	struct buf text = BUF_INIT(10 << 20);
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "r");
	for (int c; file != NULL && (c = getc(file)) != EOF;)
		buf_append_char(&text, (char)c);
	if (file != NULL)
		fclose(file);
	return buf_steal(&text);
}

/* options: as in the scenario; out: name of the file it writes to. */
static pid_t start_sink(const char *const *options, const char *host, int port, const char *out,
	int *ret_port)
{
	const char *argv[SINK_OPTIONS_MAX + 10] = {
		"python3", "tests/support/smtp_sink.py", "--host", host, "--port"};
	char port_text[8], path[256];
	char *filled[SINK_OPTIONS_MAX];
	size_t argc = 5, count = 0;
	if (options[0] == NULL)
		return 0;
	snprintf(port_text, sizeof port_text, "%d", port);
	snprintf(path, sizeof path, "%s/%s", folder, out);
	unlink(path);
	argv[argc++] = port_text;
	argv[argc++] = "--out";
	argv[argc++] = path;
	for (; count < SINK_OPTIONS_MAX && options[count] != NULL; count++)
		argv[argc++] = filled[count] = fill(options[count], port);
	argv[argc] = NULL;
	pid_t pid = helper_start(argv, ret_port);
	for (size_t i = 0; i < count; i++)
		free(filled[i]);
	return pid;
}

#endif
