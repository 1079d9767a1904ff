/* The conversation behind the login (RFC 1939 sections 5 and 6), as the person's own uid. Nothing
 * is removed unless QUIT is said.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/handoff.h"
#include "pop3d/pop3d.h"
#include "pop3d/session.h"
#include "pop3d/worker_settings.h"

#define IN_CAP (132 * 1024) /* what the front may hand over, and a line */
#define OUT_CAP (32 * 1024)
#define SESSION_MEMORY (64 * 1024)
#define ERRORS_MAX 50
#define YIELD_EVERY 256

int session_reply(struct session *session, const char *line)
{
	return session_reply_format(session, "%s", line);
}

int session_reply_format(struct session *session, const char *format, ...)
{
	struct buf text = BUF_INIT(2048);
	va_list args;
	va_start(args, format);
	buf_append_vformat(&text, format, args);
	va_end(args);
	buf_append_cstr(&text, "\r\n");
	int status = stream_write(session->stream, buf_span(&text));
	buf_done(&text);
	if (status == 0 && stream_buffered(session->stream).len == 0)
		status = stream_flush(session->stream, task_deadline(worker_settings()->timeout));
	return status;
}

bool session_find(struct session *session, struct span argument, size_t *ret_index, int *ret_status)
{
	uint32_t number;
	if (!pop3_parse_number(argument, &number) || number > session->count) {
		*ret_status = session_reply_format(session, "-ERR There are %zu messages", session->count);
		return false;
	}
	if (session->marks[number - 1] & MARK_DELETED) {
		*ret_status = session_reply(session, "-ERR This message is deleted");
		return false;
	}
	*ret_index = number - 1;
	return true;
}

/* --- small commands --- */

static int command_noop(struct session *session, const struct pop3_command *command)
{
	(void)command;
	return session_reply(session, "+OK");
}

static int command_capa(struct session *session, const struct pop3_command *command)
{
	(void)command;
	return session_reply(session, "+OK Capability list follows\r\n" POP3D_CAPABILITIES ".");
}

static const struct {
	enum pop3_verb verb;
	int (*run)(struct session *session, const struct pop3_command *command);
} commands[] = {
	{POP3_CAPA, command_capa},
	{POP3_DELE, command_dele},
	{POP3_LIST, command_list},
	{POP3_NOOP, command_noop},
	{POP3_QUIT, command_quit},
	{POP3_RETR, command_retr},
	{POP3_RSET, command_rset},
	{POP3_STAT, command_stat},
	{POP3_TOP, command_top},
	{POP3_UIDL, command_uidl},
};

static int run_command(struct session *session, struct span line, unsigned *errors)
{
	struct pop3_command command;
	if (pop3_command_parse(line, &command))
		for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
			if (commands[i].verb == command.verb)
				return commands[i].run(session, &command);
	if (++*errors < ERRORS_MAX)
		return session_reply(session, "-ERR Unknown command");
	session->done = true;
	return session_reply(session, "-ERR Too many errors");
}

/* --- the session --- */

/* One message that is gone meanwhile, or cannot be read (another one's file, a bad disk), keeps
 * nobody from the others: RETR will tell. */
static int find_sizes(struct session *session)
{
	size_t unread = 0;
	for (size_t i = 0; i < session->count; i++) {
		if (session->sizes[i] != UINT64_MAX)
			continue;
		int status = mailbox_message_size(session->mailbox, session->uids[i],
			&session->sizes[i]);
		if (status == 0)
			continue;
		session->sizes[i] = 0;
		if (status != -ENOENT && status != -EACCES && status != -EPERM && status != -EIO)
			return status;
		if (status != -ENOENT && unread++ == 0)
			log_warning(NULL, "user=<%.*s>: the message with UID %u cannot be read: %s",
				SPAN_ARGS(session->user), session->uids[i], strerror(-status));
	}
	if (unread > 1)
		log_warning(NULL, "user=<%.*s>: %zu messages cannot be read",
			SPAN_ARGS(session->user), unread);
	return 0;
}

