/* IDLE (RFC 2177): changes are told the moment they happen, until the client says DONE. Whatever
 * the client sent behind DONE, in the same packet, stays in the stream for the next commands.
 * SPDX-License-Identifier: ISC */
#include <errno.h>

#include "imapd/command.h"
#include "imapd/update.h"

/* Without a descriptor to wait for, the mailbox is looked at this often. */
#define POLL_MS (5 * 1000)
#define DONE_LINE_MAX 1024

enum wake { WAKE_INPUT, WAKE_CHANGE, WAKE_TIME, WAKE_STOP, WAKE_LOST };

static enum wake wait_for_something(struct session *session, task_time deadline)
{
	struct stream *stream = session->connection.stream;
	int event = session->mailbox == NULL ? -1 : mailbox_event_fd(session->mailbox);
	int which = 0;
	/* Gives the buffers back; a descriptor is waited for only when nothing is left in it
	 * (task.h). */
	int status = stream_wait_input(stream, task_now());
	if (status == 0)
		return WAKE_INPUT;
	if (status != -ETIMEDOUT)
		return status == -ECANCELED ? WAKE_STOP : WAKE_LOST;
	if (session_is_hurried())
		return WAKE_STOP; /* told while it was telling changes */
	bool poll = session->mailbox != NULL && event < 0;
	if (poll && task_deadline(POLL_MS) < deadline)
		deadline = task_deadline(POLL_MS);
	session->idle = true;
	status = task_wait_two(
		stream_fd(stream), TASK_READ, event < 0 ? -1 : event, TASK_READ, deadline, &which);
	session->idle = false;
	if (status == -ETIMEDOUT)
		return poll ? WAKE_CHANGE : WAKE_TIME;
	if (status == -ECANCELED)
		return WAKE_STOP;
	if (status != 0)
		return WAKE_LOST;
	return which == 0 ? WAKE_INPUT : WAKE_CHANGE;
}

/* Reads the line that ends IDLE. */
static void read_done(struct command *command)
{
	struct connection *connection = command->connection;
	struct span line;
	int status = stream_read_line(
		connection->stream, DONE_LINE_MAX, task_deadline(60 * 1000), &line);
	if (status == -EMSGSIZE) {
		imap_frame_skip_line(&connection->frame);
		command_bad(command, "Expected DONE");
	} else if (status != 0) {
		connection->failed = true;
	} else if (span_equal_nocase(span_trim(line), SPAN("DONE"))) {
		command_ok(command, "Idle completed.");
	} else {
		command_bad(command, "Expected DONE");
	}
}

static void leave(struct session *session, const char *goodbye)
{
	connection_write_cstr(&session->connection, goodbye);
	session->logged_out = true;
}

/* Everything may be told during IDLE, also expunges. */
static void idle(struct command *command)
{
	struct session *session = command->session;
	task_time end = task_deadline(session->settings->timeout_ms);
	task_time still_here = task_deadline(session->settings->idle_notify_ms);
	while (!session->logged_out && !command->connection->failed) {
		update_send(session, UPDATE_EXPUNGES, false);
		connection_flush(command->connection);
		switch (wait_for_something(session, still_here < end ? still_here : end)) {
		case WAKE_INPUT:
			read_done(command);
			return;
		case WAKE_CHANGE:
			break;
		case WAKE_TIME:
			if (task_now() >= end) {
				leave(session, "* BYE Disconnected for inactivity\r\n");
				return;
			}
			connection_write_cstr(command->connection, "* OK Still here\r\n");
			still_here = task_deadline(session->settings->idle_notify_ms);
			break;
		case WAKE_STOP:
			leave(session, "* BYE Server is shutting down\r\n");
			return;
		case WAKE_LOST:
			command->connection->failed = true;
			return;
		}
	}
}

void command_idle(struct command *command)
{
	if (!imap_parse_end(&command->parser)) {
		command_bad(command, NULL);
		return;
	}
	connection_write_cstr(command->connection, "+ idling\r\n");
	command_no(command, "Idle ended.");
	idle(command);
}
