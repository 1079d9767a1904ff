/* See settings.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "dns/resolve.h"
#include "service/delivery_log.h"
#include "smtp/extension.h"

struct smtp_settings settings;

#define ROW(name_, kind_, member_) SETTING(name_, SETTING_##kind_, smtp_settings, member_)

static const struct setting common_rows[] = {
	ROW("myhostname", STRING, myhostname),
	ROW("relayhost", STRING, relayhost),
	ROW("queue_directory", STRING, queue_directory),
	ROW("inet_protocols", STRING, inet_protocols),
	ROW("inet_interfaces", STRING, inet_interfaces),
	ROW("proxy_interfaces", STRING, proxy_interfaces),
	ROW("dns_servers", STRING, dns_servers),
	ROW("disable_dns_lookups", BOOL, disable_dns_lookups),
	ROW("%s_tcp_port", STRING, tcp_port),
	ROW("%s_host_lookup", STRING, host_lookup),
	ROW("%s_dns_support_level", STRING, dns_support_level),
	ROW("%s_fallback_relay", STRING, fallback_relay),
	ROW("%s_address_preference", STRING, address_preference),
	ROW("%s_bind_address", STRING, bind_address),
	ROW("%s_bind_address6", STRING, bind_address6),
	ROW("%s_balance_inet_protocols", BOOL, balance_protocols),
	ROW("%s_randomize_addresses", BOOL, randomize_addresses),
	ROW("%s_defer_if_no_mx_address_found", BOOL, defer_if_no_mx_address),
	ROW("%s_skip_5xx_greeting", BOOL, skip_5xx_greeting),
	ROW("%s_skip_quit_response", BOOL, skip_quit_response),
	ROW("%s_send_dummy_mail_auth", BOOL, send_dummy_auth),
	ROW("%s_connection_cache_on_demand", BOOL, cache_on_demand),
	ROW("%s_connection_cache_destinations", STRING, cache_destinations),
	ROW("%s_connection_cache_time_limit", TIME, cache_time_limit),
	ROW("%s_connection_reuse_time_limit", TIME, reuse_time_limit),
	ROW("%s_connection_reuse_count_limit", INT, reuse_count_limit),
	ROW("%s_mx_address_limit", INT, mx_address_limit),
	ROW("%s_mx_session_limit", INT, mx_session_limit),
	ROW("%s_line_length_limit", INT, line_length_limit),
	ROW("%s_connect_timeout", TIME, connect_timeout),
	ROW("%s_mail_timeout", TIME, mail_timeout),
	ROW("%s_rcpt_timeout", TIME, rcpt_timeout),
	ROW("%s_data_init_timeout", TIME, data_init_timeout),
	ROW("%s_data_xfer_timeout", TIME, data_xfer_timeout),
	ROW("%s_data_done_timeout", TIME, data_done_timeout),
	ROW("%s_rset_timeout", TIME, rset_timeout),
	ROW("%s_quit_timeout", TIME, quit_timeout),
	ROW("%s_starttls_timeout", TIME, starttls_timeout),
};

static const struct setting smtp_rows[] = {
	ROW("smtp_helo_name", STRING, helo_name),
	ROW("smtp_helo_timeout", TIME, helo_timeout),
	ROW("smtp_discard_ehlo_keywords", STRING, discard_keywords),
	ROW("smtp_always_send_ehlo", BOOL, always_ehlo),
	ROW("smtp_never_send_ehlo", BOOL, never_ehlo),
};

static const struct setting lmtp_rows[] = {
	ROW("lmtp_lhlo_name", STRING, helo_name),
	ROW("lmtp_lhlo_timeout", TIME, helo_timeout),
	ROW("lmtp_discard_lhlo_keywords", STRING, discard_keywords),
};

static const struct setting wall_rows[] = {
	ROW("%s_sasl_auth_enable", BOOL, sasl_enable),
	ROW("%s_sender_dependent_authentication", BOOL, sasl_sender_dependent),
	ROW("%s_sasl_auth_soft_bounce", BOOL, sasl_soft_bounce),
	ROW("%s_sasl_password_maps", STRING, sasl_password_maps),
	ROW("%s_sasl_password_result_delimiter", STRING, sasl_delimiter),
	ROW("%s_sasl_mechanism_filter", STRING, sasl_mechanism_filter),
	ROW("%s_sasl_security_options", STRING, sasl_options),
	ROW("%s_sasl_tls_security_options", STRING, sasl_tls_options),
	ROW("%s_sasl_tls_verified_security_options", STRING, sasl_tls_verified_options),
	ROW("%s_use_tls", BOOL, use_tls),
	ROW("%s_enforce_tls", BOOL, enforce_tls),
	ROW("%s_tls_wrappermode", BOOL, tls_wrappermode),
	ROW("%s_tls_note_starttls_offer", BOOL, tls_note_offer),
	ROW("%s_tls_security_level", STRING, tls_level),
	ROW("%s_tls_policy_maps", STRING, tls_policy_maps),
	ROW("%s_tls_CAfile", STRING, tls_ca_file),
	ROW("%s_tls_CApath", STRING, tls_ca_path),
	ROW("%s_tls_cert_file", STRING, tls_cert_file),
	ROW("%s_tls_key_file", STRING, tls_key_file),
	ROW("%s_tls_protocols", STRING, tls_protocols),
	ROW("%s_tls_mandatory_protocols", STRING, tls_mandatory_protocols),
	ROW("%s_tls_ciphers", STRING, tls_ciphers),
	ROW("%s_tls_mandatory_ciphers", STRING, tls_mandatory_ciphers),
	ROW("%s_tls_exclude_ciphers", STRING, tls_exclude_ciphers),
	ROW("%s_tls_mandatory_exclude_ciphers", STRING, tls_mandatory_exclude_ciphers),
	ROW("%s_tls_verify_cert_match", STRING, tls_verify_match),
	ROW("%s_tls_secure_cert_match", STRING, tls_secure_match),
	ROW("%s_tls_fingerprint_cert_match", STRING, tls_fingerprint_match),
	ROW("%s_tls_servername", STRING, tls_servername),
	ROW("%s_tls_loglevel", INT, tls_loglevel),
};

uint16_t settings_port(struct span text)
{
	static const struct {
		const char *name;
		uint16_t port;
	} names[] = {{"smtp", 25}, {"mail", 25}, {"submission", 587}, {"submissions", 465},
		{"smtps", 465}, {"ssmtp", 465}, {"lmtp", 24}};
	uint64_t port;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (span_equal_nocase(text, span_from_cstr(names[i].name)))
			return names[i].port;
	return span_to_u64(text, UINT16_MAX, &port) ? (uint16_t)port : 0;
}

static unsigned families_of(const char *text)
{
	struct span words = span_from_cstr(text);
	unsigned v4 = span_has_word(words, SPAN("ipv4")) ? DNS_IPV4 : 0u;
	unsigned v6 = span_has_word(words, SPAN("ipv6")) ? DNS_IPV6 : 0u;
	return span_has_word(words, SPAN("all")) || (v4 | v6) == 0 ? DNS_IPV4 | DNS_IPV6 : v4 | v6;
}

static int open_maps(struct conf *conf, const char *specs, const char *name,
	struct map_list **ret_list)
{
	char *error = NULL;
	*ret_list = map_list_open(conf, specs, MAP_FOLD_FIXED, &error);
	if (*ret_list != NULL)
		return 0;
	log_fatal(NULL, "%s_%s: %s", settings.prefix, name, error == NULL ? "unusable" : error);
	free(error);
	return -EINVAL;
}

static int work_out(struct conf *conf)
{
	struct span rest = span_from_cstr(settings.discard_keywords), word;
	settings.families = families_of(settings.inet_protocols);
	settings.port = settings_port(span_from_cstr(settings.tcp_port));
	if (settings.port == 0) {
		log_fatal(NULL, "%s_tcp_port: unknown port: %s", settings.prefix, settings.tcp_port);
		return -EINVAL;
	}
	while (span_token(&rest, ", \t", &word))
		settings.discard |= smtp_extension_find(word);
	if (own_addresses_add(&settings.own, span_from_cstr(settings.inet_interfaces)) != 0 ||
		own_addresses_add(&settings.own, span_from_cstr(settings.proxy_interfaces)) != 0) {
		log_fatal(NULL, "inet_interfaces: cannot list this host's addresses");
		return -EINVAL;
	}
	int error = open_maps(conf, settings.sasl_enable ? settings.sasl_password_maps : "",
		"sasl_password_maps", &settings.passwords);
	if (error == 0)
		error = open_maps(conf, settings.tls_policy_maps, "tls_policy_maps",
			&settings.tls_policies);
	return error;
}

int settings_load(struct conf *conf, bool lmtp)
{
	delivery_log_soft_bounce = conf_get_bool(conf, "soft_bounce");
	settings = (struct smtp_settings){.lmtp = lmtp, .prefix = lmtp ? "lmtp" : "smtp",
		.always_ehlo = true};
	const struct setting *own = lmtp ? lmtp_rows : smtp_rows;
	size_t own_count = lmtp ? ARRAY_LEN(lmtp_rows) : ARRAY_LEN(smtp_rows);
	const char *prefix = settings.prefix;
	if (settings_read(conf, common_rows, ARRAY_LEN(common_rows), prefix, &settings) != 0 ||
		settings_read(conf, own, own_count, prefix, &settings) != 0 ||
		settings_read(conf, wall_rows, ARRAY_LEN(wall_rows), prefix, &settings) != 0)
		return -EINVAL;
	return work_out(conf);
}

void settings_done(void)
{
	map_list_close(settings.passwords);
	map_list_close(settings.tls_policies);
	own_addresses_done(&settings.own);
	settings.passwords = settings.tls_policies = NULL;
}
