/* STAT, LIST and UIDL (RFC 1939 sections 5 and 7).
 * SPDX-License-Identifier: ISC */
#include <errno.h>

#include "pop3d/session.h"

#define UIDL_MAX 80
#define YIELD_EVERY 256

int command_stat(struct session *session, const struct pop3_command *command)
{
	size_t count = 0;
	uint64_t size = 0;
	(void)command;
	for (size_t i = 0; i < session->count; i++)
		if (!(session->marks[i] & MARK_DELETED)) {
			count++;
			size += session->sizes[i];
		}
	return session_reply_format(session, "+OK %zu %llu", count, (unsigned long long)size);
}

/* The value of a line: a size, or a unique id. */
struct line_value {
	int (*append)(struct session *session, size_t index, struct buf *out);
};

static int value_size(struct session *session, size_t index, struct buf *out)
{
	buf_append_u64(out, session->sizes[index]);
	return 0;
}

static int value_uidl(struct session *session, size_t index, struct buf *out)
{
	int status = mailbox_message_uidl(session->mailbox, session->uids[index], out);
	/* The file went away behind our back: the UID still tells messages apart. */
	if (status == -ENOENT) {
		buf_append_format(out, "gone%u", (unsigned)session->uids[index]);
		status = 0;
	}
	return status;
}

static const struct line_value size_value = {value_size}, uidl_value = {value_uidl};

static int append_line(
	struct session *session, const struct line_value *value, size_t index, struct buf *out)
{
	buf_append_u64(out, index + 1);
	buf_append_char(out, ' ');
	return value->append(session, index, out);
}

static int one_line(struct session *session, const struct line_value *value, struct span argument)
{
	struct buf line = BUF_INIT(UIDL_MAX + 40);
	size_t index;
	int status = 0;
	if (!session_find(session, argument, &index, &status))
		return status;
	if (append_line(session, value, index, &line) != 0)
		status = session_reply(session, "-ERR [SYS/TEMP] Cannot be found out now");
	else
		status = session_reply_format(session, "+OK %s", buf_cstr(&line));
	buf_done(&line);
	return status;
}

static int all_lines(struct session *session, const struct line_value *value)
{
	struct buf line = BUF_INIT(UIDL_MAX + 40);
	int status = stream_write_cstr(session->stream, "+OK\r\n");
	for (size_t i = 0; i < session->count && status == 0; i++) {
		if (session->marks[i] & MARK_DELETED)
			continue;
		buf_reset(&line);
		status = append_line(session, value, i, &line);
		buf_append_cstr(&line, "\r\n");
		if (status == 0)
			status = stream_write(session->stream, buf_span(&line));
		if (status == 0 && i % YIELD_EVERY == YIELD_EVERY - 1)
			status = task_yield();
	}
	buf_done(&line);
	return status != 0 ? status : session_reply(session, ".");
}

int command_list(struct session *session, const struct pop3_command *command)
{
	return span_is_empty(command->argument) ? all_lines(session, &size_value)
						: one_line(session, &size_value, command->argument);
}

int command_uidl(struct session *session, const struct pop3_command *command)
{
	return span_is_empty(command->argument) ? all_lines(session, &uidl_value)
						: one_line(session, &uidl_value, command->argument);
}
