/* Handing a message to cleanup (service/cleanup.h). A failure on the way does not end the reading
 * of the content: it becomes the reply at its end.
 * DURABLE: "250" is said only for CLEANUP_OK.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "service/cleanup.h"
#include "smtpd/policy.h"
#include "smtpd/session.h"

/* Recipients in one message to cleanup. */
#define RECIPIENTS_AT_ONCE 200
/* How old the word of an idle channel may be, and how many are asked. */
#define READY_AGE_MS 60000
#define READY_TRIES 8
/* Content is decoded in pieces of that size at most, and passed on when there is about that much of
 * it: whatever wakes the other side is dearer than the bytes. */
#define DECODE_SIZE (32 * 1024)
#define SEND_SIZE (92 * 1024)
/* So much is passed on when the client makes a pause. */
#define PAUSE_SIZE (60 * 1024)

/* Notes the reply that the message will get instead of 250; the first one counts. */
__attribute__((format(printf, 2, 3)))
static void content_fail(struct session *session, const char *format, ...)
{
	struct transaction *transaction = session->transaction;
	struct buf reply = BUF_INIT(2000);
	va_list args;

	if (transaction->failure == NULL) {
		va_start(args, format);
		buf_append_vformat(&reply, format, args);
		va_end(args);
		transaction->failure = buf_steal(&reply);
	}
	/* Nothing more is sent to cleanup: closing the channel drops the message. */
	channel_free(transaction->cleanup);
	transaction->cleanup = NULL;
	buf_reset(&transaction->content);
}

static task_time ipc_deadline(const struct session *session)
{
	return task_deadline(session->server->settings.ipc_timeout);
}

static void fill_recipients(const struct transaction *transaction, size_t from,
	struct cleanup_recipient *out, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct recipient *recipient = &transaction->recipients[from + i];
		out[i] = (struct cleanup_recipient){.address = recipient->address,
			.orcpt = recipient->orcpt, .notify = recipient->notify};
	}
}

/* "ESMTPSA" ...: RFC 3848, RFC 6531 section 4.3, RFC 2033. */
static void with_protocol(const struct session *session, struct buf *out)
{
	const struct smtp_mail *mail = &session->transaction->mail;

	if (mail->smtputf8)
		buf_append_cstr(out, session->server->lmtp ? "UTF8LMTP" : "UTF8SMTP");
	else
		buf_append_cstr(out, session_protocol(session));
	if (session->esmtp && session_is_tls(session))
		buf_append_char(out, 'S');
	if (session->esmtp && session->sasl_username != NULL)
		buf_append_char(out, 'A');
}

static uint32_t open_flags(struct session *session)
{
	const struct server *server = session->server;
	const struct smtp_mail *mail = &session->transaction->mail;
	uint32_t flags = session->transaction->cleanup_flags;

	if (mail->smtputf8)
		flags |= CLEANUP_SMTPUTF8;
	if (mail->body == SMTP_BODY_8BITMIME)
		flags |= CLEANUP_8BITMIME;
	if (server->no_address_mappings)
		flags |= CLEANUP_NO_MAPPING;
	if (server->settings.sasl_header)
		flags |= CLEANUP_SHOW_LOGIN;
	if (session->stand_alone || policy_rewrites_headers(session))
		flags |= CLEANUP_REWRITE_LOCAL;
	return flags;
}

static int send_open(struct session *session, struct cleanup_recipient *recipients)
{
	struct transaction *transaction = session->transaction;
	const struct smtp_mail *mail = &transaction->mail;
	size_t count = transaction->recipient_count;
	char protocol_bytes[32];
	struct buf protocol = BUF_INIT(sizeof(protocol_bytes));
	const char *tls = session->tls_summary;

	with_protocol(session, &protocol);
	if (tls == NULL || !session->server->settings.tls_header)
		tls = "";
	struct cleanup_open open = {
		.origin = CLEANUP_FROM_SMTP,
		.flags = open_flags(session),
		.sender = transaction->sender,
		.envid = mail->envid,
		.dsn_return = mail->ret == SMTP_RET_FULL ? DSN_RETURN_FULL :
			mail->ret == SMTP_RET_HEADERS ? DSN_RETURN_HEADERS : DSN_RETURN_DEFAULT,
		.size_hint = mail->size,
		.client_name = span_from_cstr(session->client_name),
		.client_address = span_from_cstr(session->client_address),
		.client_port = span_from_cstr(session->client_port),
		.helo = span_from_cstr(session->helo),
		.protocol = buf_span(&protocol),
		.sasl_method = span_from_cstr(session->sasl_method),
		.sasl_username = span_from_cstr(session->sasl_username),
		.sasl_sender = session->sasl_username == NULL ? SPAN_EMPTY : mail->auth,
		.tls_summary = span_from_cstr(tls),
		.received_for = count == 1 ? transaction->recipients[0].address : SPAN_EMPTY,
		.original_queue_id = SPAN_EMPTY,
		.recipients = recipients,
		.recipient_count = count < RECIPIENTS_AT_ONCE ? count : RECIPIENTS_AT_ONCE,
	};
	fill_recipients(transaction, 0, recipients, open.recipient_count);
	int rc = channel_send(transaction->cleanup, &cleanup_open_type, &open);
	buf_done(&protocol);
	return rc;
}

