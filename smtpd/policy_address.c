/* Restrictions about the sender and the recipient. Whether a recipient is ours is asked of
 * lib/route with the address as parsed: it depends on nothing else that the client says.
 * SPDX-License-Identifier: ISC */
#include "base/log.h"
#include "route/address_lookup.h"
#include "smtpd/policy_rules.h"

static enum map_result is_ours(const struct policy_call *call)
{
	return route_is_ours(call->session->server->route, call->recipient->address);
}

static enum policy_result unauth_destination(struct policy_call *call, int64_t code,
	const char *dsn)
{
	if (call->recipient == NULL)
		return POLICY_DUNNO;
	switch (is_ours(call)) {
	case MAP_FOUND:
		return POLICY_DUNNO;
	case MAP_ERROR:
		return policy_lookup_failure(call, "address class");
	case MAP_NOT_FOUND:
		break;
	}
	return policy_reject(call, code, dsn, "<%.*s>: Relay access denied",
		SPAN_ARGS(call->recipient->given));
}

enum policy_result rule_reject_unauth_destination(struct policy_call *call)
{
	return unauth_destination(call, call->session->server->settings.relay_code, "5.7.1");
}

enum policy_result rule_defer_unauth_destination(struct policy_call *call)
{
	int64_t code = call->session->server->settings.relay_code;

	return unauth_destination(call, code >= 500 ? code - 100 : code, "4.7.1");
}

enum policy_result rule_permit_auth_destination(struct policy_call *call)
{
	if (call->recipient == NULL)
		return POLICY_DUNNO;
	switch (is_ours(call)) {
	case MAP_FOUND:
		return POLICY_OK;
	case MAP_NOT_FOUND:
		return POLICY_DUNNO;
	case MAP_ERROR:
		break;
	}
	return policy_lookup_failure(call, "address class");
}

/* The old name for both: ours is permitted, the rest refused. */
enum policy_result rule_check_relay_domains(struct policy_call *call)
{
	enum policy_result result = rule_permit_auth_destination(call);

	return result == POLICY_DUNNO ? rule_reject_unauth_destination(call) : result;
}

static enum policy_result non_fqdn(struct policy_call *call, struct span address,
	const char *class)
{
	struct mail_address parts = mail_address_split(address);

	if (mail_domain_is_literal(parts.domain, NULL))
		return POLICY_DUNNO;
	size_t dot = span_find_char(parts.domain, '.');
	if (dot != SIZE_MAX && dot > 0 && dot + 1 < parts.domain.len)
		return POLICY_DUNNO;
	return policy_reject(call, call->session->server->settings.non_fqdn_code, "5.5.2",
		"<%.*s>: %s rejected: need fully-qualified address", SPAN_ARGS(address), class);
}

enum policy_result rule_reject_non_fqdn_sender(struct policy_call *call)
{
	struct span sender = policy_sender(call);

	return sender.len == 0 ? POLICY_DUNNO : non_fqdn(call, sender, "Sender address");
}

enum policy_result rule_reject_non_fqdn_recipient(struct policy_call *call)
{
	return call->recipient == NULL ? POLICY_DUNNO :
		non_fqdn(call, call->recipient->given, "Recipient address");
}

/* Where mail is delivered here, DNS has nothing to say. */
static bool is_final(const struct policy_call *call, struct span address)
{
	enum route_class class;

	return route_class(call->session->server->route, address, &class) &&
		(class == ROUTE_LOCAL || class == ROUTE_VIRTUAL_ALIAS ||
		class == ROUTE_VIRTUAL_MAILBOX);
}

struct domain_case {
	struct span given, address;
	const char *class, *dsn, *null_dsn;
};

static enum policy_result unknown_domain(struct policy_call *call, const struct domain_case *c)
{
	const struct smtpd_settings *settings = &call->session->server->settings;
	struct span domain = mail_address_split(c->address).domain;