static int load_messages(struct session *session)
{
	session->count = mailbox_count(session->mailbox);
	session->uids = memory_zalloc(session->count, sizeof *session->uids);
	session->sizes = memory_zalloc(session->count, sizeof *session->sizes);
	session->marks = memory_zalloc(session->count, sizeof *session->marks);
	for (size_t i = 0; i < session->count; i++) {
		const struct message *message = mailbox_at(session->mailbox, i);
		session->uids[i] = message->uid;
		session->sizes[i] = message->size;
		if (i % YIELD_EVERY == YIELD_EVERY - 1 && task_yield() != 0)
			return -ECANCELED;
	}
	return find_sizes(session);
}

static int open_mailbox(struct session *session, const struct session_user *user)
{
	char *root = span_dup_cstr(user->mailbox);
	unsigned flags = worker_settings()->lock_mailbox ? MAILBOX_POP3 : 0;
	int status = store_open(root, STORE_REPAIR, &session->store);
	if (status == 0)
		store_keep(session->store);
	if (status == 0)
		status = mailbox_open(session->store, SPAN("INBOX"), flags, &session->mailbox);
	if (status == 0)
		status = load_messages(session);
	if (status != 0 && status != -EBUSY)
		log_error(NULL, "%.*s: cannot open the mailbox %s: %s", SPAN_ARGS(user->user), root,
			strerror(-status));
	free(root);
	return status;
}

static int greet(struct session *session, int opened)
{
	if (opened == -EBUSY) {
		session_reply(session, "-ERR [IN-USE] The mailbox is locked by another POP3 session");
		return opened;
	}
	if (opened != 0) {
		session_reply(session, "-ERR [SYS/TEMP] The mailbox cannot be opened");
		return opened;
	}
	return session_reply_format(session, "+OK Logged in, %zu messages", session->count);
}

static int converse(struct session *session)
{
	unsigned errors = 0;
	int status = 0;
	while (status == 0 && !session->done) {
		struct span line;
		task_time deadline = task_deadline(worker_settings()->idle_timeout);
		if (stream_buffered(session->stream).len == 0)
			status = stream_wait_input(session->stream, deadline);
		if (status == 0)
			status = stream_read_line(session->stream, POP3_LINE_MAX * 4, deadline, &line);
		if (status == -EMSGSIZE) {
			session->done = true;
			status = session_reply(session, "-ERR Line too long");
		} else if (status == 0) {
			status = run_command(session, line, &errors);
		}
	}
	if (status == -ETIMEDOUT)
		session_reply(session, "-ERR [SYS/TEMP] Disconnected for inactivity");
	return status;
}

static void log_end(const struct session *session, const struct session_user *user, int status)
{
	const char *why = status == 0 ? "Logged out"
		: status == -ETIMEDOUT ? "Timeout" : status == -ECANCELED ? "Server is stopping"
								     : "Lost connection";
	log_info(NULL, "disconnect from unknown[%.*s]: user=<%.*s>, %s, top=%zu, retr=%zu/%llu, "
		"del=%zu/%zu", SPAN_ARGS(user->remote_address), SPAN_ARGS(user->user), why,
		session->tops, session->retrieved, (unsigned long long)session->bytes,
		session->deleted, session->count);
}

static void serve_user(struct handoff_session *handed)
{
	struct session session = {.stream = handed->stream, .user = handed->user.user};
	stream_set_write_timeout(session.stream, worker_settings()->timeout);
	int status = greet(&session, open_mailbox(&session, &handed->user));
	int flushed = stream_flush(session.stream, task_deadline(worker_settings()->timeout));
	handoff_begun(handed);
	if (status == 0)
		status = flushed;
	if (status == 0)
		status = converse(&session);
	log_end(&session, &handed->user, status);
	mailbox_close(session.mailbox);
	store_close(session.store);
	free(session.uids);
	free(session.sizes);
	free(session.marks);
	stream_hang_up(session.stream, task_deadline(worker_settings()->timeout));
}

void pop3d_worker(struct channel *channel_take, const char *peer)
{
	struct arena arena;
	struct handoff_session handed;
	arena_init(&arena, SESSION_MEMORY);
	int status = handoff_receive(channel_take, &arena, IN_CAP, OUT_CAP, &handed);
	if (status == 0)
		serve_user(&handed);
	else if (status != -EPIPE)
		log_warning(NULL, "%s did not hand over a session: %s", peer, strerror(-status));
	arena_done(&arena);
}
