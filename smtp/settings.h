/* The parameters of the SMTP and LMTP client. One table serves both: "%s" is smtp or lmtp.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_SETTINGS_H
#define TAMBO_SMTP_SETTINGS_H

#include "conf/conf.h"
#include "map/map.h"
#include "net/own_address.h"

struct smtp_settings {
	bool lmtp;
	const char *prefix; /* "smtp" or "lmtp" */
	const char *myhostname, *queue_directory, *inet_protocols, *inet_interfaces, *proxy_interfaces,
		*dns_servers;
	bool disable_dns_lookups;
	const char *helo_name, *tcp_port, *host_lookup, *dns_support_level, *fallback_relay,
		*relayhost;
	const char *address_preference, *bind_address, *bind_address6, *discard_keywords;
	bool balance_protocols, randomize_addresses, defer_if_no_mx_address, skip_5xx_greeting,
		skip_quit_response, send_dummy_auth, always_ehlo, never_ehlo, cache_on_demand;
	int64_t mx_address_limit, mx_session_limit, line_length_limit, reuse_count_limit;
	int64_t connect_timeout, helo_timeout, mail_timeout, rcpt_timeout, data_init_timeout,
		data_xfer_timeout, data_done_timeout, rset_timeout, quit_timeout, starttls_timeout,
		cache_time_limit, reuse_time_limit;
	const char *cache_destinations;

	bool sasl_enable, sasl_sender_dependent, sasl_soft_bounce;
	const char *sasl_password_maps, *sasl_delimiter, *sasl_mechanism_filter, *sasl_options,
		*sasl_tls_options, *sasl_tls_verified_options;

	bool use_tls, enforce_tls, tls_wrappermode, tls_note_offer;
	const char *tls_level, *tls_policy_maps, *tls_ca_file, *tls_ca_path, *tls_cert_file,
		*tls_key_file, *tls_protocols, *tls_mandatory_protocols, *tls_ciphers,
		*tls_mandatory_ciphers, *tls_exclude_ciphers, *tls_mandatory_exclude_ciphers,
		*tls_verify_match, *tls_secure_match, *tls_fingerprint_match, *tls_servername;
	int64_t tls_loglevel;

	/* Worked out once. */
	unsigned families;  /* enum dns_family */
	uint16_t port;      /* of tcp_port */
	unsigned discard;   /* enum smtp_extension never used */
	struct map_list *passwords, *tls_policies;
	struct own_addresses own;
};

/* The one of this process. */
extern struct smtp_settings settings;

/* 0 or -EINVAL (logged). Opens the tables. */
int settings_load(struct conf *conf, bool lmtp);
/* Closes the tables, forgets the addresses. */
void settings_done(void);
/* "smtp", "submission", "587" ...: 0 when it is no port. */
uint16_t settings_port(struct span text);

#endif
