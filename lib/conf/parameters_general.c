/* Parameters: what this host is called, which names it answers to, common limits and tables.
 * SPDX-License-Identifier: ISC */
#include "conf/parameter_tables.h"

/* clang-format off: one parameter, one row */
static const struct parameter rows[] = {
	ROW(BOOL, "allow_min_user", "no", ACCEPTED,
		"accept addresses that start with a minus"),
	ROW(LIST, "alternate_config_directories", "", IMPLEMENTED,
		"other configuration directories that unprivileged users may name with -c"),
	ROW(TIME, "anvil_rate_time_unit", "60s", IMPLEMENTED,
		"period over which client rates are counted"),
	ROW(TIME, "anvil_status_update_time", "600s", ACCEPTED,
		"how often peaks of client rates are logged"),
	ROW(TIME, "application_event_drain_time", "100s", ACCEPTED,
		"wait of Postfix's programs for unfinished events; not needed here"),
	ROW(SIZE, "berkeley_db_create_buffer_size", "16777216", ACCEPTED,
		"memory for making Berkeley DB tables; there are none here"),
	ROW(SIZE, "berkeley_db_read_buffer_size", "131072", ACCEPTED,
		"memory for reading Berkeley DB tables; there are none here"),
	ROW(STRING, "compatibility_level", "0", IMPLEMENTED,
		"which Postfix version's defaults are meant, such as 3.6"),
	ROW(TIME, "connection_cache_protocol_timeout", "5s", ACCEPTED,
		"wait for Postfix's connection cache; it is within the client here"),
	ROW(STRING, "connection_cache_service_name", "scache", ACCEPTED,
		"name of Postfix's connection cache service"),
	ROW(TIME, "connection_cache_status_update_time", "600s", ACCEPTED,
		"how often statistics of the connection cache are logged"),
	ROW(TIME, "connection_cache_ttl_limit", "2s", ACCEPTED,
		"how long an idle connection is kept at most"),
	ROW(BOOL, "daemon_table_open_error_is_fatal", "no", ACCEPTED,
		"end a process whose table cannot be opened, instead of answering with errors"),
	ROW(TIME, "daemon_timeout", "18000s", ACCEPTED,
		"longest life of one request in a process"),
	ROW(INT, "debug_peer_level", "2", ACCEPTED,
		"how much more is logged about debug_peer_list", .max = INT32_MAX),
	ROW(LIST, "debug_peer_list", "", ACCEPTED,
		"clients or servers about which more is logged"),
	ROW(STRING, "debugger_command", "", ACCEPTED,
		"command run by a process started with -D"),
	ROW(BOOL, "disable_dns_lookups", "no", IMPLEMENTED,
		"old way to switch DNS off in the SMTP client"),
	ROW(BOOL, "dns_ncache_ttl_fix_enable", "no", ACCEPTED,
		"an aid for old DNS libraries; not needed here"),
	ROW(INT, "dont_remove", "0", ACCEPTED,
		"keep files of delivered messages; for debugging Postfix", .max = INT32_MAX),
	ROW(BOOL, "enable_idna2003_compatibility", "no", ACCEPTED,
		"use the older rules of international domain names"),
	ROW(INT, "fault_injection_code", "0", ACCEPTED,
		"makes Postfix fail on purpose, for its tests", .max = INT32_MAX),
	ROW(LIST, "inet_interfaces", "all", IMPLEMENTED,
		"addresses mail is accepted on: all, loopback-only, names or addresses"),
	ROW(LIST, "inet_protocols", "all", IMPLEMENTED,
		"all, ipv4 or ipv6"),
	ROW(STRING, "info_log_address_format", "external", ACCEPTED,
		"form of addresses in the log: external or internal"),
	ROW(TIME, "ipc_idle", "5s", ACCEPTED,
		"how long an idle connection between processes is kept"),
	ROW(TIME, "ipc_timeout", "3600s", IMPLEMENTED,
		"wait for an answer between processes"),
	ROW(TIME, "ipc_ttl", "1000s", ACCEPTED,
		"longest life of a connection between processes"),
	ROW(STRING, "known_tcp_ports",
		"lmtp=24, smtp=25, smtps=submissions=465, submission=587", ACCEPTED,
		"names of TCP ports that are known without /etc/services"),
	ROW(SIZE, "lmdb_map_size", "16777216", ACCEPTED,
		"size LMDB tables start with; ours size themselves"),
	ROW(STRING, "master_service_disable", "", ACCEPTED,
		"services of master.cf that are switched off"),
	ROW(TIME, "max_idle", "100s", IMPLEMENTED,
		"how long an idle process waits for more work"),
	ROW(INT, "max_use", "100", ACCEPTED,
		"requests after which a process of Postfix ends; ours serve on", .max = INT32_MAX),
	ROW(STRING, "mydomain", "", IMPLEMENTED,
		"domain of this host; default: myhostname without its first part",
		.compute = COMPUTE_MYDOMAIN),
	ROW(STRING, "myhostname", "", IMPLEMENTED,
		"full name of this host", .compute = COMPUTE_MYHOSTNAME),
	ROW(LIST, "mynetworks", "", IMPLEMENTED,
		"networks whose clients may relay", .compute = COMPUTE_MYNETWORKS),
	ROW(STRING, "mynetworks_style",
		"${{$compatibility_level} <level {2} ? {subnet} : {host}}", IMPLEMENTED,
		"how mynetworks is found when it is not set: host, subnet or class"),
	ROW(STRING, "myorigin", "$myhostname", IMPLEMENTED,
		"domain of mail that is sent here; a file name: its first line"),
	ROW(STRING, "non_bdb_migration_level", "disable", ACCEPTED,
		"how Postfix replaces Berkeley DB tables; here hash: and btree: are LMDB"),
	ROW(STRING, "pickup_service_name", "pickup", ACCEPTED,
		"name of the service that takes mail from maildrop; part of cleanup here"),
	ROW(LIST, "postmulti_control_commands", "reload flush", ACCEPTED,
		"postfix commands that postmulti passes to every instance"),
	ROW(LIST, "postmulti_start_commands", "start", ACCEPTED,
		"postfix commands that start instances"),
	ROW(LIST, "postmulti_stop_commands", "stop abort drain quick-stop", ACCEPTED,
		"postfix commands that stop instances"),
	ROW(INT, "process_id", "", IMPLEMENTED,
		"number of this process; only to be read",
		.max = INT32_MAX, .compute = COMPUTE_PROCESS_ID),
	ROW(STRING, "process_name", "", IMPLEMENTED,
		"name of this process; only to be read", .compute = COMPUTE_PROCESS_NAME),
	ROW(LIST, "proxy_interfaces", "", IMPLEMENTED,
		"addresses under which a proxy or NAT makes this host known"),
	LONG_ROW(MAPS, "proxy_read_maps",
		"$local_recipient_maps $mydestination $virtual_alias_maps $virtual_alias_domains "
		"$virtual_mailbox_maps $virtual_mailbox_domains $relay_recipient_maps $relay_domains "
		"$canonical_maps $sender_canonical_maps $recipient_canonical_maps $relocated_maps "
		"$transport_maps $mynetworks $smtpd_sender_login_maps $sender_bcc_maps "
		"$recipient_bcc_maps $smtp_generic_maps $lmtp_generic_maps $alias_maps "
		"$smtpd_client_restrictions $smtpd_helo_restrictions $smtpd_sender_restrictions "
		"$smtpd_relay_restrictions $smtpd_recipient_restrictions "
		"$address_verify_sender_dependent_default_transport_maps "
		"$address_verify_sender_dependent_relayhost_maps $address_verify_transport_maps "
		"$fallback_transport_maps $lmtp_discard_lhlo_keyword_address_maps "
		"$lmtp_pix_workaround_maps $lmtp_sasl_password_maps $lmtp_tls_policy_maps "
		"$mailbox_command_maps $mailbox_transport_maps "
		"$postscreen_discard_ehlo_keyword_address_maps $rbl_reply_maps "
		"$sender_dependent_default_transport_maps $sender_dependent_relayhost_maps "
		"$smtp_discard_ehlo_keyword_address_maps $smtp_pix_workaround_maps "
		"$smtp_sasl_password_maps $smtp_tls_policy_maps "
		"$smtpd_discard_ehlo_keyword_address_maps $smtpd_milter_maps $virtual_gid_maps "
		"$virtual_uid_maps $local_login_sender_maps $postscreen_reject_footer_maps "
		"$smtpd_reject_footer_maps $tls_server_sni_maps $tlsproxy_client_policy_maps "
		"$default_delivery_status_filter $lmtp_delivery_status_filter $lmtp_dns_reply_filter "
		"$lmtp_reply_filter $local_delivery_status_filter $pipe_delivery_status_filter "
		"$postscreen_command_filter $smtp_delivery_status_filter $smtp_dns_reply_filter "
		"$smtp_reply_filter $smtpd_command_filter $smtpd_dns_reply_filter "
		"$virtual_delivery_status_filter $body_checks $header_checks $lmtp_body_checks "
		"$lmtp_header_checks $lmtp_mime_header_checks $lmtp_nested_header_checks "
		"$milter_header_checks $mime_header_checks $nested_header_checks $smtp_body_checks "
		"$smtp_header_checks $smtp_mime_header_checks $smtp_nested_header_checks", IMPLEMENTED,
		"tables that proxymap may look up"),
	ROW(MAPS, "proxy_write_maps",
		"$smtp_sasl_auth_cache_name $lmtp_sasl_auth_cache_name $address_verify_map "
		"$postscreen_cache_map", ACCEPTED,
		"tables that proxymap may change"),
	ROW(STRING, "proxymap_service_name", "proxymap", IMPLEMENTED,
		"name of the service that asks databases"),
	ROW(STRING, "proxywrite_service_name", "proxywrite", ACCEPTED,
		"name of the service that changes tables for others"),
	ROW(LIST, "receive_override_options", "", IMPLEMENTED,
		"parts of receiving that are left out: no_address_mappings and others"),
	ROW(BOOL, "respectful_logging",
		"${{$compatibility_level} <level {3.6} ? {no} : {yes}}", ACCEPTED,
		"say allowlist and denylist in the log"),
	ROW(BOOL, "send_cyrus_sasl_authzid", "no", ACCEPTED,
		"send the authorization name too when authenticating to a server"),
	ROW(STRING, "service_name", "", IMPLEMENTED,
		"name column of this process's line in master.cf; only to be read",
		.compute = COMPUTE_SERVICE_NAME),
	ROW(TIME, "service_throttle_time", "60s", IMPLEMENTED,
		"pause before a process that fails at once is started again"),
	ROW(STRING, "showq_service_name", "showq", ACCEPTED,
		"name of the service that lists the queue"),
	ROW(LIST, "smtputf8_autodetect_classes", "sendmail, verify", ACCEPTED,
		"where mail is looked at for a need of SMTPUTF8 that nobody declared"),
	ROW(BOOL, "smtputf8_enable",
		"${{$compatibility_level} <level {1} ? {no} : {yes}}", IMPLEMENTED,
		"accept and pass on UTF-8 addresses (RFC 6531)"),
	ROW(SIZE, "tcp_windowsize", "0", ACCEPTED,
		"TCP window size; 0: the system's"),
	ROW(MAPS, "verp_delimiter_filter", "-=+", ACCEPTED,
		"characters that may be VERP delimiters"),
};

PARAMETER_TABLE(general,
	"what this host is called, which names it answers to, common limits and tables")
