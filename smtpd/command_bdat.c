/* BDAT: content in counted chunks. RFC 3030 section 2. Once a chunk is refused, the following ones
 * are read and refused until the transaction ends.
 * SPDX-License-Identifier: ISC */
#include "base/log.h"
#include "smtpd/commands.h"
#include "smtpd/policy.h"

/* Reads the chunk; keep: passes it on. False: the connection is gone. */
static bool receive(struct session *session, struct smtp_chunk *chunk, bool keep)
{
	while (chunk->remaining > 0) {
		struct span input;
		int rc = stream_peek(session->stream,
			task_deadline(session->server->settings.timeout), &input);
		if (rc != 0) {
			session_lost(session, rc);
			return false;
		}
		struct span part = smtp_chunk_take(chunk, input);
		size_t len = part.len;
		while (keep && part.len > 0) {
			size_t used;
			if (content_add(session, part, &used) == SMTP_DATA_BARE_LF) {
				session_reply(session, "521 5.5.2 %s Error: bare <LF> received",
					session->server->settings.myhostname);
				return false;
			}
			part = span_skip(part, used);
		}
		stream_consume(session->stream, len);
	}
	return true;
}

/* Reads and drops a chunk that cannot be accepted; then the reply goes out. */
static enum command_result refuse(struct session *session, struct smtp_chunk *chunk,
	const char *reply)
{
	if (session->transaction != NULL && session->transaction->bdat)
		session->transaction->bdat_failed = true;
	if (receive(session, chunk, false))
		session_reply(session, "%s", reply);
	return COMMAND_FAILED;
}

/* The first chunk opens the message. A reply that refuses it is sent by itself, so the chunk is
 * read first: the client sends it without waiting. */
static bool begin(struct session *session, struct smtp_chunk *chunk)
{
	struct transaction *transaction = session->transaction;
	struct policy_verdict verdict;
	bool good = true;

	transaction->bdat = true;
	policy_verdict_init(&verdict);
	if (!session->stand_alone && policy_check_data(session, &verdict) == POLICY_REJECT) {
		(void)refuse(session, chunk, buf_cstr(&verdict.reply));
		good = false;
	} else if (!content_open(session)) {
		/* Replied already; the chunk still has to be read. */
		transaction->bdat_failed = true;
		(void)receive(session, chunk, false);
		good = false;
	} else {
		smtp_data_init(&transaction->data, session->newline, false);
	}
	policy_verdict_done(&verdict);
	return good;
}

static enum command_result accept_chunk(struct session *session, struct smtp_chunk *chunk)
{
	struct transaction *transaction = session->transaction;
	int64_t limit = session->server->settings.message_size_limit;

	if (transaction->bdat_failed) {
		if (receive(session, chunk, false))
			session_reply(session, "551 5.0.0 Discarded %llu bytes after earlier error",
				(unsigned long long)chunk->size);
		return COMMAND_FAILED;
	}
	if (!transaction->bdat && !begin(session, chunk))
		return COMMAND_FAILED;
	/* All chunks together. */
	if (limit > 0 && (chunk->size > (uint64_t)limit ||
				 transaction->data.size > (uint64_t)limit - chunk->size)) {
		log_warning(NULL, "%s: BDAT request from %s exceeds message size limit",
			session_queue_id(session), session->client);
		return refuse(session, chunk, "552 5.3.4 Chunk exceeds message size limit");
	}
	if (!receive(session, chunk, true))
		return COMMAND_FAILED;
	if (!chunk->last) {
		session_reply(session, "250 2.0.0 Ok: %llu bytes", (unsigned long long)chunk->size);
		return COMMAND_DONE;
	}
	smtp_data_finish(&transaction->data, &transaction->content);
	session->where = "END-OF-MESSAGE";
	return content_finish(session, (int64_t)transaction->data.size) ? COMMAND_DONE : COMMAND_FAILED;
}

enum command_result command_bdat(struct session *session, const struct smtp_command *command)
{
	struct transaction *transaction = session->transaction;
	struct smtp_chunk chunk;

	if ((session->ehlo_discard & EHLO_CHUNKING) != 0) {
		session_reply(session, "521 5.5.1 Error: command not implemented");
		return COMMAND_FAILED;
	}
	switch (smtp_chunk_parse(command->arguments, &chunk)) {
	case SMTP_CHUNK_OK:
		break;
	case SMTP_CHUNK_SYNTAX:
		log_warning(NULL, "%s: malformed BDAT command syntax from %s: BDAT %.*s",
			session_queue_id(session), session->client,
			SPAN_ARGS(span_head(command->arguments, 100)));
		session_reply(session, "521 5.5.4 Syntax: BDAT count [LAST]");
		return COMMAND_FAILED;
	case SMTP_CHUNK_NULL:
		log_warning(NULL, "%s: null BDAT request from %s", session_queue_id(session),
			session->client);
		session_reply(session, "551 5.7.1 Null BDAT request");
		return COMMAND_FAILED;
	}
	if (transaction == NULL)
		return refuse(session, &chunk, "503 5.5.1 Error: need RCPT command");
	if (transaction->recipient_count == 0)
		return refuse(session, &chunk, "554 5.5.1 Error: no valid recipients");
	return accept_chunk(session, &chunk);
}
