/* What an access table's result means: a permit, a refusal, something to do to the message, or a
 * list of restrictions. What is not understood refuses with 451 4.3.5.
 * SPDX-License-Identifier: ISC */
#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "service/cleanup.h"
#include "smtpd/policy_private.h"

#define TEXT_MAX 1000

struct access {
	struct policy_call *call;
	struct policy_subject subject;
	const char *table;
	struct span text;  /* behind the action's name and dsn */
	char dsn[12];      /* "" when the table does not say */
};

/* "5.7.1 text": takes the dsn off. */
static void split_dsn(struct access *access)
{
	struct span rest = access->text, word;
	size_t dots = 0;

	if (!span_token(&rest, " \t", &word) || word.len < 5 || word.len >= sizeof(access->dsn) ||
		word.ptr[1] != '.' || (word.ptr[0] != '2' && word.ptr[0] != '4' && word.ptr[0] != '5'))
		return;
	for (size_t i = 0; i < word.len; i++) {
		if (word.ptr[i] == '.')
			dots++;
		else if (!ascii_is_digit(word.ptr[i]))
			return;
	}
	if (dots != 2)
		return;
	memcpy(access->dsn, word.ptr, word.len);
	access->dsn[word.len] = '\0';
	access->text = span_trim(rest);
}

static const char *dsn_or(const struct access *access, const char *standard)
{
	return access->dsn[0] != '\0' ? access->dsn : standard;
}

static struct span text_or(const struct access *access, struct span standard)
{
	return access->text.len > 0 ? access->text : standard;
}

static enum policy_result refuse(struct access *access, int64_t code)
{
	struct span text = text_or(access, SPAN("Access denied"));

	return policy_reject(access->call, code, dsn_or(access, code >= 500 ? "5.7.1" : "4.7.1"),
		"<%.*s>: %s rejected: %.*s", SPAN_ARGS(access->subject.name),
		access->subject.class, SPAN_ARGS(text));
}

static enum policy_result defer_if(struct access *access, bool permit)
{
	struct span text = text_or(access, SPAN("Service unavailable"));
	struct buf line = BUF_INIT(TEXT_MAX);
	struct policy_call *call = access->call;
	enum policy_result result;

	buf_append_format_cut(&line, "<%.*s>: %s rejected: %.*s", SPAN_ARGS(access->subject.name),
		access->subject.class, SPAN_ARGS(text));
	result = permit ? policy_defer_if_permit(call, 450, dsn_or(access, "4.7.1"), "%s",
		buf_cstr(&line)) : policy_defer_if_reject(call, 450, dsn_or(access, "4.7.1"), "%s",
		buf_cstr(&line));
	buf_done(&line);
	return result;
}

static void log_action(const struct access *access, const char *what, struct span standard)
{
	struct span text = text_or(access, standard);
	struct buf line = BUF_INIT(TEXT_MAX);

	buf_append_format_cut(&line, "<%.*s>: %s %.*s", SPAN_ARGS(access->subject.name),
		access->subject.class, SPAN_ARGS(text));
	policy_log(access->call, what, buf_cstr(&line));
	buf_done(&line);
}

static enum policy_result do_ok(struct access *access)
{
	(void)access;
	return POLICY_OK;
}

static enum policy_result do_dunno(struct access *access)
{
	(void)access;
	return POLICY_DUNNO;
}

static enum policy_result do_reject(struct access *access)
{
	return refuse(access, access->call->session->server->settings.access_map_reject_code);
}

static enum policy_result do_defer(struct access *access)
{
	return refuse(access, access->call->session->server->settings.access_map_defer_code);
}

static enum policy_result do_defer_if_permit(struct access *access)
{
	return defer_if(access, true);
}

static enum policy_result do_defer_if_reject(struct access *access)
{
	return defer_if(access, false);
}

static enum policy_result do_info(struct access *access)
{
	log_action(access, "info", SPAN(""));
	return POLICY_DUNNO;
}

static enum policy_result do_warn(struct access *access)
{
	log_action(access, "warn", SPAN(""));
	return POLICY_DUNNO;
}

/* Actions on the message need one; before MAIL, and after the content began, there is none to act
 * on. */
static struct transaction *open_transaction(struct access *access, const char *action)
{
	struct transaction *transaction = access->call->session->transaction;

	if (transaction == NULL || transaction->queue_id[0] != '\0') {
		log_warning(NULL, "access table %s: action %s is skipped: no message to apply it to",
			access->table, action);
		return NULL;
	}
	return transaction;
}

