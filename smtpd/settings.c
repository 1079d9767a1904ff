/* See settings.h. SPDX-License-Identifier: ISC */
#include "smtpd/settings.h"

#include <stddef.h>

#include "base/check.h"

#define STRING(name_, member_) SETTING(name_, SETTING_STRING, smtpd_settings, member_)
#define BOOL(name_, member_) SETTING(name_, SETTING_BOOL, smtpd_settings, member_)
#define INT(name_, member_) SETTING(name_, SETTING_INT, smtpd_settings, member_)
#define TIME(name_, member_) SETTING(name_, SETTING_TIME, smtpd_settings, member_)

static const struct setting settings[] = {
	STRING("myhostname", myhostname),
	STRING("myorigin", myorigin),
	STRING("mydomain", mydomain),
	STRING("smtpd_banner", banner),
	STRING("smtpd_protocol", protocol),
	STRING("mail_name", mail_name),
	STRING("service_name", service_name),
	STRING("mynetworks", mynetworks),
	STRING("local_header_rewrite_clients", local_header_rewrite_clients),
	STRING("receive_override_options", receive_override_options),
	BOOL("append_dot_mydomain", append_dot_mydomain),

	TIME("smtpd_timeout", timeout),
	TIME("smtpd_starttls_timeout", starttls_timeout),
	TIME("ipc_timeout", ipc_timeout),
	TIME("smtpd_error_sleep_time", error_sleep_time),
	INT("line_length_limit", line_length_limit),
	INT("message_size_limit", message_size_limit),
	INT("smtpd_recipient_limit", recipient_limit),
	INT("smtpd_recipient_overshoot_limit", recipient_overshoot_limit),
	INT("smtpd_soft_error_limit", soft_error_limit),
	INT("smtpd_hard_error_limit", hard_error_limit),
	INT("smtpd_junk_command_limit", junk_command_limit),
	BOOL("smtpd_helo_required", helo_required),
	BOOL("disable_vrfy_command", disable_vrfy),
	BOOL("smtpd_delay_reject", delay_reject),
	BOOL("smtpd_relay_before_recipient_restrictions", relay_before_recipient),
	BOOL("soft_bounce", soft_bounce),
	BOOL("strict_rfc821_envelopes", strict_envelopes),
	BOOL("smtputf8_enable", smtputf8),
	BOOL("strict_smtputf8", strict_smtputf8),
	BOOL("smtpd_peername_lookup", peername_lookup),
	BOOL("smtpd_forbid_unauth_pipelining", forbid_unauth_pipelining),
	BOOL("smtpd_client_port_logging", port_logging),
	STRING("smtpd_noop_commands", noop_commands),
	STRING("smtpd_forbidden_commands", forbidden_commands),
	STRING("smtpd_discard_ehlo_keywords", discard_ehlo_keywords),
	STRING("smtpd_discard_ehlo_keyword_address_maps", discard_ehlo_keyword_maps),
	STRING("smtpd_forbid_bare_newline", forbid_bare_newline),
	STRING("smtpd_forbid_bare_newline_exclusions", bare_newline_exclusions),
	INT("smtpd_forbid_bare_newline_reject_code", bare_newline_reject_code),

	BOOL("smtpd_sasl_auth_enable", sasl_auth),
	BOOL("broken_sasl_auth_clients", broken_sasl_clients),
	BOOL("smtpd_sasl_authenticated_header", sasl_header),
	INT("smtpd_sasl_response_limit", sasl_response_limit),
	STRING("smtpd_sasl_exceptions_networks", sasl_exceptions),
	STRING("smtpd_sasl_service", sasl_service),

	BOOL("smtpd_tls_received_header", tls_header),
	INT("smtpd_tls_loglevel", tls_loglevel),

	INT("smtpd_client_connection_count_limit", connection_count_limit),
	INT("smtpd_client_connection_rate_limit", connection_rate_limit),
	INT("smtpd_client_message_rate_limit", message_rate_limit),
	INT("smtpd_client_recipient_rate_limit", recipient_rate_limit),
	INT("smtpd_client_new_tls_session_rate_limit", tls_rate_limit),
	INT("smtpd_client_auth_rate_limit", auth_rate_limit),
	STRING("smtpd_client_event_limit_exceptions", event_limit_exceptions),

	STRING("smtpd_client_restrictions", client_restrictions),
	STRING("smtpd_helo_restrictions", helo_restrictions),
	STRING("smtpd_sender_restrictions", sender_restrictions),
	STRING("smtpd_relay_restrictions", relay_restrictions),
	STRING("smtpd_recipient_restrictions", recipient_restrictions),
	STRING("smtpd_data_restrictions", data_restrictions),
	STRING("smtpd_end_of_data_restrictions", end_of_data_restrictions),
	STRING("smtpd_restriction_classes", restriction_classes),
	STRING("smtpd_sender_login_maps", sender_login_maps),
	STRING("smtpd_null_access_lookup_key", null_access_key),
	STRING("parent_domain_matches_subdomains", parent_domain_matches),
	BOOL("smtpd_reject_unlisted_recipient", reject_unlisted_recipient),
	BOOL("smtpd_reject_unlisted_sender", reject_unlisted_sender),
	INT("access_map_reject_code", access_map_reject_code),
	INT("access_map_defer_code", access_map_defer_code),
	INT("defer_code", defer_code),
	INT("reject_code", reject_code),
	INT("invalid_hostname_reject_code", invalid_hostname_code),
	INT("non_fqdn_reject_code", non_fqdn_code),
	INT("plaintext_reject_code", plaintext_code),
	INT("relay_domains_reject_code", relay_code),
	INT("unknown_address_reject_code", unknown_address_code),
	INT("unknown_client_reject_code", unknown_client_code),
	INT("unknown_hostname_reject_code", unknown_hostname_code),
	INT("nullmx_reject_code", nullmx_code),
	INT("unknown_local_recipient_reject_code", unknown_local_code),
	INT("unknown_relay_recipient_reject_code", unknown_relay_code),
	INT("unknown_virtual_alias_reject_code", unknown_alias_code),
	INT("unknown_virtual_mailbox_reject_code", unknown_mailbox_code),
	INT("multi_recipient_bounce_reject_code", multi_recipient_bounce_code),
};

int smtpd_settings_read(struct conf *conf, struct smtpd_settings *ret_settings)
{
	return settings_read(conf, settings, ARRAY_LEN(settings), NULL, ret_settings);
}
