/* See restriction.h. A restriction that gets its row in smtpd/policy_table.c loses it here.
 * SPDX-License-Identifier: ISC */
#include "conf/restriction.h"

#include <stddef.h>

#include "base/check.h"

static const struct {
	const char *name;
	bool argument;
} missing[] = {
	{"check_policy_service", true},
	{"reject_rbl_client", true},
	{"reject_rhsbl_client", true},
	{"reject_rhsbl_reverse_client", true},
	{"reject_rhsbl_helo", true},
	{"reject_rhsbl_sender", true},
	{"reject_rhsbl_recipient", true},
	{"reject_maps_rbl", false},
	{"permit_dnswl_client", true},
	{"permit_rhswl_client", true},
	{"reject_unverified_sender", false},
	{"reject_unverified_recipient", false},
	{"permit_mx_backup", false},
	{"permit_tls_clientcerts", false},
	{"permit_tls_all_clientcerts", false},
	{"permit_naked_ip_address", false},
	{"check_ccert_access", true},
	{"check_client_a_access", true},
	{"check_client_mx_access", true},
	{"check_client_ns_access", true},
	{"check_reverse_client_hostname_a_access", true},
	{"check_reverse_client_hostname_mx_access", true},
	{"check_reverse_client_hostname_ns_access", true},
	{"check_helo_a_access", true},
	{"check_helo_mx_access", true},
	{"check_helo_ns_access", true},
	{"check_sender_a_access", true},
	{"check_sender_mx_access", true},
	{"check_sender_ns_access", true},
	{"check_recipient_a_access", true},
	{"check_recipient_mx_access", true},
	{"check_recipient_ns_access", true},
	{"check_etrn_access", true},
};

bool restriction_is_missing(struct span name, bool *ret_argument)
{
	for (size_t i = 0; i < ARRAY_LEN(missing); i++) {
		if (!span_equal_nocase(name, span_from_cstr(missing[i].name)))
			continue;
		*ret_argument = missing[i].argument;
		return true;
	}
	return false;
}

bool restriction_is_list(struct span parameter)
{
	return span_starts_with_nocase(parameter, SPAN("smtpd_")) &&
		span_ends_with_nocase(parameter, SPAN("_restrictions")) &&
		!span_equal(parameter, SPAN("smtpd_etrn_restrictions"));
}