static int send_more_recipients(struct session *session, struct cleanup_recipient *recipients)
{
	struct transaction *transaction = session->transaction;
	int rc = 0;

	for (size_t at = RECIPIENTS_AT_ONCE; rc == 0 && at < transaction->recipient_count;
		at += RECIPIENTS_AT_ONCE) {
		size_t left = transaction->recipient_count - at;
		struct cleanup_recipients more = {.recipients = recipients,
			.recipient_count = left < RECIPIENTS_AT_ONCE ? left : RECIPIENTS_AT_ONCE};
		fill_recipients(transaction, at, recipients, more.recipient_count);
		rc = channel_send(transaction->cleanup, &cleanup_recipients_type, &more);
		if (rc == 0)
			rc = channel_flush(transaction->cleanup, ipc_deadline(session));
	}
	return rc;
}

/* The reply to a message that cleanup does not take; "" for CLEANUP_OK. */
static void status_reply(uint32_t status, struct span code, struct span text, struct buf *out)
{
	switch ((enum cleanup_status)status) {
	case CLEANUP_OK:
		return;
	case CLEANUP_TOO_BIG:
		buf_append_cstr(out, "552 5.3.4 Error: message file too big");
		return;
	case CLEANUP_NO_SPACE:
		buf_append_cstr(out, "452 4.3.1 Insufficient system storage");
		return;
	case CLEANUP_TOO_MANY_HOPS:
		buf_append_cstr(out, "554 5.4.0 Error: too many hops");
		return;
	case CLEANUP_REJECTED:
		if (code.len == 0)
			code = SPAN("5.7.1");
		if (text.len == 0)
			text = SPAN("message content rejected");
		buf_append_format(out, "%c50 %.*s %.*s", code.ptr[0] == '4' ? '4' : '5',
			SPAN_ARGS(code), SPAN_ARGS(text));
		return;
	case CLEANUP_NO_RECIPIENT:
		buf_append_cstr(out, "450 5.1.0 Error: no recipients specified");
		return;
	case CLEANUP_QUEUE_ERROR:
		break;
	}
	buf_append_cstr(out, "451 4.3.0 Error: queue file write error");
}

static void log_client(const struct session *session)
{
	struct buf text = BUF_INIT(4000);

	buf_append_cstr(&text, session->client);
	if (session->sasl_method != NULL)
		buf_append_format(&text, ", sasl_method=%s", session->sasl_method);
	if (session->sasl_username != NULL)
		buf_append_format(&text, ", sasl_username=%s", session->sasl_username);
	if (session->sasl_username != NULL && session->transaction->mail.auth.len > 0)
		buf_append_format(&text, ", sasl_sender=%.*s",
			SPAN_ARGS(session->transaction->mail.auth));
	log_info(session->transaction->queue_id, "client=%s", buf_cstr(&text));
	buf_done(&text);
}

/* A channel whose cleanup waits for a message, with the queue id that the message will have. NULL:
 * none; *ret_status says whether cleanup said why. */
static struct channel *take_ready(struct session *session, uint32_t *ret_status)
{
	struct transaction *transaction = session->transaction;
	*ret_status = CLEANUP_QUEUE_ERROR;
	/* What an idle channel was told is old news; a new channel brings the present. */
	for (unsigned tries = 0; tries < READY_TRIES; tries++) {
		struct channel *channel = session->server->services.take(PEER_CLEANUP,
			ipc_deadline(session));
		void *message = NULL;
		if (channel == NULL)
			return NULL;
		int rc = channel_expect(channel, &cleanup_ready_type, ipc_deadline(session), &message);
		const struct cleanup_ready *ready = message;
		if (rc == 0) {
			int64_t age = task_now() - ready->since_ms;
			*ret_status = ready->status;
			if (ready->status == CLEANUP_OK && age > -READY_AGE_MS && age < READY_AGE_MS) {
				struct span id = span_head(ready->queue_id, LIMIT_QUEUE_ID);
				memcpy(transaction->queue_id, id.ptr, id.len);
				transaction->queue_id[id.len] = '\0';
				return channel;
			}
		}
		channel_free(channel);
		if (rc == -ETIMEDOUT || rc == -ECANCELED)
			return NULL;
	}
	return NULL;
}

/* No channel to cleanup, or one that takes no message. */
static void reply_not_ready(struct session *session, uint32_t status)
{
	struct buf text = BUF_INIT(2000);

	status_reply(status, SPAN_EMPTY, SPAN_EMPTY, &text);
	if (status == CLEANUP_NO_SPACE)
		session_log(session, "reject", buf_cstr(&text), SPAN_EMPTY);
	else
		log_warning(NULL, "unable to connect to the cleanup service");
	session_reply(session, "%s", buf_cstr(&text));
	buf_done(&text);
}

