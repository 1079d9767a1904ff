/* The evaluation of restriction lists, and the decisions of each stage. See policy.h.
 * SPDX-License-Identifier: ISC */
#include "smtpd/policy.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "smtpd/policy_private.h"

#define REPLY_MAX 1000
#define ASK_TIMEOUT 60000

void policy_verdict_init(struct policy_verdict *verdict)
{
	buf_init(&verdict->reply, REPLY_MAX);
}

void policy_verdict_done(struct policy_verdict *verdict)
{
	buf_done(&verdict->reply);
}

/* as given */
static bool policy_has_sender(const struct policy_call *call)
{
	return call->session->transaction != NULL;
}

struct span policy_sender(const struct policy_call *call)
{
	const struct transaction *transaction = call->session->transaction;

	return transaction == NULL ? SPAN_EMPTY : transaction->mail.sender.full;
}

struct policy_subject policy_subject_of(const struct policy_call *call, enum policy_stage stage)
{
	switch (stage) {
	case STAGE_CLIENT:
	case STAGE_REWRITE:
	case STAGE_COUNT:
		break;
	case STAGE_HELO:
		return (struct policy_subject){span_from_cstr(call->session->helo), "Helo command"};
	case STAGE_SENDER:
		return (struct policy_subject){policy_sender(call), "Sender address"};
	case STAGE_RELAY:
	case STAGE_RECIPIENT:
		return (struct policy_subject){
			call->recipient == NULL ? SPAN_EMPTY : call->recipient->given,
			"Recipient address"};
	case STAGE_DATA:
		return (struct policy_subject){SPAN("DATA"), "Data command"};
	case STAGE_END_OF_DATA:
		return (struct policy_subject){SPAN("END-OF-MESSAGE"), "End-of-data"};
	}
	return (struct policy_subject){span_from_cstr(call->session->client), "Client host"};
}

struct policy_subject policy_subject(const struct policy_call *call)
{
	return policy_subject_of(call, call->stage);
}

void policy_log(const struct policy_call *call, const char *action, const char *text)
{
	session_log(call->session, action, text,
		call->recipient == NULL ? SPAN_EMPTY : call->recipient->given);
}

/* "554 5.7.1 text", the class of the dsn made that of the code. A text without end is cut:
 * neither a client nor a table can leave nothing of the reply. */
static void format_reply(const struct policy_call *call, int64_t code, const char *dsn,
	const char *text, struct buf *out)
{
	if (call->session->server->settings.soft_bounce && code >= 500 && code < 600)
		code -= 100;
	buf_append_format_cut(out, "%lld %c%s %s", (long long)code, (char)('0' + code / 100 % 10),
		dsn + 1, text);
}

static enum policy_result reject_text(struct policy_call *call, int64_t code, const char *dsn,
	const char *text)
{
	struct buf reply = BUF_INIT(REPLY_MAX);

	/* An earlier rule that would have permitted could not be asked: no final refusal. */
	if (call->if_reject.active && code >= 500 && !call->warn) {
		code = call->if_reject.code;
		dsn = call->if_reject.dsn;
		text = buf_cstr(&call->if_reject.text);
	}
	format_reply(call, code, dsn, text, &reply);
	policy_log(call, call->warn ? "reject_warning" : "reject", buf_cstr(&reply));
	if (!call->warn) {
		buf_reset(&call->verdict->reply);
		buf_append(&call->verdict->reply, buf_span(&reply));
	}
	buf_done(&reply);
	return call->warn ? POLICY_DUNNO : POLICY_REJECT;
}

enum policy_result policy_reject(struct policy_call *call, int64_t code, const char *dsn,
	const char *format, ...)
{
	struct buf text = BUF_INIT(REPLY_MAX);
	va_list args;

	va_start(args, format);
	buf_append_vformat_cut(&text, format, args);
	va_end(args);
	enum policy_result result = reject_text(call, code, dsn, buf_cstr(&text));
	buf_done(&text);
	return result;
}

enum policy_result policy_lookup_failure(struct policy_call *call, const char *name)
{
	struct policy_subject subject = policy_subject(call);

	log_warning(NULL, "%s: lookup failure for \"%.*s\"", name, SPAN_ARGS(subject.name));
	/* Not to be weakened by warn_if_reject: what could not be asked is not known. */
	call->warn = false;
	return policy_reject(call, 451, "4.3.0", "<%.*s>: Temporary lookup failure",
		SPAN_ARGS(subject.name));
}