	if (domain.len == 0 || mail_domain_is_literal(domain, NULL) || is_final(call, c->address))
		return POLICY_DUNNO;
	switch (policy_ask(call, LOOKUP_MAIL, domain)) {
	case LOOKUP_FOUND:
		return POLICY_DUNNO;
	case LOOKUP_NULL_MX:
		return policy_reject(call, settings->nullmx_code, c->null_dsn,
			"<%.*s>: %s rejected: Domain %.*s does not accept mail (nullMX)",
			SPAN_ARGS(c->given), c->class, SPAN_ARGS(domain));
	case LOOKUP_NOT_FOUND:
		return policy_reject(call, settings->unknown_address_code, c->dsn,
			"<%.*s>: %s rejected: Domain not found", SPAN_ARGS(c->given), c->class);
	case LOOKUP_TEMPORARY:
	case LOOKUP_MISMATCH:
	case LOOKUP_FORWARD_TEMPORARY:
		break;
	}
	return policy_defer_if_permit(call, 450, c->dsn, "<%.*s>: %s rejected: Domain not found",
		SPAN_ARGS(c->given), c->class);
}

enum policy_result rule_reject_unknown_sender(struct policy_call *call)
{
	const struct transaction *transaction = call->session->transaction;

	if (transaction == NULL || transaction->sender.len == 0)
		return POLICY_DUNNO;
	struct domain_case c = {.given = transaction->mail.sender.full,
		.address = transaction->sender, .class = "Sender address", .dsn = "4.1.8",
		.null_dsn = "4.7.27"};
	return unknown_domain(call, &c);
}

enum policy_result rule_reject_unknown_recipient(struct policy_call *call)
{
	if (call->recipient == NULL)
		return POLICY_DUNNO;
	struct domain_case c = {.given = call->recipient->given,
		.address = call->recipient->address, .class = "Recipient address", .dsn = "4.1.2",
		.null_dsn = "4.1.10"};
	return unknown_domain(call, &c);
}

static int64_t unlisted_code(const struct policy_call *call, enum route_class class)
{
	const struct smtpd_settings *settings = &call->session->server->settings;

	switch (class) {
	case ROUTE_LOCAL:
		return settings->unknown_local_code;
	case ROUTE_VIRTUAL_ALIAS:
		return settings->unknown_alias_code;
	case ROUTE_VIRTUAL_MAILBOX:
		return settings->unknown_mailbox_code;
	case ROUTE_RELAY:
		return settings->unknown_relay_code;
	case ROUTE_DEFAULT:
		break;
	}
	return 550;
}

static enum policy_result unlisted(struct policy_call *call, struct span given,
	struct span address, const char *class)
{
	struct route_verdict verdict;
	bool sender = class[0] == 'S';

	route_validate_recipient(call->session->server->route, address, &verdict);
	switch (verdict.result) {
	case MAP_FOUND:
		return POLICY_DUNNO;
	case MAP_ERROR:
		return policy_lookup_failure(call, "recipient table");
	case MAP_NOT_FOUND:
		break;
	}
	const char *dsn = verdict.dsn;
	if (sender && span_equal(span_from_cstr(dsn), SPAN("5.1.1")))
		dsn = "5.1.0";
	return policy_reject(call, unlisted_code(call, verdict.class), dsn,
		"<%.*s>: %s rejected: %s", SPAN_ARGS(given), class, verdict.text);
}

enum policy_result rule_reject_unlisted_recipient(struct policy_call *call)
{
	if (call->recipient == NULL)
		return POLICY_DUNNO;
	call->unlisted_done = true;
	return unlisted(call, call->recipient->given, call->recipient->address,
		"Recipient address");
}

enum policy_result rule_reject_unlisted_sender(struct policy_call *call)
{
	const struct transaction *transaction = call->session->transaction;

	if (transaction == NULL || transaction->sender.len == 0)
		return POLICY_DUNNO;
	return unlisted(call, transaction->mail.sender.full, transaction->sender,
		"Sender address");
}

enum policy_result rule_reject_multi_bounce(struct policy_call *call)
{
	const struct transaction *transaction = call->session->transaction;
	struct policy_subject subject = policy_subject(call);