bool content_open(struct session *session)
{
	struct transaction *transaction = session->transaction;
	struct cleanup_recipient *recipients;
	uint32_t status;

	transaction->cleanup = take_ready(session, &status);
	if (transaction->cleanup == NULL) {
		reply_not_ready(session, status);
		return false;
	}
	log_client(session);
	recipients = memory_zalloc(RECIPIENTS_AT_ONCE, sizeof(*recipients));
	/* Nothing is sent yet: a small message goes to cleanup as a whole. */
	if (send_open(session, recipients) != 0 || send_more_recipients(session, recipients) != 0)
		content_fail(session, "451 4.3.0 Error: queue file write error");
	buf_append(&transaction->content, buf_span(&transaction->prepend));
	free(recipients);
	return true;
}

static void send_content(struct session *session)
{
	struct transaction *transaction = session->transaction;
	struct span rest = buf_span(&transaction->content);
	int rc = 0;

	while (rc == 0 && rest.len > 0) {
		struct cleanup_chunk chunk = {.bytes = span_head(rest, CLEANUP_CHUNK_MAX)};
		rest = span_skip(rest, chunk.bytes.len);
		rc = channel_send(transaction->cleanup, &cleanup_chunk_type, &chunk);
	}
	buf_reset(&transaction->content);
	if (rc != 0)
		content_fail(session, "451 4.3.0 Error: queue file write error");
}

enum smtp_data_result content_add(struct session *session, struct span input, size_t *ret_used)
{
	struct transaction *transaction = session->transaction;
	int64_t limit = session->server->settings.message_size_limit;
	/* Decoded content is never longer than its input plus held-back CRs. */
	enum smtp_data_result result = smtp_data_decode(&transaction->data,
		span_head(input, DECODE_SIZE), &transaction->content, ret_used);

	CHECK(!transaction->content.overflow);
	if (transaction->failure == NULL && limit > 0 && transaction->data.size > (uint64_t)limit) {
		log_warning(NULL, "%s: queue file size limit exceeded", session_queue_id(session));
		content_fail(session, "552 5.3.4 Error: message file too big");
	}
	if (transaction->failure != NULL)
		buf_reset(&transaction->content);
	else if (transaction->content.len >= SEND_SIZE)
		send_content(session);
	return result;
}

void content_pause(struct session *session)
{
	if (session->transaction->failure == NULL && session->transaction->content.len >= PAUSE_SIZE)
		send_content(session);
}

/* END, then RESULT. True: it is queued. Otherwise transaction->failure says why. */
static bool ask_result(struct session *session)
{
	struct transaction *transaction = session->transaction;
	struct cleanup_end end = {.discard = false};
	void *message = NULL;
	int rc = channel_call(transaction->cleanup, &cleanup_end_type, &end, &cleanup_result_type,
		ipc_deadline(session), &message);
	const struct cleanup_result *result = message;

	if (rc != 0) {
		log_warning(NULL, "%s: cleanup service: connection lost before the end of a message",
			session_queue_id(session));
		content_fail(session, "451 4.3.0 Error: queue file write error");
		return false;
	}
	bool queued = result->status == CLEANUP_OK;
	if (!queued) {
		struct buf reply = BUF_INIT(2000);
		status_reply(result->status, result->code, result->text, &reply);
		transaction->failure = buf_steal(&reply);
	}
	session->server->services.give(PEER_CLEANUP, transaction->cleanup);
	transaction->cleanup = NULL;
	return queued;
}

static void check_end_of_data(struct session *session)
{
	struct policy_verdict verdict;

	if (session->stand_alone)
		return;
	policy_verdict_init(&verdict);
	if (policy_check_end_of_data(session, &verdict) == POLICY_REJECT)
		content_fail(session, "%s", buf_cstr(&verdict.reply));
	policy_verdict_done(&verdict);
}

bool content_finish(struct session *session, int64_t bytes)
{
	struct transaction *transaction = session->transaction;
	size_t replies = session->server->lmtp ? transaction->recipient_count : 1;

	if (transaction->failure == NULL)
		check_end_of_data(session);
	if (transaction->failure == NULL)
		send_content(session);
	bool queued = transaction->failure == NULL && ask_result(session);
	/* LMTP has a reply for each recipient (RFC 2033 section 4.2). */
	for (size_t i = 0; i < replies; i++) {
		if (!queued)
			session_reply(session, "%s", transaction->failure);
		else if (bytes >= 0)
			session_reply(session, "250 2.0.0 Ok: %lld bytes queued as %s",
				(long long)bytes, transaction->queue_id);
		else
			session_reply(session, "250 2.0.0 Ok: queued as %s", transaction->queue_id);
	}
	transaction_reset(session);
	return queued;
}
