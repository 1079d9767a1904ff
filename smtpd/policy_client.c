/* Restrictions about the client, its HELO and its session, and the unconditional ones.
 * SPDX-License-Identifier: ISC */
#include "base/log.h"
#include "smtpd/policy_rules.h"

enum policy_result rule_permit(struct policy_call *call)
{
	(void)call;
	return POLICY_OK;
}

enum policy_result rule_reject(struct policy_call *call)
{
	struct policy_subject subject = policy_subject(call);

	return policy_reject(call, call->session->server->settings.reject_code, "5.7.1",
		"<%.*s>: %s rejected: Access denied", SPAN_ARGS(subject.name), subject.class);
}

enum policy_result rule_defer(struct policy_call *call)
{
	struct policy_subject subject = policy_subject(call);

	return policy_reject(call, call->session->server->settings.defer_code, "4.3.2",
		"<%.*s>: %s rejected: Try again later", SPAN_ARGS(subject.name), subject.class);
}

enum policy_result rule_defer_if_permit(struct policy_call *call)
{
	struct policy_subject subject = policy_subject(call);

	return policy_defer_if_permit(call, 450, "4.7.0",
		"<%.*s>: %s rejected: defer_if_permit requested", SPAN_ARGS(subject.name),
		subject.class);
}

enum policy_result rule_defer_if_reject(struct policy_call *call)
{
	struct policy_subject subject = policy_subject(call);

	return policy_defer_if_reject(call, 450, "4.7.0",
		"<%.*s>: %s rejected: defer_if_reject requested", SPAN_ARGS(subject.name),
		subject.class);
}

enum policy_result rule_sleep(struct policy_call *call)
{
	(void)task_sleep(call->step->number * 1000);
	return POLICY_DUNNO;
}

enum policy_result rule_permit_mynetworks(struct policy_call *call)
{
	const struct session *session = call->session;

	switch (match_list_check(session->server->mynetworks,
		span_from_cstr(session->client_address))) {
	case MAP_FOUND:
		return POLICY_OK;
	case MAP_NOT_FOUND:
		return POLICY_DUNNO;
	case MAP_ERROR:
		break;
	}
	return policy_lookup_failure(call, "mynetworks");
}

/* The client's address is one of this host's, which "[address]" as a mail domain tells. */
enum policy_result rule_permit_inet_interfaces(struct policy_call *call)
{
	struct span address = span_from_cstr(call->session->client_address);
	struct buf literal = BUF_INIT(200);
	bool v6 = span_find_char(address, ':') != SIZE_MAX;

	buf_append_format(&literal, "[%s%.*s]", v6 ? "IPv6:" : "", SPAN_ARGS(address));
	enum map_result result =
		route_domain_is_local(call->session->server->route, buf_span(&literal));
	buf_done(&literal);
	return result == MAP_FOUND ? POLICY_OK : POLICY_DUNNO;
}

enum policy_result rule_permit_sasl(struct policy_call *call)
{
	return call->session->sasl_username != NULL ? POLICY_OK : POLICY_DUNNO;
}

enum policy_result rule_reject_plaintext(struct policy_call *call)
{
	if (session_is_tls(call->session))
		return POLICY_DUNNO;
	return policy_reject(call, call->session->server->settings.plaintext_code, "4.7.1",
		"Session encryption is required");
}

enum policy_result rule_reject_pipelining(struct policy_call *call)
{
	struct policy_subject subject = policy_subject(call);

	if (!call->session->ill_pipelining)
		return POLICY_DUNNO;
	return policy_reject(call, 503, "5.5.0",
		"<%.*s>: %s rejected: Improper use of SMTP command pipelining",
		SPAN_ARGS(subject.name), subject.class);
}

/* Name, reverse name: code 450 for temporary trouble, whatever the parameter says. */
static enum policy_result unknown_host(struct policy_call *call, enum lookup_status status,
	const char *what)
{
	const struct session *session = call->session;

	if (status == LOOKUP_FOUND)
		return POLICY_DUNNO;
	return policy_reject(call, status == LOOKUP_TEMPORARY ? 450 :
		session->server->settings.unknown_client_code, "4.7.25",
		"Client host rejected: cannot find your %s, [%s]", what, session->client_address);
}

enum policy_result rule_reject_unknown_client(struct policy_call *call)
{
	return unknown_host(call, call->session->name_status, "hostname");
}

enum policy_result rule_reject_unknown_reverse(struct policy_call *call)
{
	return unknown_host(call, call->session->reverse_status, "reverse hostname");
}

static bool is_literal(struct span name)
{
	return mail_domain_is_literal(name, NULL);
}

enum policy_result rule_reject_invalid_helo(struct policy_call *call)
{
	struct span helo = span_from_cstr(call->session->helo);
	struct address address;

	if (call->session->helo == NULL || is_literal(helo) || mail_domain_is_name(helo) ||
		address_parse_ip(helo, 0, &address))
		return POLICY_DUNNO;
	return policy_reject(call, call->session->server->settings.invalid_hostname_code, "5.5.2",
		"<%.*s>: Helo command rejected: %s", SPAN_ARGS(helo),
		helo.ptr[0] == '[' ? "invalid ip address" : "Invalid name");
}

enum policy_result rule_reject_non_fqdn_helo(struct policy_call *call)
{
	struct span helo = span_from_cstr(call->session->helo);

	if (call->session->helo == NULL || is_literal(helo) ||
		(mail_domain_is_name(helo) && span_find_char(helo, '.') != SIZE_MAX))
		return POLICY_DUNNO;
	return policy_reject(call, call->session->server->settings.non_fqdn_code, "5.5.2",
		"<%.*s>: Helo command rejected: need fully-qualified hostname", SPAN_ARGS(helo));
}

enum policy_result rule_reject_unknown_helo(struct policy_call *call)
{
	struct span helo = span_from_cstr(call->session->helo);
	const struct smtpd_settings *settings = &call->session->server->settings;

	if (call->session->helo == NULL || is_literal(helo))
		return POLICY_DUNNO;
	switch (policy_ask(call, LOOKUP_HOST, helo)) {
	case LOOKUP_FOUND:
		return POLICY_DUNNO;
	case LOOKUP_NOT_FOUND:
	case LOOKUP_NULL_MX:
		return policy_reject(call, settings->unknown_hostname_code, "4.7.1",
			"<%.*s>: Helo command rejected: Host not found", SPAN_ARGS(helo));
	case LOOKUP_TEMPORARY:
	case LOOKUP_MISMATCH:
	case LOOKUP_FORWARD_TEMPORARY:
		break;
	}
	return policy_defer_if_permit(call, 450, "4.7.1",
		"<%.*s>: Helo command rejected: Host not found", SPAN_ARGS(helo));
}