	if (transaction == NULL || transaction->sender.len > 0)
		return POLICY_DUNNO;
	bool at_data = call->stage == STAGE_DATA || call->stage == STAGE_END_OF_DATA;
	if (transaction->recipient_count + (at_data ? 0 : 1) <= 1)
		return POLICY_DUNNO;
	return policy_reject(call,
		call->session->server->settings.multi_recipient_bounce_code, "5.5.3",
		"<%.*s>: %s rejected: Multi-recipient bounce", SPAN_ARGS(subject.name),
		subject.class);
}

/* --- smtpd_sender_login_maps --- */

/* Who may use the sender address. MAP_FOUND: *ret_owns tells if the client is one of them. */
static enum map_result find_owner(struct policy_call *call, bool *ret_owns)
{
	const struct session *session = call->session;
	struct server *server = session->server;
	struct buf owners = BUF_INIT(64 * 1024);
	struct address_lookup lookup = {.maps = server->sender_logins,
		.keys = ADDRESS_KEYS_DEFAULT, .delimiters = route_delimiters(server->route)};
	struct span sender = session->transaction->sender, name;
	struct span domain = mail_address_split(sender).domain;

	*ret_owns = false;
	enum map_result local = mail_domain_equal(domain, route_origin(server->route))
		? MAP_FOUND : route_domain_is_local(server->route, domain);
	lookup.domain_is_local = local == MAP_FOUND;
	enum map_result result = address_lookup(&lookup, sender, &owners, NULL);
	/* Not known whether the name alone counts: then nobody can be said to be without owner. */
	if (result == MAP_NOT_FOUND && local == MAP_ERROR)
		result = MAP_ERROR;
	struct span rest = buf_span(&owners);
	while (result == MAP_FOUND && span_token(&rest, ", \t\r\n", &name))
		if (session->sasl_username != NULL &&
			span_equal_nocase(name, span_from_cstr(session->sasl_username)))
			*ret_owns = true;
	buf_done(&owners);
	return result;
}

static bool login_applies(const struct policy_call *call)
{
	const struct session *session = call->session;

	return session->transaction != NULL && session->transaction->sender.len > 0 &&
		!map_list_is_empty(session->server->sender_logins);
}

static enum policy_result login_check(struct policy_call *call, bool allow_unknown)
{
	bool owns;

	if (!login_applies(call) || call->session->sasl_username == NULL)
		return POLICY_DUNNO;
	enum map_result result = find_owner(call, &owns);
	if (result == MAP_ERROR)
		return policy_lookup_failure(call, "smtpd_sender_login_maps");
	if (owns || (result == MAP_NOT_FOUND && allow_unknown))
		return POLICY_DUNNO;
	return policy_reject(call, 553, "5.7.1",
		"<%.*s>: Sender address rejected: not owned by user %s",
		SPAN_ARGS(policy_sender(call)), call->session->sasl_username);
}

enum policy_result rule_login_authenticated(struct policy_call *call)
{
	return login_check(call, false);
}

enum policy_result rule_login_known(struct policy_call *call)
{
	return login_check(call, true);
}

enum policy_result rule_login_unauthenticated(struct policy_call *call)
{
	bool owns;

	if (!login_applies(call) || call->session->sasl_username != NULL)
		return POLICY_DUNNO;
	switch (find_owner(call, &owns)) {
	case MAP_NOT_FOUND:
		return POLICY_DUNNO;
	case MAP_ERROR:
		return policy_lookup_failure(call, "smtpd_sender_login_maps");
	case MAP_FOUND:
		break;
	}
	return policy_reject(call, 553, "5.7.1", "<%.*s>: Sender address rejected: not logged in",
		SPAN_ARGS(policy_sender(call)));
}

enum policy_result rule_login_mismatch(struct policy_call *call)
{
	enum policy_result result = rule_login_authenticated(call);

	return result == POLICY_DUNNO ? rule_login_unauthenticated(call) : result;
}