enum policy_result policy_configuration_error(struct policy_call *call, const char *format, ...)
{
	struct buf text = BUF_INIT(REPLY_MAX);
	va_list args;

	va_start(args, format);
	buf_append_vformat_cut(&text, format, args);
	va_end(args);
	log_warning(NULL, "%s", buf_cstr(&text));
	buf_done(&text);
	call->warn = false;
	return reject_text(call, 451, "4.3.5", "Server configuration error");
}

static void defer(struct deferral *deferral, int64_t code, const char *dsn, struct buf *text_take)
{
	if (deferral->active) {
		buf_done(text_take);
		return;
	}
	deferral->active = true;
	deferral->code = (int)code;
	size_t len = strnlen(dsn, sizeof(deferral->dsn) - 1);
	memcpy(deferral->dsn, dsn, len);
	deferral->dsn[len] = '\0';
	deferral->text = *text_take;
}

enum policy_result policy_defer_if_permit(struct policy_call *call, int64_t code, const char *dsn,
	const char *format, ...)
{
	struct buf text = BUF_INIT(REPLY_MAX);
	va_list args;

	va_start(args, format);
	buf_append_vformat_cut(&text, format, args);
	va_end(args);
	if (call->warn) {
		enum policy_result result = reject_text(call, code, dsn, buf_cstr(&text));
		buf_done(&text);
		return result;
	}
	defer(&call->if_permit, code, dsn, &text);
	return POLICY_DUNNO;
}

enum policy_result policy_defer_if_reject(struct policy_call *call, int64_t code, const char *dsn,
	const char *format, ...)
{
	struct buf text = BUF_INIT(REPLY_MAX);
	va_list args;

	va_start(args, format);
	buf_append_vformat_cut(&text, format, args);
	va_end(args);
	defer(&call->if_reject, code, dsn, &text);
	return POLICY_DUNNO;
}

enum lookup_status policy_ask(struct policy_call *call, enum lookup_kind kind, struct span name)
{
	const struct services *services = &call->session->server->services;
	task_time deadline = task_deadline(ASK_TIMEOUT);
	struct channel *channel = services->take(PEER_LOOKUP, deadline);
	struct lookup_question question = {.kind = kind, .name = span_head(name, LIMIT_NAME)};
	void *message = NULL;

	if (channel == NULL)
		return LOOKUP_TEMPORARY;
	if (channel_call(channel, &lookup_question_type, &question, &lookup_answer_type, deadline,
		&message) != 0) {
		channel_free(channel);
		return LOOKUP_TEMPORARY;
	}
	enum lookup_status status = (enum lookup_status)((struct lookup_answer *)message)->status;
	services->give(PEER_LOOKUP, channel);
	return status;
}

static enum policy_result run_step(struct policy_call *call, const struct policy_step *step)
{
	call->step = step;
	call->warn = step->warn;
	if (step->rule != NULL)
		return step->rule->run(call);
	if (step->nested != NULL)
		return policy_evaluate(call, step->nested);
	return policy_configuration_error(call, "unknown smtpd restriction: \"%s\"", step->name);
}

enum policy_result policy_evaluate(struct policy_call *call, const struct policy_list *list)
{
	const struct policy_step *outer = call->step;
	enum policy_result result = POLICY_DUNNO;

	if (call->depth == POLICY_DEPTH_MAX)
		return policy_configuration_error(call, "%s: unreasonable recursion", list->name);
	call->depth++;
	for (size_t i = 0; i < list->count && result == POLICY_DUNNO; i++)
		result = run_step(call, &list->steps[i]);
	call->depth--;
	call->step = outer;
	call->warn = false;
	return result;
}

static enum policy_result run_stage(struct policy_call *call, enum policy_stage stage)
{
	call->stage = stage;
	call->if_reject.active = false;
	buf_done(&call->if_reject.text);
	return policy_evaluate(call, &call->session->server->policy->lists[stage]);
}

static void call_init(struct policy_call *call, struct session *session,
	struct policy_verdict *verdict)
{
	*call = (struct policy_call){.session = session, .verdict = verdict};
	buf_init(&call->if_permit.text, REPLY_MAX);
	buf_init(&call->if_reject.text, REPLY_MAX);
}

