/* See transaction.h. Commands go out in groups that are small against a socket's buffers, so that
 * neither side ever waits for the other to read.
 * SPDX-License-Identifier: ISC */
#include "smtp/transaction.h"

#include "mail/address.h"
#include "smtp/envelope_command.h"
#include "smtp/send_content.h"
#include "smtp/settings.h"

#define GROUP_BYTES 4096
#define GROUP_RECIPIENTS 100

struct transaction {
	struct delivery *delivery;
	struct connection *connection;
	bool pipelining;
	bool mail_failed;   /* nothing behind MAIL counts */
	bool data_sent;     /* in one group with the last RCPT: its reply is still to be read */
	size_t accepted;    /* recipients */
	bool *takes;        /* by position: RCPT was accepted */
};

static bool lost(struct transaction *t)
{
	delivery_failed_all(t->delivery, t->connection, true);
	return false;
}

static bool fail_message(struct transaction *t, const char *command)
{
	connection_problem(t->connection, command, &t->delivery->problem);
	delivery_failed_all(t->delivery, t->connection, false);
	return true;
}

static bool send_line(struct transaction *t, int64_t timeout, const char *doing, struct span line)
{
	return connection_send(t->connection, timeout, doing, &t->delivery->problem, line) ||
	       lost(t);
}

/* False: the connection is lost and all is settled. */
static bool read_mail_reply(struct transaction *t)
{
	if (!connection_receive(t->connection, settings.mail_timeout, "sending MAIL FROM",
		    &t->delivery->problem))
		return lost(t);
	if (smtp_reply_class(&t->connection->reply) != 2) {
		t->mail_failed = true;
		fail_message(t, "MAIL FROM command");
	}
	return true;
}

static bool read_rcpt_reply(struct transaction *t, size_t recipient)
{
	struct delivery *delivery = t->delivery;
	if (!connection_receive(t->connection, settings.rcpt_timeout, "sending RCPT TO",
		    &delivery->problem))
		return lost(t);
	if (t->mail_failed || delivery->settled[recipient])
		return true;
	if (smtp_reply_class(&t->connection->reply) == 2) {
		t->takes[recipient] = true;
		t->accepted++;
		return true;
	}
	connection_problem(t->connection, "RCPT TO command", &delivery->problem);
	delivery_failed(delivery, recipient, t->connection);
	return true;
}

/* Reads the replies to MAIL (when mail is set) and to the RCPTs of positions [from, to). */
static bool read_group(struct transaction *t, bool mail, const size_t *group, size_t count)
{
	if (mail && !read_mail_reply(t))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!read_rcpt_reply(t, group[i]))
			return false;
	return true;
}

static bool send_rcpt(struct transaction *t, size_t recipient, size_t *ret_bytes)
{
	struct buf line = BUF_INIT(8192);
	envelope_command_rcpt(t->delivery->request, recipient, t->connection->extensions, &line);
	bool good = send_line(t, settings.rcpt_timeout, "sending RCPT TO", buf_span(&line));
	*ret_bytes = line.len + 2;
	buf_done(&line);
	return good;
}

static bool send_mail(struct transaction *t)
{
	struct buf line = BUF_INIT(8192);
	envelope_command_mail(t->delivery->request, t->connection, &line);
	bool good = send_line(t, settings.mail_timeout, "sending MAIL FROM", buf_span(&line));
	buf_done(&line);
	return good && (t->pipelining || read_mail_reply(t));
}

/* MAIL and all RCPTs, in groups. With pipelining DATA goes out with the last group, and its reply
 * is not read here. */
static bool send_envelope(struct transaction *t)
{
	struct delivery *delivery = t->delivery;
	size_t group[GROUP_RECIPIENTS], count = 0, bytes = 0;
	bool mail = t->pipelining;
	if (!send_mail(t))
		return false;
	for (size_t i = 0; i < delivery->request->recipient_count && !t->mail_failed; i++) {
		size_t line_bytes;
		if (delivery->settled[i])
			continue;
		if (!send_rcpt(t, i, &line_bytes))
			return false;
		group[count++] = i;
		bytes += line_bytes;
		if (t->pipelining && count < GROUP_RECIPIENTS && bytes < GROUP_BYTES)
			continue;
		if (!read_group(t, mail, group, count))
			return false;
		mail = false;
		count = bytes = 0;
	}
	t->data_sent = t->pipelining && !t->mail_failed;
	if (t->data_sent &&
		!send_line(t, settings.data_init_timeout, "sending DATA command", SPAN("DATA")))
		return false;
	return read_group(t, mail, group, count);
}

static bool reset(struct transaction *t)
{
	struct problem ignored;
	problem_init(&ignored);
	bool good = connection_ask(t->connection, settings.rset_timeout, "sending RSET", &ignored,
			    SPAN("RSET")) &&
		smtp_reply_class(&t->connection->reply) == 2;
	if (!good)
		t->connection->broken = true;
	problem_done(&ignored);
	return good;
}

