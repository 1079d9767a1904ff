/* Parameters of our own: accounts, users of the processes, Maildirs, the journal, DNS.
 * SPDX-License-Identifier: ISC */
#include "conf/parameter_tables.h"

/* clang-format off: one parameter, one row */
static const struct parameter rows[] = {
	ROW(TIME, "auth_failure_delay", "2s", IMPLEMENTED,
		"how long a failed login waits for its answer at first; doubled with each further one"),
	ROW(TIME, "auth_failure_delay_max", "15s", IMPLEMENTED,
		"the longest a failed login waits for its answer"),
	ROW(LIST, "auth_mechanisms", "PLAIN LOGIN", IMPLEMENTED,
		"SASL mechanisms to offer; SCRAM-* and CRAM-MD5 need {SCRAM-..} or {PLAIN} passwords"),
	ROW(STRING, "auth_pam_service_name", "tambo", IMPLEMENTED,
		"name of the PAM service that is asked about system accounts"),
	ROW(STRING, "auth_service_name", "auth", IMPLEMENTED,
		"name of the service that checks passwords"),
	ROW(STRING, "auth_user", "tambo-auth", IMPLEMENTED,
		"account of the auth process"),
	ROW(LIST, "auth_user_maps", "system", IMPLEMENTED,
		"who may log in: \"system\" (passwd, shadow, PAM) and passwdfile:/path, asked in order"),
	ROW(LIST, "dns_servers", "", IMPLEMENTED,
		"name servers as address or address@port; empty: those of /etc/resolv.conf"),
	ROW(INT, "first_valid_uid", "500", IMPLEMENTED,
		"lowest uid that mail is delivered to or read as; never 0", .min = 1, .max = INT32_MAX),
	ROW(INT, "journal_compact_percent", "25", IMPLEMENTED,
		"a segment with less live content than this is rewritten and recycled", .max = 100),
	ROW(SIZE, "journal_inline_limit", "256k", IMPLEMENTED,
		"largest message kept inside the journal; above it the content has a file of its own",
		.min = 4096, .max = 524288),
	ROW(SIZE, "journal_segment_size", "16m", IMPLEMENTED,
		"size of a segment of the journal", .min = 1048576, .max = 1073741824),
	ROW(INT, "journal_spare_segments", "2", IMPLEMENTED,
		"recycled segments that are kept ready", .min = 1, .max = 1000),
	ROW(INT, "last_valid_uid", "0", IMPLEMENTED,
		"highest uid that mail is delivered to or read as; 0: no limit", .max = INT32_MAX),
	ROW(TIME, "maildir_checkpoint_interval", "1s", IMPLEMENTED,
		"how often delivered mail is made durable with syncfs while there is any"),
	ROW(ENUM, "maildir_sync", "checkpoint", IMPLEMENTED,
		"checkpoint: flush the file system about once a second; file: each file, as NFS needs",
		.words = "checkpoint file"),
	ROW(STRING, "map_user", "tambo-map", IMPLEMENTED,
		"account of the proxymap process"),
	ROW(STRING, "net_user", "tambo-net", IMPLEMENTED,
		"account of the processes that speak to the network"),
	ROW(LIST, "worker_extra_folders", "", IMPLEMENTED,
		"folders that workers may reach besides virtual_mailbox_base, the folder of the homes or the "
		"Maildir that they serve: where symbolic links lead; /: all that their uid may"),
	ROW(INT, "worker_process_limit", "1000", IMPLEMENTED,
		"how many workers (one process for each person's uid) may run at a time", .min = 1,
		.max = 100000),
};

PARAMETER_TABLE(auth, "accounts, process users, Maildirs, journal, DNS: parameters of our own")
