/* See transcript.h.
 * SPDX-License-Identifier: ISC */
#include "transcript.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/ascii.h"
#include "base/check.h"

#define LINE_MAX_BYTES (1024 * 1024)
#define REPLY_MS 10000
#define END_MS 10000

struct player {
	const struct transcript *transcript;
	struct stream *clients[TRANSCRIPT_CLIENTS + 1];
	int line_number;
	bool failed;
};

static char failure[4096];

static bool fail(struct player *player, const char *what, struct span wanted, struct span got)
{
	if (!player->failed)
		snprintf(failure, sizeof(failure), "%s, line %d: %s \"%.*s\", got \"%.*s\"",
			player->transcript->name, player->line_number, what, (int)wanted.len,
			wanted.ptr, (int)(got.len > 1000 ? 1000 : got.len), got.ptr);
	player->failed = true;
	return false;
}

/* "*" matches anything; linear enough for tests. */
static bool matches(struct span pattern, struct span text)
{
	while (pattern.len > 0) {
		if (pattern.ptr[0] == '*') {
			pattern = span_skip(pattern, 1);
			for (size_t skip = 0; skip <= text.len; skip++)
				if (matches(pattern, span_skip(text, skip)))
					return true;
			return false;
		}
		if (text.len == 0 || text.ptr[0] != pattern.ptr[0])
			return false;
		pattern = span_skip(pattern, 1);
		text = span_skip(text, 1);
	}
	return text.len == 0;
}

void transcript_unescape(struct span text, struct buf *out)
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
			buf_append_char(out, c == 'r'	? '\r'
					     : c == 'n' ? '\n'
					     : c == 't' ? '\t'
					     : c == '0' ? '\0'
							: c);
		}
	}
}

static struct stream *client(struct player *player, int number)
{
	int pair[2];
	if (player->clients[number] != NULL)
		return player->clients[number];
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	player->clients[number] = stream_new(pair[0], LINE_MAX_BYTES, LINE_MAX_BYTES);
	player->transcript->connect(pair[1], number);
	return player->clients[number];
}

/* A peer that has hung up is seen by what is read next. */
static bool say(struct player *player, int number, struct span text, bool with_end)
{
	struct buf bytes = BUF_INIT(LINE_MAX_BYTES);
	if (with_end) {
		buf_append(&bytes, text);
		buf_append_cstr(&bytes, "\r\n");
	} else {
		transcript_unescape(text, &bytes);
	}
	struct stream *stream = client(player, number);
	(void)stream_write(stream, buf_span(&bytes));
	(void)stream_flush(stream, task_deadline(REPLY_MS));
	buf_done(&bytes);
	return true;
}

static struct span without_end(struct span line)
{
	while (line.len > 0 && (line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == '\n'))
		line.len--;
	return line;
}

static bool expect(struct player *player, int number, struct span pattern)
{
	struct span line;
	int status = stream_read_line(
		client(player, number), LINE_MAX_BYTES, task_deadline(REPLY_MS), &line);
	if (status != 0)
		return fail(player, "expected", pattern, span_from_cstr(strerror(-status)));
	line = without_end(line);
	return matches(pattern, line) || fail(player, "expected", pattern, line);
}

/* forbidden.ptr NULL: any line may come before. */
static bool expect_later(
	struct player *player, int number, struct span pattern, struct span forbidden)
{
	for (;;) {
		struct span line;
		int status = stream_read_line(
			client(player, number), LINE_MAX_BYTES, task_deadline(REPLY_MS), &line);
		if (status != 0)
			return fail(
				player, "waited for", pattern, span_from_cstr(strerror(-status)));
		line = without_end(line);
		if (matches(pattern, line))
			return true;
		if (forbidden.ptr != NULL && matches(forbidden, line))
			return fail(player, "must not come", forbidden, line);
	}
}

static bool expect_nothing(struct player *player, int number, struct span ms)
{
	struct span bytes;
	uint64_t wait = 0;
	CHECK(span_to_u64(ms, 60000, &wait));
	int status = stream_peek(client(player, number), task_deadline((int64_t)wait), &bytes);
	if (status == -ETIMEDOUT)
		return true;
	return fail(player, "expected nothing for", ms, status == 0 ? bytes : SPAN("the end"));
}

