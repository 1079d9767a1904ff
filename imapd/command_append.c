/* APPEND (RFC 3501 6.3.11, RFC 4315 3): the message goes from the connection straight into the
 * store, whatever its size. DURABLE: OK is said after append_commit, which has flushed file and
 * folder.
 * SPDX-License-Identifier: ISC */
#include <errno.h>

#include "imap/command.h"
#include "imapd/command.h"
#include "store/append.h"

#define READ_MS (5 * 60 * 1000)

/* What stands in the way of this message; NULL for nothing. */
static const char *refusal(struct command *command, uint64_t size)
{
	int64_t limit = command->session->settings->append_size_limit;
	if (size == 0)
		return "[CANNOT] Cannot save an empty message";
	if ((limit > 0 && size > (uint64_t)limit) || size > UINT32_MAX)
		return "[TOOBIG] Message is too large";
	return NULL;
}

/* Reads all of the literal, also when the store fails on the way. 0, a store error, -EBADMSG for a
 * NUL, -EPIPE when the client is gone. */
static int receive(struct command *command, struct append *append)
{
	struct connection *connection = command->connection;
	uint64_t left = connection->frame.literal_size;
	int error = 0;
	while (left > 0) {
		struct span bytes;
		if (stream_peek(connection->stream, task_deadline(READ_MS), &bytes) != 0) {
			connection->failed = true;
			return -EPIPE;
		}
		bytes = span_head(bytes, left < bytes.len ? (size_t)left : bytes.len);
		if (error == 0 && span_find_char(bytes, '\0') != SIZE_MAX)
			error = -EBADMSG;
		if (error == 0)
			error = append_write(append, bytes);
		left -= bytes.len;
		stream_consume(connection->stream, bytes.len);
		(void)task_yield();
	}
	return error;
}

/* The line must end behind the message. */
static bool read_end_of_line(struct command *command)
{
	struct connection *connection = command->connection;
	size_t before = connection->frame.bytes.len;
	imap_frame_take_literal(&connection->frame);
	/* A second message would be refused below, like anything else that stands here. */
	connection->wants_literal = NULL;
	enum connection_result result =
		connection_read(connection, task_deadline(READ_MS), READ_MS);
	connection->wants_literal = command_wants_literal;
	if (result != CONNECTION_COMMAND) {
		connection->failed = true;
		return false;
	}
	struct span rest = span_skip(buf_span(&connection->frame.bytes), before);
	if (span_trim(rest).len == 0)
		return true;
	command_bad(command, "One message at a time");
	return false;
}

static void commit(struct command *command, struct append *append_take)
{
	struct append_result result;
	int error = append_commit(append_take, &result);
	if (error != 0) {
		command_failed(command, error);
		return;
	}
	command_ok(command, "");
	buf_append_format(&command->text, "[APPENDUID %u %u] Append completed.", result.uidvalidity,
		result.uid);
}

static void take_message(struct command *command, struct append *append_take)
{
	struct connection *connection = command->connection;
	if (connection->frame.literal_sync) {
		connection_write_cstr(connection, "+ OK\r\n");
		connection_flush(connection);
	}
	command->literal_used = true;
	int error = receive(command, append_take);
	if (error == -EPIPE || !read_end_of_line(command)) {
		append_abort(append_take);
	} else if (error != 0) {
		append_abort(append_take);
		if (error == -EBADMSG)
			command_no(command, "[CANNOT] Message holds a NUL");
		else
			command_failed(command, error);
	} else {
		commit(command, append_take);
	}
}

void command_append(struct command *command)
{
	struct imap_append arguments;
	struct append *append;
	if (!imap_parse_append(&command->parser, &arguments) || !command->literal_follows) {
		command_bad(command, NULL);
		return;
	}
	const char *reason = refusal(command, command->connection->frame.literal_size);
	if (reason != NULL) {
		command_no(command, reason);
		return;
	}
	struct append_options options = {.flags = arguments.flags.system,
		.keywords = arguments.flags.keywords,
		.keyword_count = arguments.flags.keyword_count,
		.internaldate = arguments.has_date ? arguments.date : INT64_MIN,
		.base = SPAN_EMPTY,
		.durability = APPEND_DURABLE};
	int error = append_begin(command->session->store, arguments.mailbox, &options, &append);
	if (error == -ENOENT)
		command_no(command, "[TRYCREATE] Mailbox does not exist");
	else if (error != 0)
		command_failed(command, error);
	else
		take_message(command, append);
}
