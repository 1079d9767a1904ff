/* The worker: one piece of work after the other on each connection.
 * SPDX-License-Identifier: ISC */
#include "local/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "daemon/daemon.h"
#include "task/task.h"

#define PIECE 65536
#define ANSWER_TEXT_MAX 4000
#define SEND_MS 60000

void answer_set(struct answer *answer, enum local_result result, const char *dsn,
	const char *format, ...)
{
	va_list args;
	answer->done.result = result;
	(void)snprintf(answer->dsn, sizeof(answer->dsn), "%s", dsn);
	buf_reset(&answer->text);
	va_start(args, format);
	buf_append_vformat(&answer->text, format, args);
	va_end(args);
}

void answer_error(struct answer *answer, int error, const char *what, struct span path)
{
	const char *dsn = "4.2.0";
	if (error == -ENOSPC)
		dsn = "4.3.1";
	else if (error == -EDQUOT)
		dsn = "4.2.2";
	answer_set(answer, LOCAL_DEFERRED, dsn, "%s: %.*s: %s", what, SPAN_ARGS(path),
		strerror(-error));
}

void work_reader_init(struct work_reader *reader, const struct local_work *work)
{
	*reader = (struct work_reader){.work = work, .headers = work->headers,
		.content = work->content_fd < 0 ? work->content : SPAN_EMPTY,
		.offset = work->content_offset, .left = work->content_fd < 0 ? 0 : work->size};
}

void work_reader_done(struct work_reader *reader)
{
	free(reader->piece);
}

int work_read(struct work_reader *reader, struct span *ret_piece)
{
	if (reader->headers.len > 0) {
		*ret_piece = reader->headers;
		reader->headers = SPAN_EMPTY;
		return 0;
	}
	if (reader->content.len > 0 || reader->left == 0) {
		*ret_piece = span_head(reader->content, PIECE);
		reader->content = span_skip(reader->content, PIECE);
		return 0;
	}
	if (reader->piece == NULL)
		reader->piece = memory_alloc(PIECE);
	ssize_t n;
	do
		n = pread(reader->work->content_fd, reader->piece,
			reader->left < PIECE ? (size_t)reader->left : PIECE, (off_t)reader->offset);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -EIO; /* a message is never delivered cut short */
	reader->offset += (uint64_t)n;
	reader->left -= (uint64_t)n;
	*ret_piece = span_new(reader->piece, (size_t)n);
	return 0;
}

static bool home_is_there(const struct local_work *work, struct answer *answer)
{
	if (!work->require_home || work->home.len == 0)
		return true;
	char *home = span_dup_cstr(work->home);
	int error = access(home, X_OK) == 0 ? 0 : -errno;
	free(home);
	if (error != 0)
		answer_error(answer, error, "home directory is not accessible", work->home);
	return error == 0;
}

static void do_mailbox(const struct local_work *work, struct answer *answer)
{
	if (!home_is_there(work, answer) || work_forward(work, answer))
		return;
	if (work->path.len == 0)
		answer_set(answer, LOCAL_READ, "2.0.0", "no forward file");
	else if (work->maildir)
		work_maildir(work, answer);
	else
		work_mbox(work, "delivered to mailbox", answer);
}

static void do_file(const struct local_work *work, struct answer *answer)
{
	struct buf text = BUF_INIT(4096);
	if (work->maildir) {
		work_maildir(work, answer);
	} else {
		buf_append_cstr(&text, "delivered to file: ");
		buf_append(&text, work->path);
		work_mbox(work, buf_cstr(&text), answer);
	}
	buf_done(&text);
}

static void do_work(const struct local_work *work, struct answer *answer)
{
	bool runs_commands = daemon_role() == DAEMON_COMMAND;
	enum local_work_kind kind = (enum local_work_kind)work->kind;
	if (runs_commands != (kind == LOCAL_WORK_COMMAND)) {
		answer_set(answer, LOCAL_DEFERRED, "4.3.0", "internal error: wrong kind of worker");
		return;
	}
	switch (kind) {
	case LOCAL_WORK_MAILBOX:
		do_mailbox(work, answer);
		break;
	case LOCAL_WORK_FILE:
		do_file(work, answer);
		break;
	case LOCAL_WORK_READ:
		work_include(work, answer);
		break;
	case LOCAL_WORK_COMMAND:
		work_command(work, answer);
		break;
	}
}

