/* Connections of clients: limits, TLS from the first byte, greeting, the loop of commands before
 * login. The conversation has a task of its own, which ends at login: what is left of a TLS session
 * is the relay of daemon/handoff.h, on a stack that was hardly used.
 * SPDX-License-Identifier: ISC */
#include "imapd/front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/handoff.h"
#include "imapd/imapd.h"

/* Between the bytes of one command. */
#define BUSY_MS (30 * 1000)
/* The whole conversation before login, in imapd_timeouts. */
#define LOGIN_TIMEOUTS 5

bool front_is_tls(const struct front *front)
{
	return stream_is_tls(front->connection.stream);
}

bool front_may_login(const struct front *front)
{
	if (front_is_tls(front))
		return true;
	const struct server_tls *tls = &front->settings->tls;
	return !tls->required && !tls->auth_only;
}

void front_capabilities(struct front *front, struct buf *out)
{
	buf_append_cstr(out, "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE");
	if (front->settings->tls.available && !front_is_tls(front))
		buf_append_cstr(out, " STARTTLS");
	if (!front_may_login(front)) {
		buf_append_cstr(out, " LOGINDISABLED");
		return;
	}
	struct span rest = auth_client_mechanisms(front->settings->auth, front_is_tls(front)), name;
	while (span_token(&rest, " ", &name))
		buf_append_format(out, " AUTH=%.*s", SPAN_ARGS(name));
}

static void greet(struct front *front)
{
	struct buf line = BUF_INIT(8192);
	buf_append_cstr(&line, "* OK [CAPABILITY ");
	front_capabilities(front, &line);
	buf_append_format(&line, "] %s\r\n", front->settings->banner);
	connection_write(&front->connection, buf_span(&line));
	buf_done(&line);
}

static bool accept_tls(struct front *front)
{
	char *error = NULL;
	int status = tls_accept(front->connection.stream, front->settings->tls.context,
		task_deadline(front->settings->login_timeout_ms), &error);
	if (status != 0)
		log_info(NULL, "TLS handshake with %s failed: %s", front->addresses.remote,
			error != NULL ? error : strerror(-status));
	free(error);
	return status == 0;
}

/* Talks to the client until it is logged in or gone. */
static void front_run(struct front *front, bool wrapper)
{
	struct connection *connection = &front->connection;
	if (wrapper && !accept_tls(front)) {
		connection->failed = true;
		return;
	}
	greet(front);
	while (!front->over && !connection->failed) {
		task_time idle = task_deadline(front->settings->login_timeout_ms);
		if (front->deadline < idle)
			idle = front->deadline;
		enum connection_result result = connection_read(connection, idle, BUSY_MS);
		if (result != CONNECTION_COMMAND) {
			if (result == CONNECTION_TIMEOUT)
				connection_write_cstr(
					connection, "* BYE Disconnected: login takes too long\r\n");
			else if (task_is_canceled())
				connection_write_cstr(
					connection, "* BYE Server is shutting down\r\n");
			return;
		}
		front_command_run(front);
		connection_next(connection);
		if (!front->over && task_now() >= front->deadline) {
			connection_write_cstr(
				connection, "* BYE Disconnected: login takes too long\r\n");
			return;
		}
	}
}

struct conversation {
	struct front front;
	struct list_node node; /* among all conversations */
	struct task *task;
	struct task_event ended;
	bool done;
};

static struct list_node conversations = LIST_INIT(conversations);

void front_hurry_all(void)
{
	LIST_FOREACH (node, &conversations)
		task_cancel(LIST_ENTRY(node, struct conversation, node)->task);
}

static void converse(void *arg)
{
	struct conversation *conversation = arg;
	struct front *front = &conversation->front;
	front_run(front, front->settings->tls.wrapper);
	list_remove(&conversation->node);
	conversation->done = true;
	task_event_signal(&conversation->ended);
}

/* Runs the conversation in a task of its own, so that its stack is free again afterwards. */
static void log_in(struct conversation *conversation)
{
	task_event_init(&conversation->ended);
	conversation->task = task_spawn("login", converse, conversation, 0);
	if (conversation->task == NULL)
		return;
	list_append(&conversations, &conversation->node);
	while (!conversation->done) {
		if (task_event_wait(&conversation->ended, TASK_FOREVER) == 0)
			continue;
		/* We are cancelled (the process stops): so is the conversation, which then ends. */
		if (!conversation->done)
			task_cancel(conversation->task);
		(void)task_yield();
	}
}

/* Gives a session that has logged in to the worker; for TLS that lasts until it ends. */
static void hand_over(struct front *front)
{
	struct stream *stream = front->connection.stream;
	struct session_start start = {.client_fd = -1,
		.tag = buf_span(&front->tag),
		.command = span_from_cstr(front->login_command),
		.input = SPAN_EMPTY,
		.client_id = buf_span(&front->client_id)};
	imap_frame_done(&front->connection.frame);
	struct buf sorry = BUF_INIT(1024);
	buf_append(&sorry, start.tag);
	buf_append_cstr(&sorry, " NO [UNAVAILABLE] Login is not possible now, try again later\r\n"
		"* BYE The session could not begin\r\n");
	int status = handoff_to_worker(stream, front->session_fd, &start, buf_span(&sorry));
	buf_done(&sorry);
	if (status != 0)
		log_warning(NULL, "session of %s: the worker cannot be told: %s",
			front->addresses.remote, strerror(-status));
}

static void serve(int fd_take, const struct client_addresses *addresses)
{
	struct conversation *conversation = NEW(struct conversation);
	struct front *front = &conversation->front;
	front->settings = imapd_settings();
	front->session_fd = -1;
	front->deadline = task_deadline(LOGIN_TIMEOUTS * front->settings->login_timeout_ms);
	buf_init(&front->client_id, 4096);
	buf_init(&front->tag, 1024);
	front->addresses = *addresses;
	connection_init(&front->connection,
		stream_new(fd_take, CONNECTION_IN_CAP, CONNECTION_OUT_CAP),
		&imap_frame_before_login);
	log_in(conversation);
	if (front->session_fd >= 0)
		hand_over(front);
	else
		connection_done(&front->connection, true);
	buf_done(&front->client_id);
	buf_done(&front->tag);
	free(conversation);
}

void imapd_session(int fd_take, const struct address *peer)
{
	static const char REFUSAL[] = "* BYE [LIMIT] Too many connections from your address\r\n";
	struct client_addresses addresses;
	client_addresses_read(fd_take, peer, &addresses);
	socket_set_nodelay(fd_take);
	if (clients_enter(&addresses, imapd_settings()->connection_limit)) {
		serve(fd_take, &addresses);
	} else {
		log_warning(NULL,
			"too many connections from %s (imapd_client_connection_count_limit)",
			addresses.remote);
		if (!imapd_settings()->tls.wrapper)
			(void)!write(fd_take, REFUSAL, sizeof(REFUSAL) - 1);
		close(fd_take);
	}
	clients_leave(&addresses);
}
