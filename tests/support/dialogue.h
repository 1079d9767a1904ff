/* Plays a dialogue from a file against real session code over a socket, in a task.
 *
 *   # a comment
 *   WORD text        a directive of the test (configuration, fakes), before the conversation
 *   C: text          the client sends text and CRLF
 *   C+ text          the client sends text alone; \r \n \0 \\ and \xHH stand for bytes
 *   S: text          the server sends this line; "*" stands for anything
 *   S? text          lines are read up to one like this
 *   END              the server closes
 *   CLOSE            the client closes
 *   WAIT ms          time passes
 * Directives after the conversation began are given to the test too, in their order.
 *
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TESTS_DIALOGUE_H
#define TAMBO_TESTS_DIALOGUE_H

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "net/stream.h"

#define DIALOGUE_TIMEOUT 10000
#define DIALOGUE_LINE_MAX 65536

struct dialogue {
	const char *path;
	char *text;
	struct span rest;  /* not played yet */
	unsigned line;
	struct stream *stream;
	/* False: the directive is not known or its expectation is not met; *ret_why may say more. */
	bool (*directive)(void *arg, struct span word, struct span text, const char **ret_why);
	void *arg;
	char *failure;     /* "path:line: what"; NULL: none */
};

static inline void dialogue_fail(struct dialogue *t, const char *what, struct span detail)
{
	struct buf text = BUF_INIT(5000);

	if (t->failure != NULL)
		return;
	buf_append_format(&text, "%s:%u: %s: %.*s", t->path, t->line, what, SPAN_ARGS(detail));
	t->failure = buf_steal(&text);
}

static inline bool dialogue_open(struct dialogue *t, const char *path)
{
	struct buf text = BUF_INIT(1 << 22);
	FILE *file = fopen(path, "r");

	t->path = path;
	t->line = 0;
	t->failure = NULL;
	if (file == NULL)
		return false;
	for (int c = getc(file); c != EOF; c = getc(file))
		buf_append_char(&text, (char)c);
	fclose(file);
	size_t len = text.len;
	t->text = buf_steal(&text);
	t->rest = span_new(t->text, len);
	return true;
}

static inline void dialogue_done(struct dialogue *t)
{
	free(t->text);
	free(t->failure);
}

/* \r \n \0 \\ \xHH */
static inline void dialogue_unescape(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c != '\\' || i + 1 == text.len) {
			buf_append_char(out, c);
			continue;
		}
		c = text.ptr[++i];
		if (c == 'x' && i + 2 < text.len) {
			buf_append_char(out, (char)(ascii_hex_value(text.ptr[i + 1]) * 16 +
				ascii_hex_value(text.ptr[i + 2])));
			i += 2;
		} else {
			buf_append_char(out, (char)(c == 'r' ? '\r' : c == 'n' ? '\n' :
				c == '0' ? '\0' : c));
		}
	}
}

static inline bool dialogue_matches(struct span pattern, struct span line)
{
	struct buf text = BUF_INIT(DIALOGUE_LINE_MAX);
	char *subject = span_dup_cstr(line);

	/* Only "*" is special. */
	for (size_t i = 0; i < pattern.len; i++) {
		if (pattern.ptr[i] == '[' || pattern.ptr[i] == '?' || pattern.ptr[i] == '\\')
			buf_append_char(&text, '\\');
		buf_append_char(&text, pattern.ptr[i]);
	}
	bool matches = fnmatch(buf_cstr(&text), subject, 0) == 0;
	buf_done(&text);
	free(subject);
	return matches;
}

static inline void dialogue_send(struct dialogue *t, struct span bytes)
{
	/* A server that has hung up is seen by what is read next. */
	(void)stream_write(t->stream, bytes);
	(void)stream_flush(t->stream, task_deadline(DIALOGUE_TIMEOUT));
}

