/* Parameters: what this host is called, which names it answers to, common limits and tables.
 * SPDX-License-Identifier: ISC */
#include "conf/parameter_tables.h"

/* clang-format off: one parameter, one row */
static const struct parameter rows[] = {
	ROW(BOOL, "allow_min_user", "no", ACCEPTED,
		""),
	ROW(LIST, "alternate_config_directories", "", ACCEPTED,
		""),
	ROW(TIME, "anvil_rate_time_unit", "60s", ACCEPTED,
		""),
	ROW(TIME, "anvil_status_update_time", "600s", ACCEPTED,
		""),
	ROW(TIME, "application_event_drain_time", "100s", ACCEPTED,
		""),
	ROW(SIZE, "berkeley_db_create_buffer_size", "16777216", ACCEPTED,
		""),
	ROW(SIZE, "berkeley_db_read_buffer_size", "131072", ACCEPTED,
		""),
	ROW(STRING, "compatibility_level", "0", ACCEPTED,
		""),
	ROW(TIME, "connection_cache_protocol_timeout", "5s", ACCEPTED,
		""),
	ROW(STRING, "connection_cache_service_name", "scache", ACCEPTED,
		""),
	ROW(TIME, "connection_cache_status_update_time", "600s", ACCEPTED,
		""),
	ROW(TIME, "connection_cache_ttl_limit", "2s", ACCEPTED,
		""),
	ROW(BOOL, "daemon_table_open_error_is_fatal", "no", ACCEPTED,
		""),
	ROW(TIME, "daemon_timeout", "18000s", ACCEPTED,
		""),
	ROW(INT, "debug_peer_level", "2", ACCEPTED,
		"", .max = INT32_MAX),
	ROW(LIST, "debug_peer_list", "", ACCEPTED,
		""),
	ROW(STRING, "debugger_command", "", ACCEPTED,
		""),
	ROW(BOOL, "disable_dns_lookups", "no", ACCEPTED,
		""),
	ROW(BOOL, "dns_ncache_ttl_fix_enable", "no", ACCEPTED,
		""),
	ROW(INT, "dont_remove", "0", ACCEPTED,
		"", .max = INT32_MAX),
	ROW(BOOL, "enable_idna2003_compatibility", "no", ACCEPTED,
		""),
	ROW(INT, "fault_injection_code", "0", ACCEPTED,
		"", .max = INT32_MAX),
	ROW(LIST, "inet_interfaces", "all", ACCEPTED,
		""),
	ROW(LIST, "inet_protocols", "all", ACCEPTED,
		""),
	ROW(STRING, "info_log_address_format", "external", ACCEPTED,
		""),
	ROW(TIME, "ipc_idle", "5s", ACCEPTED,
		""),
	ROW(TIME, "ipc_timeout", "3600s", ACCEPTED,
		""),
	ROW(TIME, "ipc_ttl", "1000s", ACCEPTED,
		""),
	ROW(STRING, "known_tcp_ports", 
		"lmtp=24, smtp=25, smtps=submissions=465, submission=587", ACCEPTED,
		""),
	ROW(SIZE, "lmdb_map_size", "16777216", ACCEPTED,
		""),
	ROW(STRING, "master_service_disable", "", ACCEPTED,
		""),
	ROW(TIME, "max_idle", "100s", ACCEPTED,
		""),
	ROW(INT, "max_use", "100", ACCEPTED,
		"", .max = INT32_MAX),
	ROW(STRING, "mydomain", NULL, ACCEPTED,
		"", .compute = parameter_default_mydomain),
	ROW(STRING, "myhostname", NULL, ACCEPTED,
		"", .compute = parameter_default_myhostname),
	ROW(LIST, "mynetworks", NULL, ACCEPTED,
		"", .compute = parameter_default_mynetworks),
	ROW(STRING, "mynetworks_style", 
		"${{$compatibility_level} <level {2} ? {subnet} : {host}}", ACCEPTED,
		""),
	ROW(STRING, "myorigin", "$myhostname", ACCEPTED,
		""),
	ROW(STRING, "non_bdb_migration_level", "disable", ACCEPTED,
		""),
	ROW(STRING, "pickup_service_name", "pickup", ACCEPTED,
		""),
	ROW(LIST, "postmulti_control_commands", "reload flush", ACCEPTED,
		""),
	ROW(LIST, "postmulti_start_commands", "start", ACCEPTED,
		""),
	ROW(LIST, "postmulti_stop_commands", "stop abort drain quick-stop", ACCEPTED,
		""),
	ROW(INT, "process_id", NULL, ACCEPTED,
		"", .max = INT32_MAX, .compute = parameter_default_process_id),
	ROW(STRING, "process_name", NULL, ACCEPTED,
		"", .compute = parameter_default_process_name),
	ROW(LIST, "proxy_interfaces", "", ACCEPTED,
		""),
	ROW(MAPS, "proxy_read_maps", 
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
		"$smtp_header_checks $smtp_mime_header_checks $smtp_nested_header_checks", ACCEPTED,
		""),
	ROW(MAPS, "proxy_write_maps", 
		"$smtp_sasl_auth_cache_name $lmtp_sasl_auth_cache_name $address_verify_map "
		"$postscreen_cache_map", ACCEPTED,
		""),
	ROW(STRING, "proxymap_service_name", "proxymap", ACCEPTED,
		""),
	ROW(STRING, "proxywrite_service_name", "proxywrite", ACCEPTED,
		""),
	ROW(LIST, "receive_override_options", "", ACCEPTED,
		""),
	ROW(BOOL, "respectful_logging", 
		"${{$compatibility_level} <level {3.6} ? {no} : {yes}}", ACCEPTED,
		""),
	ROW(BOOL, "send_cyrus_sasl_authzid", "no", ACCEPTED,
		""),
	ROW(STRING, "service_name", NULL, ACCEPTED,
		"", .compute = parameter_default_service_name),
	ROW(TIME, "service_throttle_time", "60s", ACCEPTED,
		""),
	ROW(STRING, "showq_service_name", "showq", ACCEPTED,
		""),
	ROW(LIST, "smtputf8_autodetect_classes", "sendmail, verify", ACCEPTED,
		""),
	ROW(BOOL, "smtputf8_enable", 
		"${{$compatibility_level} <level {1} ? {no} : {yes}}", ACCEPTED,
		""),
	ROW(SIZE, "tcp_windowsize", "0", ACCEPTED,
		""),
	ROW(MAPS, "verp_delimiter_filter", "-=+", ACCEPTED,
		""),
};

PARAMETER_TABLE(general,
	"what this host is called, which names it answers to, common limits and tables")
