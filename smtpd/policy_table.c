/* The restrictions, one row each. To add one: its function in a policy_*.c file, its row here.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "smtpd/policy_rules.h"

static const struct policy_rule rules[] = {
	/* unconditional */
	{"permit", ARGUMENT_NONE, rule_permit, false},
	{"reject", ARGUMENT_NONE, rule_reject, true},
	{"defer", ARGUMENT_NONE, rule_defer, true},
	{"defer_if_permit", ARGUMENT_NONE, rule_defer_if_permit, true},
	{"defer_if_reject", ARGUMENT_NONE, rule_defer_if_reject, false},
	{"sleep", ARGUMENT_NUMBER, rule_sleep, false},
	/* the client */
	{"permit_mynetworks", ARGUMENT_NONE, rule_permit_mynetworks, false},
	{"permit_inet_interfaces", ARGUMENT_NONE, rule_permit_inet_interfaces, false},
	{"permit_sasl_authenticated", ARGUMENT_NONE, rule_permit_sasl, false},
	{"reject_plaintext_session", ARGUMENT_NONE, rule_reject_plaintext, false},
	{"reject_unauth_pipelining", ARGUMENT_NONE, rule_reject_pipelining, false},
	{"reject_unknown_client_hostname", ARGUMENT_NONE, rule_reject_unknown_client, false},
	{"reject_unknown_client", ARGUMENT_NONE, rule_reject_unknown_client, false},
	{"reject_unknown_reverse_client_hostname", ARGUMENT_NONE, rule_reject_unknown_reverse,
		false},
	{"check_client_access", ARGUMENT_MAP, rule_client_access, false},
	{"check_reverse_client_hostname_access", ARGUMENT_MAP, rule_reverse_client_access, false},
	{"check_sasl_access", ARGUMENT_MAP, rule_sasl_access, false},
	/* HELO */
	{"reject_invalid_helo_hostname", ARGUMENT_NONE, rule_reject_invalid_helo, false},
	{"reject_invalid_hostname", ARGUMENT_NONE, rule_reject_invalid_helo, false},
	{"reject_non_fqdn_helo_hostname", ARGUMENT_NONE, rule_reject_non_fqdn_helo, false},
	{"reject_non_fqdn_hostname", ARGUMENT_NONE, rule_reject_non_fqdn_helo, false},
	{"reject_unknown_helo_hostname", ARGUMENT_NONE, rule_reject_unknown_helo, false},
	{"reject_unknown_hostname", ARGUMENT_NONE, rule_reject_unknown_helo, false},
	{"check_helo_access", ARGUMENT_MAP, rule_helo_access, false},
	/* the sender */
	{"reject_non_fqdn_sender", ARGUMENT_NONE, rule_reject_non_fqdn_sender, false},
	{"reject_unknown_sender_domain", ARGUMENT_NONE, rule_reject_unknown_sender, false},
	{"reject_unknown_address", ARGUMENT_NONE, rule_reject_unknown_sender, false},
	{"reject_unlisted_sender", ARGUMENT_NONE, rule_reject_unlisted_sender, false},
	{"reject_sender_login_mismatch", ARGUMENT_NONE, rule_login_mismatch, false},
	{"reject_authenticated_sender_login_mismatch", ARGUMENT_NONE, rule_login_authenticated,
		false},
	{"reject_known_sender_login_mismatch", ARGUMENT_NONE, rule_login_known, false},
	{"reject_unauthenticated_sender_login_mismatch", ARGUMENT_NONE,
		rule_login_unauthenticated, false},
	{"check_sender_access", ARGUMENT_MAP, rule_sender_access, false},
	/* the recipient */
	{"reject_unauth_destination", ARGUMENT_NONE, rule_reject_unauth_destination, true},
	{"defer_unauth_destination", ARGUMENT_NONE, rule_defer_unauth_destination, true},
	{"check_relay_domains", ARGUMENT_NONE, rule_check_relay_domains, true},
	{"permit_auth_destination", ARGUMENT_NONE, rule_permit_auth_destination, false},
	{"reject_non_fqdn_recipient", ARGUMENT_NONE, rule_reject_non_fqdn_recipient, false},
	{"reject_unknown_recipient_domain", ARGUMENT_NONE, rule_reject_unknown_recipient, false},
	{"reject_unlisted_recipient", ARGUMENT_NONE, rule_reject_unlisted_recipient, false},
	{"check_recipient_maps", ARGUMENT_NONE, rule_reject_unlisted_recipient, false},
	{"reject_multi_recipient_bounce", ARGUMENT_NONE, rule_reject_multi_bounce, false},
	{"check_recipient_access", ARGUMENT_MAP, rule_recipient_access, false},
};

const struct policy_rule *policy_rule_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (span_equal_nocase(name, span_from_cstr(rules[i].name)))
			return &rules[i];
	return NULL;
}

const struct policy_rule *policy_rule_for_table(enum policy_stage stage)
{
	switch (stage) {
	case STAGE_CLIENT:
		return policy_rule_find(SPAN("check_client_access"));
	case STAGE_HELO:
		return policy_rule_find(SPAN("check_helo_access"));
	case STAGE_SENDER:
		return policy_rule_find(SPAN("check_sender_access"));
	case STAGE_RELAY:
	case STAGE_RECIPIENT:
		return policy_rule_find(SPAN("check_recipient_access"));
	case STAGE_DATA:
	case STAGE_END_OF_DATA:
	case STAGE_REWRITE:
	case STAGE_COUNT:
		break;
	}
	return NULL;
}
