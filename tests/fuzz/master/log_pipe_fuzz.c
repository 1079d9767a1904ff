/* What a process that must not hold the log file writes into its pipe, in pieces: it stands in the
 * log in whole lines, nothing is lost, and a line that ends nowhere is cut. Each piece: its length
 * (two bytes), then its bytes.
 * SPDX-License-Identifier: ISC */
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "master/master.h"

/* One whole line of what was read at once, and what was kept of it before. */
#define LINE_MAX_BYTES (16 * 1024 + PIPE_BUF)

struct master master;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span take(struct span *rest, size_t len)
{
	struct span piece = span_head(*rest, len);
	*rest = span_skip(*rest, piece.len);
	return piece;
}

/* The log without its line ends is what was written without its own. */
static void check_log(struct span written)
{
	char log[65536];
	ssize_t len = pread(master.log_fd, log, sizeof log, 0);
	size_t at = 0, line = 0;
	CHECK(len >= 0 && (len == 0 || log[len - 1] == '\n'));
	for (ssize_t i = 0; i < len; i++) {
		line = log[i] == '\n' ? 0 : line + 1;
		CHECK(line < LINE_MAX_BYTES);
		if (log[i] == '\n')
			continue;
		while (at < written.len && written.ptr[at] == '\n')
			at++;
		CHECK(at < written.len && written.ptr[at++] == log[i]);
	}
	while (at < written.len && written.ptr[at] == '\n')
		at++;
	CHECK(at == written.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_new(data, size), head;
	struct buf written = BUF_INIT(65536);
	int fd = -1;
	if (size > 32000)
		return 0;
	if (master.log_fd == 0) {
		CHECK(loop_open() == 0);
		master.log_fd = memfd_create("log", MFD_CLOEXEC);
	}
	CHECK(ftruncate(master.log_fd, 0) == 0 && lseek(master.log_fd, 0, SEEK_SET) == 0);
	struct log_pipe *log_pipe = log_pipe_open(&fd);
	CHECK(log_pipe != NULL);
	struct source *source = (struct source *)log_pipe; /* its first member */
	while ((head = take(&rest, 2)).len == 2) {
		const uint8_t *b = (const uint8_t *)head.ptr;
		struct span piece = take(&rest, (size_t)b[0] << 8 | b[1]);
		CHECK(write(fd, piece.ptr, piece.len) == (ssize_t)piece.len);
		buf_append(&written, piece);
		if (piece.len > 0)
			source->ready(source, 0);
	}
	log_pipe_close(log_pipe);
	close(fd);
	check_log(buf_span(&written));
	buf_done(&written);
	return 0;
}