static int serve_one(struct channel *channel, struct local_work *work, struct flushable *flushable)
{
	struct answer answer = {.done = {.flush_fd = -1, .is_durable = true},
		.flushable = flushable};
	buf_init(&answer.text, ANSWER_TEXT_MAX);
	buf_init(&answer.content, LOCAL_READ_MAX);
	daemon_work_begin();
	do_work(work, &answer);
	answer.done.dsn = span_from_cstr(answer.dsn);
	answer.done.text = buf_span(&answer.text);
	answer.done.content = buf_span(&answer.content);
	int error = channel_send(channel, &local_done_type, &answer.done);
	if (error == 0)
		error = channel_flush(channel, task_deadline(SEND_MS));
	daemon_work_end();
	if (answer.done.flush_fd >= 0) {
		flushable->is_known = error == 0;
		(void)close(answer.done.flush_fd);
	}
	if (work->content_fd >= 0)
		(void)close(work->content_fd);
	buf_done(&answer.text);
	buf_done(&answer.content);
	return error;
}

/* One recipient of a batch: what goes wrong is his outcome, and nobody else's. */
static void serve_item(const struct local_batch *batch, const struct local_batch_item *item,
	struct answer *answer, struct local_batch_done *done)
{
	struct local_work work = {.kind = LOCAL_WORK_MAILBOX, .headers = item->headers,
		.path = item->path, .base = item->base, .maildir = true,
		.first_ms = batch->first_ms, .flush_file = batch->flush_file,
		.size_limit = batch->size_limit, .content = batch->content,
		.content_fd = batch->content_fd, .content_offset = batch->content_offset,
		.size = batch->size};
	answer->done = (struct local_done){.flush_fd = -1, .is_durable = true};
	do_work(&work, answer);
	done->outcomes[done->outcome_count++] = (struct local_batch_outcome){
		.result = answer->done.result, .is_durable = answer->done.is_durable,
		.device = answer->done.device};
	if (answer->done.flush_fd >= 0) {
		done->flush_fd = answer->done.flush_fd;
		done->flush_device = answer->done.device;
		answer->flushable->is_known = answer->flushable->is_full = true;
	}
}

static int serve_batch(struct channel *channel, const struct local_batch *batch,
	struct flushable *flushable)
{
	struct arena texts;
	struct answer answer = {.flushable = flushable};
	struct local_batch_done done = {.flush_fd = -1};
	arena_init(&texts, LOCAL_BATCH_MAX * (ANSWER_TEXT_MAX + 1024));
	buf_init(&answer.text, ANSWER_TEXT_MAX);
	done.outcomes = ARENA_ARRAY(&texts, struct local_batch_outcome, batch->item_count + 1);
	daemon_work_begin();
	for (size_t i = 0; i < batch->item_count && done.outcomes != NULL; i++) {
		serve_item(batch, &batch->items[i], &answer, &done);
		done.outcomes[i].dsn = arena_dup(&texts, span_from_cstr(answer.dsn));
		done.outcomes[i].text = arena_dup(&texts, buf_span(&answer.text));
		(void)task_share();
	}
	int error = channel_send(channel, &local_batch_done_type, &done);
	if (error == 0)
		error = channel_flush(channel, task_deadline(SEND_MS));
	daemon_work_end();
	flushable->is_full = false;
	if (done.flush_fd >= 0) {
		flushable->is_known = error == 0;
		(void)close(done.flush_fd);
	}
	if (batch->content_fd >= 0)
		(void)close(batch->content_fd);
	buf_done(&answer.text);
	arena_done(&texts);
	return error;
}

void worker_serve(struct channel *channel_take, const char *peer)
{
	static const struct message_type *const types[] = {&local_work_type, &local_batch_type};
	struct channel *channel = channel_take;
	struct flushable flushable = {0};
	size_t which;
	void *message;
	int error = 0;
	(void)peer;
	while (error == 0 && channel_receive(channel, types, ARRAY_LEN(types), TASK_FOREVER, &which,
		&message) == 0)
		error = which == 0 ? serve_one(channel, message, &flushable)
			: serve_batch(channel, message, &flushable);
	channel_free(channel);
}
