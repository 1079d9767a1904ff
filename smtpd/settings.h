/* The parameters smtpd reads, under Postfix's names.
 * SPDX-License-Identifier: ISC */
#ifndef SMTPD_SETTINGS_H
#define SMTPD_SETTINGS_H

#include "conf/conf.h"

struct smtpd_settings {
	const char *myhostname, *myorigin, *banner, *protocol, *mail_name, *service_name;
	const char *mynetworks, *local_header_rewrite_clients, *receive_override_options;
	bool append_dot_mydomain;
	const char *mydomain;

	int64_t timeout, starttls_timeout, ipc_timeout, error_sleep_time;
	int64_t line_length_limit, message_size_limit, recipient_limit, recipient_overshoot_limit;
	int64_t soft_error_limit, hard_error_limit, junk_command_limit;
	bool helo_required, disable_vrfy, delay_reject, relay_before_recipient, soft_bounce;
	bool strict_envelopes, smtputf8, strict_smtputf8, peername_lookup;
	bool forbid_unauth_pipelining, port_logging;
	const char *noop_commands, *forbidden_commands, *discard_ehlo_keywords;
	const char *discard_ehlo_keyword_maps;
	const char *forbid_bare_newline, *bare_newline_exclusions;
	int64_t bare_newline_reject_code;

	bool sasl_auth, broken_sasl_clients, sasl_header;
	int64_t sasl_response_limit;
	const char *sasl_exceptions, *sasl_service;

	bool tls_header;
	int64_t tls_loglevel;

	int64_t connection_count_limit, connection_rate_limit, message_rate_limit;
	int64_t recipient_rate_limit, tls_rate_limit, auth_rate_limit;
	const char *event_limit_exceptions;

	const char *client_restrictions, *helo_restrictions, *sender_restrictions;
	const char *relay_restrictions, *recipient_restrictions, *data_restrictions;
	const char *end_of_data_restrictions, *restriction_classes;
	const char *sender_login_maps, *null_access_key, *parent_domain_matches;
	bool reject_unlisted_recipient, reject_unlisted_sender;
	int64_t access_map_reject_code, access_map_defer_code, defer_code, reject_code;
	int64_t invalid_hostname_code, non_fqdn_code, plaintext_code, relay_code;
	int64_t unknown_address_code, unknown_client_code, unknown_hostname_code, nullmx_code;
	int64_t unknown_local_code, unknown_relay_code, unknown_alias_code, unknown_mailbox_code;
	int64_t multi_recipient_bounce_code;
};

/* 0, or -EINVAL (logged). */
int smtpd_settings_read(struct conf *conf, struct smtpd_settings *ret_settings);

#endif