static enum policy_result do_hold(struct access *access)
{
	struct transaction *transaction = open_transaction(access, "HOLD");

	if (transaction != NULL && !access->call->warn) {
		transaction->cleanup_flags |= CLEANUP_HOLD;
		log_action(access, "hold", SPAN("triggers HOLD action"));
	}
	return POLICY_DUNNO;
}

static enum policy_result do_discard(struct access *access)
{
	struct transaction *transaction = open_transaction(access, "DISCARD");

	if (transaction == NULL || access->call->warn)
		return POLICY_DUNNO;
	transaction->cleanup_flags |= CLEANUP_DISCARD;
	log_action(access, "discard", SPAN("triggers DISCARD action"));
	return POLICY_OK;
}

static enum policy_result do_prepend(struct access *access)
{
	struct transaction *transaction = open_transaction(access, "PREPEND");
	size_t colon = span_find_char(access->text, ':');

	if (transaction == NULL)
		return POLICY_DUNNO;
	if (colon == SIZE_MAX || colon == 0 || !span_is_printable(access->text))
		return policy_configuration_error(access->call,
			"access table %s entry requires header: text", access->table);
	buf_append(&transaction->prepend, access->text);
	buf_append_char(&transaction->prepend, '\n');
	if (transaction->prepend.overflow)
		return policy_configuration_error(access->call,
			"access table %s: too many PREPEND actions", access->table);
	return POLICY_DUNNO;
}

static enum policy_result do_unsupported(struct access *access)
{
	return policy_configuration_error(access->call,
		"access table %s: actions FILTER, REDIRECT and BCC are not supported",
		access->table);
}

static const struct {
	const char *name;
	enum policy_result (*run)(struct access *access);
	bool has_text;
} actions[] = {
	{"OK", do_ok, false},
	{"RELAY", do_ok, false},
	{"DUNNO", do_dunno, false},
	{"REJECT", do_reject, true},
	{"DEFER", do_defer, true},
	{"DEFER_IF_PERMIT", do_defer_if_permit, true},
	{"DEFER_IF_REJECT", do_defer_if_reject, true},
	{"HOLD", do_hold, true},
	{"DISCARD", do_discard, true},
	{"PREPEND", do_prepend, true},
	{"INFO", do_info, true},
	{"WARN", do_warn, true},
	{"FILTER", do_unsupported, true},
	{"REDIRECT", do_unsupported, true},
	{"BCC", do_unsupported, true},
};

/* "450 text": a code of its own. False: not that. */
static bool refuse_with_code(struct access *access, struct span value,
	enum policy_result *ret_result)
{
	uint64_t code;

	if (value.len < 3 || (value.len > 3 && value.ptr[3] != ' ' && value.ptr[3] != '\t') ||
		(value.ptr[0] != '4' && value.ptr[0] != '5') ||
		!span_to_u64(span_head(value, 3), 599, &code))
		return false;
	access->text = span_trim(span_skip(value, 3));
	split_dsn(access);
	*ret_result = refuse(access, (int64_t)code);
	return true;
}

static bool all_digits(struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (!ascii_is_digit(value.ptr[i]))
			return false;
	return true;
}

static enum policy_result nested_list(struct policy_call *call, struct span value,
	const char *table)
{
	struct policy_list list = {.name = span_dup_cstr(span_from_cstr(table))};
	enum policy_result result;

	if (policy_list_parse(call->session->server->policy, NULL, call->stage, value, &list) != 0)
		result = policy_configuration_error(call, "access table %s has a list too long", table);
	else
		result = policy_evaluate(call, &list);
	policy_list_done(&list);
	return result;
}

enum policy_result policy_access_result(struct policy_call *call, struct span value,
	struct policy_subject subject, const char *table)
{
	struct access access = {.call = call, .subject = subject, .table = table};
	struct span rest = value, word;
	enum policy_result result;

	if (!span_token(&rest, " \t", &word))
		return policy_configuration_error(call, "access table %s has empty value", table);
	if (all_digits(value))
		return POLICY_OK;
	if (refuse_with_code(&access, value, &result))
		return result;
	access.text = span_trim(rest);
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (!span_equal_nocase(word, span_from_cstr(actions[i].name)))
			continue;
		if (actions[i].has_text && actions[i].run != do_prepend)
			split_dsn(&access);
		return actions[i].run(&access);
	}
	return nested_list(call, value, table);
}
