/* See connection.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "smtp/settings.h"

#define IN_CAP 16384
#define OUT_CAP 65536
#define FOREVER_MS 3600000 /* a timeout of 0 means none; nobody waits longer than that */

static task_time deadline_of(int64_t timeout)
{
	return task_deadline(timeout > 0 ? timeout : FOREVER_MS);
}

static const struct address *bind_address_for(const struct target *target, struct address *storage)
{
	const char *text = target->address.any.sa_family == AF_INET ? settings.bind_address :
		target->address.any.sa_family == AF_INET6	    ? settings.bind_address6 :
								      "";
	struct span span = span_from_cstr(text);
	if (span.len > 2 && span.ptr[0] == '[')
		span = span_part(span, 1, span.len - 2);
	return address_parse_ip(span, 0, storage) ? storage : NULL;
}

static char *make_label(const struct target *target, bool port)
{
	struct buf label = BUF_INIT(4096);
	buf_append_format(&label, "%.*s[%.*s]", SPAN_ARGS(target->host), SPAN_ARGS(target->text));
	if (port && target->port != 0)
		buf_append_format(&label, ":%u", target->port);
	return buf_steal(&label);
}

struct connection *connection_open(const struct target *target, struct problem *problem)
{
	struct address source;
	char *label = make_label(target, true);
	int fd = socket_connect(&target->address, bind_address_for(target, &source),
		deadline_of(settings.connect_timeout));
	if (fd < 0) {
		const char *reason = fd == -ETIMEDOUT ? "Connection timed out" : strerror(-fd);
		problem_set(problem, "4.4.1", "connect to %s: %s", label, reason);
		log_info(NULL, "connect to %s: %s", label, reason);
		free(label);
		return NULL;
	}
	socket_set_nodelay(fd);
	struct connection *connection = NEW(struct connection);
	connection->stream = stream_new(fd, IN_CAP, OUT_CAP);
	connection->host = span_dup_cstr(target->host);
	connection->label = make_label(target, false);
	connection->label_port = label;
	connection->best_mx = target->best_mx;
	connection->opened = task_now();
	smtp_offer_init(&connection->offer);
	smtp_reply_init(&connection->reply);
	return connection;
}

void connection_free(struct connection *connection)
{
	if (connection == NULL)
		return;
	stream_free(connection->stream);
	smtp_offer_done(&connection->offer);
	smtp_reply_done(&connection->reply);
	free(connection->host);
	free(connection->label);
	free(connection->label_port);
	free(connection);
}

void connection_quit(struct connection *connection)
{
	if (connection == NULL)
		return;
	if (!connection->broken) {
		struct problem ignored;
		problem_init(&ignored);
		bool sent = connection_send(connection, settings.quit_timeout, "sending QUIT", &ignored,
			SPAN("QUIT"));
		if (sent && !settings.skip_quit_response)
			connection_receive(connection, settings.quit_timeout, "sending QUIT", &ignored);
		if (sent && !connection->broken) {
			stream_close(connection->stream, deadline_of(settings.quit_timeout));
			connection->stream = NULL;
		}
		problem_done(&ignored);
	}
	connection_free(connection);
}

void connection_lost(struct connection *connection, int error, const char *doing,
	struct problem *problem)
{
	connection->broken = true;
	if (error == -ETIMEDOUT)
		problem_set(problem, "4.4.2", "conversation with %s timed out while %s",
			connection->label, doing);
	else if (error == -EPROTO)
		problem_set(problem, "4.5.0", "protocol error: not a reply of %s from %s while %s",
			settings.lmtp ? "LMTP" : "SMTP", connection->label, doing);
	else
		problem_set(problem, "4.4.2", "lost connection with %s while %s", connection->label,
			doing);
}

bool connection_send(struct connection *connection, int64_t timeout, const char *doing,
	struct problem *problem, struct span line)
{
	stream_set_write_timeout(connection->stream, timeout > 0 ? timeout : FOREVER_MS);
	int error = stream_write(connection->stream, line);
	if (error >= 0)
		error = stream_write(connection->stream, SPAN("\r\n"));
	if (error >= 0)
		return true;
	connection_lost(connection, error, doing, problem);
	return false;
}

/* The next line; of an over-long one the beginning. */
static int read_line(struct connection *connection, task_time deadline, struct span *ret_line)
{
	int error = stream_read_line(connection->stream, SMTP_REPLY_LINE_MAX, deadline, ret_line);
	if (error != -EMSGSIZE)
		return error;
	return 0;
}

/* After an over-long line: reads and drops its rest. */
static int skip_rest(struct connection *connection, task_time deadline)
{
	struct span rest;
	for (size_t pieces = 0; pieces < SMTP_REPLY_LINES_MAX; pieces++) {
		int error = stream_read_line(connection->stream, SMTP_REPLY_LINE_MAX, deadline, &rest);
		if (error != -EMSGSIZE)
			return error;
	}
	return -EPROTO;
}

static int receive(struct connection *connection, task_time deadline, bool offer)
{
	enum smtp_reply_result result = SMTP_REPLY_MORE;
	smtp_reply_reset(&connection->reply);
	int error = stream_flush(connection->stream, deadline);
	while (error >= 0 && result == SMTP_REPLY_MORE) {
		struct span line, text;
		unsigned code;
		bool more;
		error = read_line(connection, deadline, &line);
		if (error < 0)
			break;
		bool whole = line.len > 0 && line.ptr[line.len - 1] == '\n';
		result = smtp_reply_add(&connection->reply, line);
		if (offer && smtp_reply_line(line, &code, &more, &text))
			smtp_offer_add(&connection->offer, text, connection->reply.lines == 1);
		if (result == SMTP_REPLY_BAD)
			return -EPROTO;
		if (!whole)
			error = skip_rest(connection, deadline);
	}
	return error < 0 ? error : 0;
}

static bool receive_checked(struct connection *connection, int64_t timeout, const char *doing,
	struct problem *problem, bool offer)
{
	int error = receive(connection, deadline_of(timeout), offer);
	if (error != 0) {
		connection_lost(connection, error, doing, problem);
		return false;
	}
	if (log_is_debug())
		log_debug(NULL, "%s: < %.*s", connection->label,
			SPAN_ARGS(buf_span(&connection->reply.text)));
	/* 421: the server will close, whatever it was asked. */
	if (connection->reply.code == 421)
		connection->broken = true;
	return true;
}

bool connection_receive(struct connection *connection, int64_t timeout, const char *doing,
	struct problem *problem)
{
	return receive_checked(connection, timeout, doing, problem, false);
}

bool connection_receive_offer(struct connection *connection, int64_t timeout, const char *doing,
	struct problem *problem)
{
	smtp_offer_reset(&connection->offer);
	return receive_checked(connection, timeout, doing, problem, true);
}

bool connection_ask(struct connection *connection, int64_t timeout, const char *doing,
	struct problem *problem, struct span line)
{
	return connection_send(connection, timeout, doing, problem, line) &&
		connection_receive(connection, timeout, doing, problem);
}

void connection_problem(struct connection *connection, const char *command, struct problem *problem)
{
	problem_set_reply(problem, span_from_cstr(connection->host), &connection->reply,
		"host %s said: %.*s (in reply to %s)", connection->label,
		SPAN_ARGS(buf_span(&connection->reply.text)), command);
}