static inline void dialogue_expect(struct dialogue *t, struct span pattern, bool skip)
{
	for (;;) {
		struct span line;
		int rc = stream_read_line(t->stream, DIALOGUE_LINE_MAX - 1,
			task_deadline(DIALOGUE_TIMEOUT), &line);
		if (rc != 0) {
			dialogue_fail(t, rc == -ETIMEDOUT ? "no line came, expected" :
				"the connection ended, expected", pattern);
			return;
		}
		line = span_trim(line);
		if (dialogue_matches(pattern, line))
			return;
		if (!skip) {
			dialogue_fail(t, "another line came", line);
			return;
		}
	}
}

static inline void dialogue_expect_end(struct dialogue *t)
{
	struct span bytes;
	int rc = stream_peek(t->stream, task_deadline(DIALOGUE_TIMEOUT), &bytes);

	if (rc == 0)
		dialogue_fail(t, "more came instead of the end", bytes);
	else if (rc == -ETIMEDOUT)
		dialogue_fail(t, "the server does not hang up", SPAN_EMPTY);
}

static inline void dialogue_line(struct dialogue *t, struct span line)
{
	struct span rest = line, word = SPAN_EMPTY;
	struct buf bytes = BUF_INIT(1 << 20);
	const char *why = NULL;

	(void)span_token(&rest, " ", &word);
	struct span text = rest.len > 0 && rest.ptr[0] == ' ' ? span_skip(rest, 1) : rest;
	if (word.len == 0 || word.ptr[0] == '#') {
		;
	} else if (span_equal(word, SPAN("C:"))) {
		buf_append(&bytes, text);
		buf_append_cstr(&bytes, "\r\n");
		dialogue_send(t, buf_span(&bytes));
	} else if (span_equal(word, SPAN("C+"))) {
		dialogue_unescape(text, &bytes);
		dialogue_send(t, buf_span(&bytes));
	} else if (span_equal(word, SPAN("S:")) || span_equal(word, SPAN("S?"))) {
		dialogue_expect(t, text, word.ptr[1] == '?');
	} else if (span_equal(word, SPAN("END"))) {
		dialogue_expect_end(t);
	} else if (span_equal(word, SPAN("CLOSE"))) {
		stream_free(t->stream);
		t->stream = NULL;
	} else if (span_equal(word, SPAN("WAIT"))) {
		uint64_t ms = 0;
		(void)span_to_u64(text, 100000, &ms);
		(void)task_sleep((int64_t)ms);
	} else if (!t->directive(t->arg, word, text, &why)) {
		dialogue_fail(t, why == NULL ? "not so" : why, line);
	}
	buf_done(&bytes);
}

/* True for the lines of the conversation; the others at the beginning are the setup. */
static inline bool dialogue_is_talk(struct span line)
{
	return span_starts_with(line, SPAN("C:")) || span_starts_with(line, SPAN("C+")) ||
		span_starts_with(line, SPAN("S:")) || span_starts_with(line, SPAN("S?"));
}

/* Plays the directives before the first line of the conversation; no stream is needed. */
static inline void dialogue_setup(struct dialogue *t)
{
	while (t->rest.ptr != NULL && t->rest.len > 0 && t->failure == NULL) {
		struct span before = t->rest;
		struct span line = span_split(&t->rest, '\n');
		if (dialogue_is_talk(line)) {
			t->rest = before;
			return;
		}
		t->line++;
		dialogue_line(t, line);
	}
}

/* Plays the rest; takes the socket. */
static inline void dialogue_play(struct dialogue *t, int fd_take)
{
	t->stream = stream_new(fd_take, DIALOGUE_LINE_MAX, DIALOGUE_LINE_MAX);
	while (t->rest.ptr != NULL && t->failure == NULL) {
		struct span line = span_split(&t->rest, '\n');
		t->line++;
		dialogue_line(t, line);
	}
	stream_free(t->stream);
	t->stream = NULL;
}

#endif
