/* What a sender can put into the names and the files of a delivery by `local`: a path or a command
 * made of his words stays within what was written for it, and in an mbox file no line of a message
 * looks like the beginning of the next one. The input: extension, sender and message, with NUL
 * between.
 * SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "local/template.h"
#include "local/worker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ALLOWED "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static char path[] = "/tmp/tambo-mbox-fuzz-XXXXXX";

static void silence(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)line;
	(void)len;
}

static void remove_file(void)
{
	(void)unlink(path);
}

static void set_up(void)
{
	log_set_sink(silence);
	task_offload_threads(0);
	local.settings.command_filter = ALLOWED;
	int fd = mkstemp(path);
	CHECK(fd >= 0 && close(fd) == 0);
	(void)atexit(remove_file);
}

static void expand(struct span extension, struct span sender, enum template_use use)
{
	struct arena arena;
	struct delivery delivery = {.arena = &arena};
	struct target target = {.address = SPAN("bob@example.test"), .user = SPAN("bob"),
		.extension = extension, .sender = sender};
	struct span result;
	arena_init(&arena, 1UL << 20);
	if (template_expand(&delivery, &target, NULL, SPAN("<${user}${extension?x$extension}|$sender>"),
		use, &result)) {
		CHECK(result.ptr[0] == '<' && result.ptr[result.len - 1] == '>');
		struct span inner = span_part(result, 1, result.len - 2);
		for (size_t i = 0; i < inner.len; i++) {
			CHECK((unsigned char)inner.ptr[i] >= ' ');
			CHECK(use != TEMPLATE_PATH || inner.ptr[i] != '/');
			CHECK(use != TEMPLATE_COMMAND || inner.ptr[i] == '|' ||
				strchr(ALLOWED, inner.ptr[i]) != NULL);
		}
	}
	arena_done(&arena);
}

/* One From_ line at the beginning, none behind it; a blank line at the end. */
static void check_mbox(struct span file)
{
	CHECK(span_starts_with(file, SPAN("From ")) && span_ends_with(file, SPAN("\n\n")));
	struct span rest = file, line = span_split(&rest, '\n');
	CHECK(span_is_printable(line));
	while (rest.len > 0)
		CHECK(!span_starts_with(span_split(&rest, '\n'), SPAN("From ")));
}

static void deliver(void *arg)
{
	const struct local_work *work = arg;
	struct answer answer = {.text = BUF_INIT(1000), .content = BUF_INIT(1000)};
	work_mbox(work, "delivered", &answer);
	CHECK(answer.done.result == LOCAL_DELIVERED);
	buf_done(&answer.text);
	buf_done(&answer.content);
}

static void write_mbox(struct span sender, struct span message)
{
	struct local_work work = {.path = span_from_cstr(path), .sender = sender, .content = message,
		.size = message.len, .content_fd = -1, .lock_attempts = 1};
	static char file[1 << 17];
	CHECK(truncate(path, 0) == 0);
	CHECK(task_loop_open() == 0);
	CHECK(task_spawn("mbox", deliver, &work, 0) != NULL);
	CHECK(task_loop_run() == 0);
	task_loop_close();
	FILE *stream = fopen(path, "r");
	CHECK(stream != NULL);
	size_t len = fread(file, 1, sizeof file, stream);
	(void)fclose(stream);
	check_mbox(span_new(file, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span message = span_new(data, size);
	if (size > 16384)
		return 0;
	if (local.settings.command_filter == NULL)
		set_up();
	struct span extension = span_split(&message, '\0');
	struct span sender = message.ptr == NULL ? SPAN_EMPTY : span_split(&message, '\0');
	if (message.ptr == NULL)
		message = SPAN_EMPTY;
	expand(extension, sender, TEMPLATE_PATH);
	expand(extension, sender, TEMPLATE_COMMAND);
	expand(extension, sender, TEMPLATE_ADDRESS);
	write_mbox(sender, message);
	return 0;
}
