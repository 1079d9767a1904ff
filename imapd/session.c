/* The life of a session in the worker: the login's answer, commands one after the other, the end.
 * RFC 3501 section 3 and 5.4 (autologout).
 * SPDX-License-Identifier: ISC */
#include "imapd/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/handoff.h"
#include "imapd/command.h"

/* Between the first byte of a command and its end. */
#define BUSY_MS (5 * 60 * 1000)

static const char CAPABILITIES[] =
	"IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE UIDPLUS UNSELECT CHILDREN MOVE "
	"SPECIAL-USE LIST-EXTENDED CONDSTORE";

static struct list_node sessions = LIST_INIT(sessions);
static bool hurrying;

void session_hurry_all(void)
{
	hurrying = true;
	LIST_FOREACH (node, &sessions) {
		struct session *session = LIST_ENTRY(node, struct session, node);
		if (session->idle)
			task_cancel(session->task);
	}
}

bool session_is_hurried(void)
{
	return hurrying;
}

void session_capabilities(struct buf *out)
{
	buf_append_cstr(out, CAPABILITIES);
}

void session_unselect(struct session *session)
{
	mailbox_close(session->mailbox);
	session->mailbox = NULL;
	session->place = (struct content_place){0};
}

/* The client has the answer to its login. */
static void begun(struct session *session, const struct session_start_info *info)
{
	connection_flush(&session->connection);
	if (info->handed != NULL)
		handoff_begun(info->handed);
}

static void greet(struct session *session, const struct session_start_info *info)
{
	connection_format(&session->connection, "%.*s OK [CAPABILITY %s] Logged in\r\n",
		SPAN_ARGS(info->tag), CAPABILITIES);
	begun(session, info);
}

static void say_goodbye(struct session *session, enum connection_result why)
{
	if (why == CONNECTION_TIMEOUT)
		connection_write_cstr(
			&session->connection, "* BYE Disconnected for inactivity\r\n");
	else if (hurrying && !session->logged_out)
		connection_write_cstr(&session->connection, "* BYE Server is shutting down\r\n");
}

static const char *reason(const struct session *session, enum connection_result result)
{
	if (hurrying)
		return "server stops";
	if (session->logged_out)
		return "logged out";
	if (result == CONNECTION_TIMEOUT)
		return "timeout";
	return session->connection.failed ? "connection lost" : "connection closed";
}

static void run_commands(struct session *session)
{
	struct connection *connection = &session->connection;
	enum connection_result result = CONNECTION_COMMAND;
	while (!session->logged_out && !connection->failed && !hurrying) {
		session->idle = true;
		result = connection_read(
			connection, task_deadline(session->settings->timeout_ms), BUSY_MS);
		session->idle = false;
		if (result != CONNECTION_COMMAND && result != CONNECTION_LITERAL)
			break;
		command_run(session, result == CONNECTION_LITERAL);
		connection_next(connection);
	}
	say_goodbye(session, result);
	log_info(NULL, "disconnect from unknown[%s]: user=<%s>, %s, commands=%u", session->remote,
		session->user, reason(session, result), session->commands);
}

/* The front counts connections before the login, this counts those that it has passed on. */
static bool has_too_many(const struct session *session)
{
	int64_t count = 0;
	if (session->settings->connection_limit == 0)
		return false;
	LIST_FOREACH (node, &sessions) {
		const struct session *other = LIST_ENTRY(node, struct session, node);
		if (strcmp(other->user, session->user) == 0 &&
			strcmp(other->remote, session->remote) == 0)
			count++;
	}
	return count >= session->settings->connection_limit;
}

static void refuse(struct session *session, const struct session_start_info *info, int error)
{
	log_error(NULL, "user=<%s>: cannot open %.*s: %s", session->user,
		SPAN_ARGS(info->mailbox_path), strerror(-error));
	connection_format(&session->connection,
		"%.*s NO [UNAVAILABLE] The mailbox cannot be opened, try again later\r\n"
		"* BYE Mailbox is not available\r\n",
		SPAN_ARGS(info->tag));
	begun(session, info);
}

static void refuse_one_more(struct session *session, const struct session_start_info *info)
{
	log_warning(NULL,
		"user=<%s>: too many sessions from %s (imapd_client_connection_count_limit)",
		session->user, session->remote);
	connection_format(&session->connection,
		"%.*s NO [LIMIT] Too many sessions from your address\r\n* BYE Too many sessions\r\n",
		SPAN_ARGS(info->tag));
	begun(session, info);
}

static void serve(struct session *session, const struct session_start_info *info)
{
	char *root = span_dup_cstr(info->mailbox_path);
	int error = info->maildir ? store_open(root, STORE_REPAIR, &session->store) : -ENOTSUP;
	free(root);
	if (error != 0) {
		refuse(session, info, error);
		return;
	}
	store_keep(session->store);
	session->task = task_self();
	list_append(&sessions, &session->node);
	greet(session, info);
	run_commands(session);
	list_remove(&session->node);
	session_unselect(session);
	store_close(session->store);
}

void session_run(struct stream *stream_take, const struct session_start_info *info,
	const struct worker_settings *settings)
{
	struct session session = {.settings = settings,
		.user = span_dup_cstr(info->user),
		.remote = span_dup_cstr(info->remote)};
	connection_init(&session.connection, stream_take, &settings->limits);
	session.connection.wants_literal = command_wants_literal;
	if (has_too_many(&session))
		refuse_one_more(&session, info);
	else
		serve(&session, info);
	connection_done(&session.connection, true);
	free(session.user);
	free(session.remote);
}
