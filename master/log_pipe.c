/* Log lines of processes that must not hold the log file itself: a person's workers, who could
 * empty it, and clients of foreign servers, whose libraries need F_SETFL and so could take its
 * O_APPEND. Each has a pipe; what comes out is copied to the log in whole lines, without a look
 * into it.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/memory.h"
#include "master/master.h"

#define LINE_MAX_BYTES PIPE_BUF /* what one write() leaves in one piece */
#define READ_MAX (16 * 1024)

struct log_pipe {
	struct source source;
	size_t len; /* of a line that has not ended */
	char line[LINE_MAX_BYTES];
};

bool log_pipe_is_needed(const struct program *program, enum control_role role)
{
	if (master.log_kind != LOG_SINK_FILE || master.log_fd < 0)
		return false;
	return role != CONTROL_ROLE_SERVICE ||
		(program->user == PROGRAM_NET && !(program->flags & PROGRAM_LISTENS));
}

static void write_log(const char *bytes, size_t len)
{
	while (len > 0 && master.log_fd >= 0) {
		ssize_t n = write(master.log_fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (errno != ENOSPC)
				master_log_lost();
			return;
		}
		bytes += n;
		len -= (size_t)n;
	}
}

static void end_line(struct log_pipe *log_pipe)
{
	log_pipe->line[log_pipe->len] = '\n';
	write_log(log_pipe->line, log_pipe->len + 1);
	log_pipe->len = 0;
}

/* A line that ends nowhere is cut. */
static void keep_rest(struct log_pipe *log_pipe, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t room = sizeof log_pipe->line - 1 - log_pipe->len;
		size_t part = len < room ? len : room;
		memcpy(log_pipe->line + log_pipe->len, bytes, part);
		log_pipe->len += part;
		bytes += part;
		len -= part;
		if (log_pipe->len == sizeof log_pipe->line - 1)
			end_line(log_pipe);
	}
}

static void take_bytes(struct log_pipe *log_pipe, const char *bytes, size_t len)
{
	const char *newline = memchr(bytes, '\n', len);
	if (log_pipe->len > 0 && newline != NULL) {
		keep_rest(log_pipe, bytes, (size_t)(newline - bytes));
		end_line(log_pipe);
		len -= (size_t)(newline + 1 - bytes);
		bytes = newline + 1;
	}
	const char *last = memrchr(bytes, '\n', len);
	size_t whole = last == NULL ? 0 : (size_t)(last + 1 - bytes);
	write_log(bytes, whole);
	keep_rest(log_pipe, bytes + whole, len - whole);
}

/* False when nothing is to be had now or ever: then the loop need not look again. */
static bool copy_some(struct log_pipe *log_pipe)
{
	char bytes[READ_MAX];
	ssize_t n = read(log_pipe->source.fd, bytes, sizeof bytes);
	if (n > 0)
		take_bytes(log_pipe, bytes, (size_t)n);
	return n > 0 || (n < 0 && errno == EINTR);
}

static void take_lines(struct source *source, unsigned events)
{
	struct log_pipe *log_pipe = LIST_ENTRY(source, struct log_pipe, source);
	(void)events;
	/* The end: SIGCHLD does the rest. */
	if (!copy_some(log_pipe) && errno != EAGAIN)
		loop_remove(source);
}

struct log_pipe *log_pipe_open(int *ret_write_fd)
{
	int ends[2], yes = 1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return NULL;
	if (ioctl(ends[0], FIONBIO, &yes) < 0) {
		close(ends[0]);
		close(ends[1]);
		return NULL;
	}
	struct log_pipe *log_pipe = NEW(struct log_pipe);
	log_pipe->source.fd = ends[0];
	log_pipe->source.ready = take_lines;
	int error = loop_add(&log_pipe->source);
	if (error != 0) {
		close(ends[0]);
		close(ends[1]);
		free(log_pipe);
		errno = -error;
		return NULL;
	}
	*ret_write_fd = ends[1];
	return log_pipe;
}

void log_pipe_close(struct log_pipe *log_pipe)
{
	if (log_pipe == NULL)
		return;
	/* As much as a pipe holds: somebody else may have its other end. */
	for (size_t i = 0; i < 64 && copy_some(log_pipe); i++)
		;
	if (log_pipe->len > 0)
		end_line(log_pipe);
	loop_remove(&log_pipe->source);
	close(log_pipe->source.fd);
	free(log_pipe);
}
