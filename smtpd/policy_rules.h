/* The functions of the restrictions (policy_client.c, policy_address.c, policy_access.c).
 * SPDX-License-Identifier: ISC */
#ifndef SMTPD_POLICY_RULES_H
#define SMTPD_POLICY_RULES_H

#include "smtpd/policy_private.h"

enum policy_result rule_check_relay_domains(struct policy_call *call);
enum policy_result rule_client_access(struct policy_call *call);
enum policy_result rule_defer(struct policy_call *call);
enum policy_result rule_defer_if_permit(struct policy_call *call);
enum policy_result rule_defer_if_reject(struct policy_call *call);
enum policy_result rule_defer_unauth_destination(struct policy_call *call);
enum policy_result rule_helo_access(struct policy_call *call);
enum policy_result rule_login_authenticated(struct policy_call *call);
enum policy_result rule_login_known(struct policy_call *call);
enum policy_result rule_login_mismatch(struct policy_call *call);
enum policy_result rule_login_unauthenticated(struct policy_call *call);
enum policy_result rule_permit(struct policy_call *call);
enum policy_result rule_permit_auth_destination(struct policy_call *call);
enum policy_result rule_permit_inet_interfaces(struct policy_call *call);
enum policy_result rule_permit_mynetworks(struct policy_call *call);
enum policy_result rule_permit_sasl(struct policy_call *call);
enum policy_result rule_recipient_access(struct policy_call *call);
enum policy_result rule_reject(struct policy_call *call);
enum policy_result rule_reject_invalid_helo(struct policy_call *call);
enum policy_result rule_reject_multi_bounce(struct policy_call *call);
enum policy_result rule_reject_non_fqdn_helo(struct policy_call *call);
enum policy_result rule_reject_non_fqdn_recipient(struct policy_call *call);
enum policy_result rule_reject_non_fqdn_sender(struct policy_call *call);
enum policy_result rule_reject_pipelining(struct policy_call *call);
enum policy_result rule_reject_plaintext(struct policy_call *call);
enum policy_result rule_reject_unauth_destination(struct policy_call *call);
enum policy_result rule_reject_unknown_client(struct policy_call *call);
enum policy_result rule_reject_unknown_helo(struct policy_call *call);
enum policy_result rule_reject_unknown_recipient(struct policy_call *call);
enum policy_result rule_reject_unknown_reverse(struct policy_call *call);
enum policy_result rule_reject_unknown_sender(struct policy_call *call);
enum policy_result rule_reject_unlisted_recipient(struct policy_call *call);
enum policy_result rule_reject_unlisted_sender(struct policy_call *call);
enum policy_result rule_reverse_client_access(struct policy_call *call);
enum policy_result rule_sasl_access(struct policy_call *call);
enum policy_result rule_sender_access(struct policy_call *call);
enum policy_result rule_sleep(struct policy_call *call);

#endif