/* DATA was sent with the last RCPT and nobody is to get the message: end what was begun. */
static void refuse_data(struct transaction *t)
{
	struct problem ignored;
	problem_init(&ignored);
	if (t->connection->reply.code == 354) {
		/* A lone dot is the only way out; the server has no recipient to give it to. */
		connection_ask(t->connection, settings.data_done_timeout, "sending end of data",
			&ignored, SPAN("."));
	}
	problem_done(&ignored);
	if (!t->connection->broken)
		reset(t);
}

/* After the reply to DATA. */
static bool data_is_open(struct transaction *t)
{
	if (t->connection->reply.code == 354)
		return true;
	fail_message(t, "DATA command");
	if (!t->connection->broken)
		reset(t);
	return false;
}

/* True when the server waits for the content. */
static bool start_data(struct transaction *t)
{
	struct problem *problem = &t->delivery->problem;
	static const char doing[] = "sending DATA command";
	if (t->data_sent) {
		if (!connection_receive(t->connection, settings.data_init_timeout, doing, problem))
			return lost(t);
		if (t->accepted > 0)
			return data_is_open(t);
		refuse_data(t);
		return false;
	}
	if (t->accepted == 0) {
		if (!t->mail_failed && !t->connection->broken)
			reset(t);
		return false;
	}
	if (!connection_ask(
		    t->connection, settings.data_init_timeout, doing, problem, SPAN("DATA")))
		return lost(t);
	return data_is_open(t);
}

static bool read_final_reply(struct transaction *t)
{
	return connection_receive(t->connection, settings.data_done_timeout,
		       "sending end of data -- message may be sent more than once",
		       &t->delivery->problem) ||
		lost(t);
}

static void settle_one(struct transaction *t, size_t recipient)
{
	if (smtp_reply_class(&t->connection->reply) == 2) {
		delivery_sent(t->delivery, recipient, t->connection);
		return;
	}
	connection_problem(t->connection, "end of DATA command", &t->delivery->problem);
	delivery_failed(t->delivery, recipient, t->connection);
}

/* SMTP: one reply for all; LMTP: one for each that was accepted, in their order (RFC 2033 4.2). */
static void settle(struct transaction *t)
{
	bool read = false;
	for (size_t i = 0; i < t->delivery->request->recipient_count; i++) {
		if (!t->takes[i])
			continue;
		if ((!read || settings.lmtp) && !read_final_reply(t))
			return;
		read = true;
		settle_one(t, i);
	}
}

static bool needs_utf8(const struct delivery *delivery)
{
	const struct delivery_request *request = delivery->request;
	if ((request->flags & DELIVERY_SMTPUTF8) == 0)
		return false;
	if (!span_is_ascii(request->sender))
		return true;
	for (size_t i = 0; i < request->recipient_count; i++)
		if (!delivery->settled[i] && !span_is_ascii(request->recipients[i].address))
			return true;
	return !send_content_header_is_ascii(request);
}

/* What the server's offer rules out. True when the message may be sent. */
static bool is_acceptable(struct transaction *t)
{
	struct delivery *delivery = t->delivery;
	const struct connection *c = t->connection;
	uint64_t size = send_content_size(delivery->request);
	if ((c->extensions & SMTP_EXTENSION_SMTPUTF8) == 0 && needs_utf8(delivery)) {
		problem_set(&delivery->problem, "5.6.7",
			"SMTPUTF8 is required, but was not offered by host %s", c->label);
		delivery_failed_all(delivery, c, false);
		return false;
	}
	if ((c->extensions & SMTP_EXTENSION_SIZE) != 0 && c->offer.size_limit > 0 &&
		size > c->offer.size_limit) {
		problem_set(&delivery->problem, "5.3.4",
			"message size %llu exceeds size limit %llu of server %s",
			(unsigned long long)size, (unsigned long long)c->offer.size_limit,
			c->label);
		delivery_failed_all(delivery, c, false);
		return false;
	}
	return true;
}

void transaction_run(struct delivery *delivery, struct connection *connection)
{
	struct transaction t = {.delivery = delivery, .connection = connection,
		.pipelining = (connection->extensions & SMTP_EXTENSION_PIPELINING) != 0};
	connection->uses++;
	t.takes = ARENA_ARRAY(&delivery->arena, bool, delivery->request->recipient_count);
	if (t.takes == NULL) {
		problem_set(&delivery->problem, "4.3.0", "out of memory");
		delivery_failed_all(delivery, connection, false);
		return;
	}
	if (!is_acceptable(&t) || !send_envelope(&t) || !start_data(&t))
		return;
	/* The last moment at which a second copy can be avoided. */
	if (delivery_is_abandoned(delivery)) {
		connection->broken = true;
		return;
	}
	if (!send_content(delivery->request, connection, &delivery->problem)) {
		lost(&t);
		return;
	}
	settle(&t);
}
