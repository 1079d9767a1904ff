/* The tables of program names and of rights between rooms. Looks at nothing but its arguments.
 * SPDX-License-Identifier: ISC */
#include "master/program.h"

#include <string.h>

#define SMTPD (PROGRAM_PER_CORE | PROGRAM_AT_START | PROGRAM_CHROOT | PROGRAM_LISTENS)
#define FRONT (PROGRAM_AT_START | PROGRAM_CHROOT | PROGRAM_LISTENS)
#define QUEUE (PROGRAM_AT_START | PROGRAM_SINGLE)
#define QMGR (QUEUE | PROGRAM_LISTENS | PROGRAM_HANDS_OVER)

static const struct program programs[] = {
	{"smtpd", "smtpd", false, PROGRAM_NET, SMTPD, NULL},
	{"lmtpd", "smtpd", false, PROGRAM_NET, SMTPD, NULL},
	{"cleanup", "cleanup", false, PROGRAM_MAIL, QUEUE, NULL},
	{"qmgr", "qmgr", false, PROGRAM_MAIL, QMGR, NULL},
	{"smtp", "smtp", false, PROGRAM_NET, PROGRAM_CHROOT, NULL},
	/* LMTP servers often listen on a UNIX path, which an empty root would hide. */
	{"lmtp", "smtp", false, PROGRAM_NET, 0, NULL},
	{"local", "local", false, PROGRAM_MAIL, 0, NULL},
	{"virtual", "local", false, PROGRAM_MAIL, 0, "run by local"},
	/* Not left out: Debian's master.cf has six such lines, and they harm only mail that is for
	 * them. */
	{"pipe", NULL, true, PROGRAM_MAIL, 0, "not supported yet: mail for this transport waits"},
	{"auth", "auth", false, PROGRAM_AUTH,
		PROGRAM_AT_START | PROGRAM_LISTENS | PROGRAM_READS_ROOT, NULL},
	{"imapd", "imapd", false, PROGRAM_NET, FRONT | PROGRAM_PER_CORE, NULL},
	{"pop3d", "pop3d", false, PROGRAM_NET, FRONT, NULL},
	{"proxymap", "proxymap", false, PROGRAM_MAP, 0, NULL},
	{"anvil", "anvil", false, PROGRAM_NET, PROGRAM_SINGLE | PROGRAM_CHROOT, NULL},
	{"verify", "anvil", true, PROGRAM_NET, 0, "built into anvil"},
	{"pickup", "cleanup", true, PROGRAM_MAIL, PROGRAM_LISTENS, "built into cleanup"},
	{"bounce", "cleanup", true, PROGRAM_MAIL, 0, "built into cleanup and qmgr"},
	{"oqmgr", "qmgr", false, PROGRAM_MAIL, QMGR, "the same as qmgr"},
	{"trivial-rewrite", "qmgr", true, PROGRAM_MAIL, 0, "built into cleanup and qmgr"},
	{"flush", "qmgr", true, PROGRAM_MAIL, PROGRAM_LISTENS, "built into qmgr"},
	{"showq", "qmgr", true, PROGRAM_MAIL, PROGRAM_LISTENS, "built into qmgr"},
	{"error", "qmgr", true, PROGRAM_MAIL, 0, "built into qmgr"},
	{"discard", "qmgr", true, PROGRAM_MAIL, 0, "built into qmgr"},
	{"postscreen", "smtpd", false, PROGRAM_NET, SMTPD,
		"built into smtpd, which serves this line"},
	{"dnsblog", NULL, true, PROGRAM_NET, 0, "built into smtpd"},
	{"tlsproxy", NULL, true, PROGRAM_NET, 0, "built into smtpd"},
	{"scache", NULL, true, PROGRAM_NET, 0, "not needed: smtp keeps connections itself"},
	{"tlsmgr", NULL, true, PROGRAM_NET, 0, "not needed: each process keeps its own TLS state"},
	{"postlogd", NULL, true, PROGRAM_MAIL, 0,
		"not needed: processes write maillog_file themselves"},
	{"nbdb_reindexd", NULL, true, PROGRAM_MAIL, 0, "not needed: hash: and btree: are native"},
	{"spawn", NULL, false, PROGRAM_MAIL, PROGRAM_MISSING, "not supported yet"},
	{"qmqpd", NULL, false, PROGRAM_NET, PROGRAM_MISSING, "not supported"},
};

