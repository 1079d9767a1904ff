/* Access tables (access(5)): which keys are asked for a client, a name, an address; and what the
 * results mean.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "smtpd/policy_rules.h"

#define VALUE_MAX 8192

static const struct policy *policy_of(const struct policy_call *call)
{
	return call->session->server->policy;
}

/* One key. MAP_FOUND: the value is in *value. */
static enum map_result look_up(struct policy_call *call, struct span key, struct buf *value)
{
	buf_reset(value);
	enum map_result result = map_lookup(call->step->map, key, value);
	return result == MAP_FOUND && value->overflow ? MAP_ERROR : result;
}

/* "mail.example.com", then its parents: "example.com" or ".example.com". */
static enum map_result look_up_domain(struct policy_call *call, struct span name,
	struct buf *value)
{
	enum map_result result = look_up(call, name, value);
	struct span rest = name;

	if (map_is_pattern(call->step->map))
		return result;
	while (result == MAP_NOT_FOUND) {
		size_t dot = span_find_char(span_skip(rest, 1), '.');
		if (dot == SIZE_MAX || rest.len == 0)
			break;
		rest = span_skip(rest, dot + 1); /* with its dot */
		struct span key = policy_of(call)->access_parent_bare ? span_skip(rest, 1) : rest;
		if (key.len > 0)
			result = look_up(call, key, value);
	}
	return result;
}

/* "1.2.3.4", "1.2.3", "1.2", "1"; IPv6 is cut at each ':'. */
static enum map_result look_up_address(struct policy_call *call, struct span address,
	struct buf *value)
{
	enum map_result result = look_up(call, address, value);
	char separator = span_find_char(address, ':') != SIZE_MAX ? ':' : '.';

	if (map_is_pattern(call->step->map))
		return result;
	while (result == MAP_NOT_FOUND) {
		size_t cut = span_find_last_char(address, separator);
		if (cut == SIZE_MAX || cut == 0)
			break;
		address = span_head(address, cut);
		result = look_up(call, address, value);
	}
	return result;
}

/* "user+ext@domain", "user@domain", the domain and its parents, "user+ext@", "user@". */
static enum map_result look_up_mail(struct policy_call *call, struct span full,
	struct buf *value)
{
	struct mail_address parts = mail_address_split(full);
	struct span delimiters = route_delimiters(call->session->server->route);
	char *set = span_dup_cstr(delimiters);
	struct span user, extension;
	bool extended = mail_local_part_split(parts.local, set, &user, &extension);
	struct buf key = BUF_INIT(2 * MAIL_ADDRESS_MAX);
	enum map_result result = look_up(call, full, value);

	free(set);
	if (map_is_pattern(call->step->map))
		return result;
	if (result == MAP_NOT_FOUND && extended) {
		buf_append(&key, user);
		buf_append_char(&key, '@');
		buf_append(&key, parts.domain);
		result = look_up(call, buf_span(&key), value);
	}
	if (result == MAP_NOT_FOUND && parts.domain.len > 0)
		result = look_up_domain(call, parts.domain, value);
	for (int i = 0; i < 2 && result == MAP_NOT_FOUND; i++) {
		if (i == 1 && !extended)
			break;
		buf_reset(&key);
		buf_append(&key, i == 0 ? parts.local : user);
		buf_append_char(&key, '@');
		result = look_up(call, buf_span(&key), value);
	}
	buf_done(&key);
	return result;
}

static enum policy_result judge(struct policy_call *call, enum map_result result,
	struct buf *value, struct policy_subject subject)
{
	enum policy_result verdict = POLICY_DUNNO;

	if (result == MAP_ERROR)
		verdict = policy_lookup_failure(call, map_spec(call->step->map));
	else if (result == MAP_FOUND)
		verdict = policy_access_result(call, span_trim(buf_span(value)), subject,
			map_spec(call->step->map));
	buf_done(value);
	return verdict;
}

enum policy_result rule_client_access(struct policy_call *call)
{
	const struct session *session = call->session;
	struct buf value = BUF_INIT(VALUE_MAX);
	enum map_result result =
		look_up_domain(call, span_from_cstr(session->client_name), &value);

	if (result == MAP_NOT_FOUND)
		result = look_up_address(call, span_from_cstr(session->client_address), &value);
	return judge(call, result, &value, policy_subject_of(call, STAGE_CLIENT));
}

enum policy_result rule_reverse_client_access(struct policy_call *call)
{
	const struct session *session = call->session;
	struct buf value = BUF_INIT(VALUE_MAX);
	enum map_result result =
		look_up_domain(call, span_from_cstr(session->client_reverse), &value);

	if (result == MAP_NOT_FOUND)
		result = look_up_address(call, span_from_cstr(session->client_address), &value);
	return judge(call, result, &value, policy_subject_of(call, STAGE_CLIENT));
}

enum policy_result rule_sasl_access(struct policy_call *call)
{
	struct span user = span_from_cstr(call->session->sasl_username);
	struct buf value = BUF_INIT(VALUE_MAX);

	if (user.len == 0)
		return POLICY_DUNNO;
	struct policy_subject subject = {user, "SASL username"};
	return judge(call, look_up(call, user, &value), &value, subject);
}

enum policy_result rule_helo_access(struct policy_call *call)
{
	struct span helo = span_from_cstr(call->session->helo);
	struct buf value = BUF_INIT(VALUE_MAX);

	if (helo.len == 0)
		return POLICY_DUNNO;
	return judge(call, look_up_domain(call, helo, &value), &value,
		policy_subject_of(call, STAGE_HELO));
}

enum policy_result rule_sender_access(struct policy_call *call)
{
	const struct transaction *transaction = call->session->transaction;
	struct buf value = BUF_INIT(VALUE_MAX);
	enum map_result result;

	if (transaction == NULL)
		return POLICY_DUNNO;
	if (transaction->sender.len == 0)
		result = look_up(call,
			span_from_cstr(call->session->server->settings.null_access_key), &value);
	else
		result = look_up_mail(call, transaction->sender, &value);
	return judge(call, result, &value, policy_subject_of(call, STAGE_SENDER));
}

enum policy_result rule_recipient_access(struct policy_call *call)
{
	struct buf value = BUF_INIT(VALUE_MAX);

	if (call->recipient == NULL)
		return POLICY_DUNNO;
	return judge(call, look_up_mail(call, call->recipient->address, &value), &value,
		policy_subject_of(call, STAGE_RECIPIENT));
}