/* Ends the evaluation: a permit becomes the deferral that waits for it. */
static enum policy_result apply_deferral(struct policy_call *call, enum policy_result result)
{
	if (result == POLICY_REJECT || !call->if_permit.active)
		return result;
	call->if_reject.active = false;
	call->warn = false;
	return reject_text(call, call->if_permit.code, call->if_permit.dsn,
		buf_cstr(&call->if_permit.text));
}

static enum policy_result call_end(struct policy_call *call, enum policy_result result)
{
	result = apply_deferral(call, result);
	buf_done(&call->if_permit.text);
	buf_done(&call->if_reject.text);
	return result;
}

static enum policy_result check_sender(struct policy_call *call)
{
	enum policy_result result = run_stage(call, STAGE_SENDER);

	if (result != POLICY_REJECT && call->session->server->settings.reject_unlisted_sender) {
		call->stage = STAGE_SENDER;
		result = policy_rule_find(SPAN("reject_unlisted_sender"))->run(call);
	}
	return result;
}

enum policy_result policy_check_client(struct session *session, struct policy_verdict *verdict)
{
	struct policy_call call;

	call_init(&call, session, verdict);
	return call_end(&call, run_stage(&call, STAGE_CLIENT));
}

enum policy_result policy_check_helo(struct session *session, struct policy_verdict *verdict)
{
	struct policy_call call;

	call_init(&call, session, verdict);
	return call_end(&call, run_stage(&call, STAGE_HELO));
}

enum policy_result policy_check_mail(struct session *session, struct policy_verdict *verdict)
{
	struct policy_call call;

	call_init(&call, session, verdict);
	return call_end(&call, check_sender(&call));
}

static enum policy_result check_delayed(struct policy_call *call)
{
	enum policy_result result = run_stage(call, STAGE_CLIENT);

	if (result != POLICY_REJECT && call->session->helo != NULL)
		result = run_stage(call, STAGE_HELO);
	if (result != POLICY_REJECT && policy_has_sender(call))
		result = check_sender(call);
	return result;
}

static enum policy_result check_recipient(struct policy_call *call)
{
	const struct server *server = call->session->server;
	bool relay_first = server->settings.relay_before_recipient;
	enum policy_result result =
		run_stage(call, relay_first ? STAGE_RELAY : STAGE_RECIPIENT);

	if (result != POLICY_REJECT)
		result = run_stage(call, relay_first ? STAGE_RECIPIENT : STAGE_RELAY);
	result = apply_deferral(call, result);
	if (result != POLICY_REJECT && server->settings.reject_unlisted_recipient &&
		!server->no_unknown_recipient_checks && !call->unlisted_done) {
		call->stage = STAGE_RECIPIENT;
		result = policy_rule_find(SPAN("reject_unlisted_recipient"))->run(call);
	}
	return result;
}

enum policy_result policy_check_rcpt(struct session *session, const struct recipient *recipient,
	struct policy_verdict *verdict)
{
	struct policy_call call;
	enum policy_result result = POLICY_DUNNO;

	/* RFC 5321 section 4.5.1: "postmaster" without a domain is always accepted. */
	if (span_equal_nocase(recipient->given, SPAN("postmaster")))
		return POLICY_OK;
	call_init(&call, session, verdict);
	call.recipient = recipient;
	if (session->server->settings.delay_reject)
		result = check_delayed(&call);
	if (result != POLICY_REJECT)
		result = check_recipient(&call);
	return call_end(&call, result);
}

static enum policy_result check_content(struct session *session, enum policy_stage stage,
	struct policy_verdict *verdict)
{
	const struct transaction *transaction = session->transaction;
	struct policy_call call;

	call_init(&call, session, verdict);
	if (transaction->recipient_count == 1)
		call.recipient = &transaction->recipients[0];
	return call_end(&call, run_stage(&call, stage));
}

enum policy_result policy_check_data(struct session *session, struct policy_verdict *verdict)
{
	return check_content(session, STAGE_DATA, verdict);
}

enum policy_result policy_check_end_of_data(struct session *session,
	struct policy_verdict *verdict)
{
	return check_content(session, STAGE_END_OF_DATA, verdict);
}

bool policy_rewrites_headers(struct session *session)
{
	struct policy_verdict verdict;
	struct policy_call call;

	policy_verdict_init(&verdict);
	call_init(&call, session, &verdict);
	enum policy_result result = call_end(&call, run_stage(&call, STAGE_REWRITE));
	policy_verdict_done(&verdict);
	return result == POLICY_OK;
}