static const struct {
	const char *asker, *target;
} connections[] = {
	{"smtpd", "cleanup"}, {"smtpd", "auth"}, {"smtpd", "anvil"}, {"smtpd", "proxymap"},
	{"cleanup", "qmgr"}, {"cleanup", "proxymap"},
	{"qmgr", "smtp"}, {"qmgr", "local"}, {"qmgr", "cleanup"}, {"qmgr", "proxymap"},
	{"smtp", "proxymap"}, {"local", "cleanup"}, {"local", "proxymap"},
	{"auth", "proxymap"}, {"imapd", "auth"}, {"imapd", "anvil"},
	{"pop3d", "auth"}, {"pop3d", "anvil"},
};

static const struct {
	const char *asker, *target;
	bool command;
} workers[] = {
	{"auth", "imapd", false}, {"auth", "pop3d", false},
	{"local", "local", false}, {"local", "local", true},
};

/* Rooms with one process for each uid, and the program of those. */
static const struct {
	const char *room, *file;
} worker_files[] = {
	{"imapd", "imapd-worker"}, {"pop3d", "pop3d-worker"}, {"local", "local-worker"},
};

/* A name that ends in '*' stands for all that begin so. */
static const struct {
	const char *room, *parameter;
} readable[] = {
	{"smtpd", "smtpd_tls_*"}, {"smtpd", "tls_server_*"},
	{"smtp", "smtp_tls_*"}, {"smtp", "lmtp_tls_*"},
	{"smtp", "smtp_sasl_password_maps"}, {"smtp", "lmtp_sasl_password_maps"},
	{"imapd", "imapd_tls_*"}, {"imapd", "smtpd_tls_*"},
	{"pop3d", "pop3d_tls_*"}, {"pop3d", "smtpd_tls_*"},
	/* local: uid and home of accounts that stand nowhere else. */
	{"auth", "auth_user_maps"}, {"local", "auth_user_maps"},
};

const struct program *program_at(size_t index)
{
	return index < sizeof programs / sizeof programs[0] ? &programs[index] : NULL;
}

const struct program *program_find(const char *name)
{
	for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
		if (strcmp(programs[i].name, name) == 0)
			return &programs[i];
	return NULL;
}

const char *program_file(const struct program *program, bool worker)
{
	if (!worker || program->room == NULL)
		return program->room;
	for (size_t i = 0; i < sizeof worker_files / sizeof worker_files[0]; i++)
		if (strcmp(worker_files[i].room, program->room) == 0)
			return worker_files[i].file;
	return NULL;
}

bool program_may_connect(const char *asker, const char *target)
{
	for (size_t i = 0; i < sizeof connections / sizeof connections[0]; i++)
		if (strcmp(connections[i].asker, asker) == 0 && strcmp(connections[i].target, target) == 0)
			return true;
	return false;
}

bool program_may_have_worker(const char *asker, const char *target, bool command)
{
	for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++)
		if (strcmp(workers[i].asker, asker) == 0 && strcmp(workers[i].target, target) == 0 &&
			workers[i].command == command)
			return true;
	return false;
}

static bool matches(const char *pattern, const char *name)
{
	size_t len = strlen(pattern);
	if (len > 0 && pattern[len - 1] == '*')
		return strncmp(pattern, name, len - 1) == 0;
	return strcmp(pattern, name) == 0;
}

bool program_may_read(const char *room, const char *parameter)
{
	for (size_t i = 0; i < sizeof readable / sizeof readable[0]; i++)
		if (strcmp(readable[i].room, room) == 0 && matches(readable[i].parameter, parameter))
			return true;
	return false;
}

const char *program_user_parameter(enum program_user user)
{
	switch (user) {
	case PROGRAM_NET:
		return "net_user";
	case PROGRAM_MAIL:
		return "mail_owner";
	case PROGRAM_AUTH:
		return "auth_user";
	case PROGRAM_MAP:
		return "map_user";
	case PROGRAM_USERS:
		break;
	}
	return "";
}