static bool expect_end(struct player *player, int number)
{
	struct span line;
	int status = stream_read_line(
		client(player, number), LINE_MAX_BYTES, task_deadline(REPLY_MS), &line);
	return status == -EPIPE || status == -ECONNRESET ||
	       fail(player, "expected", SPAN("the end"), status == 0 ? line : SPAN("an error"));
}

static bool take(struct span *line, const char *word)
{
	struct span text = span_from_cstr(word);
	if (!span_starts_with(*line, text))
		return false;
	*line = span_skip(*line, text.len);
	if (line->len > 0 && line->ptr[0] == ' ')
		*line = span_skip(*line, 1);
	return true;
}

static bool act(struct player *player, struct span line)
{
	struct span rest = line, word = SPAN_EMPTY;
	const char *why = "";
	(void)span_token(&rest, " ", &word);
	if (rest.len > 0)
		rest = span_skip(rest, 1);
	return (player->transcript->directive != NULL &&
		       player->transcript->directive(word, rest, &why)) ||
	       fail(player, "not so, or not understood:", line, span_from_cstr(why));
}

static bool hang_up(struct player *player, int number)
{
	stream_free(client(player, number));
	player->clients[number] = NULL;
	return true;
}

static bool pause_for(struct span ms)
{
	uint64_t wait = 0;
	CHECK(span_to_u64(ms, 60000, &wait));
	return task_sleep((int64_t)wait) == 0;
}

static bool play_line(struct player *player, struct span line)
{
	int number = 1;
	if (line.len > 1 && ascii_is_digit(line.ptr[0]) && ascii_is_upper(line.ptr[1]) &&
		line.ptr[0] <= '0' + TRANSCRIPT_CLIENTS) {
		number = line.ptr[0] - '0';
		line = span_skip(line, 1);
	}
	if (take(&line, "C:"))
		return say(player, number, line, true);
	if (take(&line, "C-"))
		return say(player, number, line, false);
	if (take(&line, "S:"))
		return expect(player, number, line);
	if (take(&line, "S..."))
		return expect_later(player, number, line, (struct span){NULL, 0});
	if (take(&line, "S!")) {
		struct span pattern = span_split(&line, '\t');
		return expect_later(player, number, pattern, line);
	}
	if (take(&line, "NOTHING"))
		return expect_nothing(player, number, line);
	if (take(&line, "WAIT"))
		return pause_for(line);
	if (take(&line, "EOF"))
		return expect_end(player, number);
	if (take(&line, "CLOSE"))
		return hang_up(player, number);
	return act(player, line);
}

static void play(void *arg)
{
	struct player *player = arg;
	struct span rest = span_from_cstr(player->transcript->script);
	while (rest.ptr != NULL && !player->failed) {
		struct span line = span_split(&rest, '\n');
		player->line_number++;
		while (line.len > 0 && line.ptr[0] == '\t')
			line = span_skip(line, 1);
		if (line.len > 0 && line.ptr[0] != '#')
			(void)play_line(player, line);
	}
	for (size_t i = 0; i < ARRAY_LEN(player->clients); i++)
		stream_free(player->clients[i]);
	/* The sessions see the end of their clients and end too. */
	for (int i = 0; i < END_MS / 10 && task_count() > 1; i++)
		(void)task_sleep(10);
	if (task_count() > 1)
		(void)fail(player, "sessions do not", SPAN("end"), SPAN_EMPTY);
	if (player->transcript->end != NULL)
		player->transcript->end();
	task_loop_stop();
}

const char *transcript_play(const struct transcript *transcript)
{
	struct player player = {.transcript = transcript};
	CHECK(task_loop_open() == 0);
	CHECK(task_spawn("player", play, &player, 256 * 1024) != NULL);
	CHECK(task_loop_run() == 0);
	task_loop_close();
	return player.failed ? failure : NULL;
}
