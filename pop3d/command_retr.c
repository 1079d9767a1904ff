/* RETR and TOP (RFC 1939 sections 5 and 7): the message straight from its file, in pieces.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "pop3/encode.h"
#include "pop3d/session.h"
#include "pop3d/worker_settings.h"
#include "task/file.h"

#define PIECE (64 * 1024)

static int send_pieces(struct session *session, int fd, uint64_t size, uint64_t body_lines)
{
	struct pop3_encoder encoder;
	struct buf out = BUF_INIT(PIECE * 4);
	char *bytes = memory_alloc(PIECE);
	uint64_t offset = 0;
	int status = 0;
	bool more = size > 0;
	pop3_encode_begin(&encoder, body_lines);
	while (more && status == 0) {
		ssize_t count = task_read_some(fd, bytes, PIECE, offset);
		if (count < 0)
			status = (int)count;
		if (count <= 0)
			break;
		offset += (uint64_t)count;
		buf_reset(&out);
		more = pop3_encode(&encoder, span_new(bytes, (size_t)count), &out) && offset < size;
		status = stream_write(session->stream, buf_span(&out));
		session->bytes += out.len;
		if (status == 0)
			status = task_yield();
	}
	buf_reset(&out);
	pop3_encode_end(&encoder, &out);
	if (status == 0)
		status = stream_write(session->stream, buf_span(&out));
	buf_done(&out);
	free(bytes);
	return status;
}

/* An error in the middle of the message can only be told by ending the session: a client must not
 * take half a message for the whole. */
static int send_message(struct session *session, size_t index, uint64_t body_lines, bool *ret_found)
{
	uint64_t size;
	int fd = mailbox_message_open(session->mailbox, session->uids[index], &size);
	*ret_found = fd >= 0;
	if (fd == -ENOENT)
		return session_reply(session, "-ERR This message is no longer there");
	if (fd < 0)
		return session_reply(session, "-ERR [SYS/TEMP] The message cannot be read now");
	int status = stream_write_cstr(session->stream, "+OK\r\n");
	if (status == 0)
		status = send_pieces(session, fd, size, body_lines);
	close(fd);
	if (status == 0 && stream_buffered(session->stream).len == 0)
		status = stream_flush(session->stream, task_deadline(worker_settings()->timeout));
	return status;
}

int command_retr(struct session *session, const struct pop3_command *command)
{
	size_t index;
	bool found;
	int status = 0;
	if (!session_find(session, command->argument, &index, &status))
		return status;
	status = send_message(session, index, POP3_ALL_LINES, &found);
	session->retrieved += found;
	if (found)
		session->marks[index] |= MARK_RETRIEVED;
	return status;
}

int command_top(struct session *session, const struct pop3_command *command)
{
	struct span rest = command->argument, number;
	uint32_t unused, lines;
	size_t index;
	bool found;
	int status = 0;
	if (!pop3_parse_top(command->argument, &unused, &lines))
		return session_reply(session, "-ERR TOP wants a message number and a number of lines");
	span_token(&rest, " ", &number);
	if (!session_find(session, number, &index, &status))
		return status;
	status = send_message(session, index, lines, &found);
	session->tops += found;
	return status;
}
