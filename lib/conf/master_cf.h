/* master.cf: the services, one logical line each (postfix's master(5): eight columns, then the
 * arguments of the program). The same name and type again replaces the line before.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CONF_MASTER_CF_H
#define TAMBO_CONF_MASTER_CF_H

#include "conf/conf.h"

#define MASTER_CF_MAX (1u << 20)      /* bytes of the file */
#define MASTER_CF_SERVICES_MAX 10000u /* lines */

enum master_type {
	MASTER_INET,
	MASTER_UNIX,
	MASTER_UNIX_DGRAM,
	MASTER_FIFO,
	MASTER_PASS,
};

/* Columns as written; "-" stands for the default. */
enum master_column {
	MASTER_COLUMN_SERVICE,
	MASTER_COLUMN_TYPE,
	MASTER_COLUMN_PRIVATE,
	MASTER_COLUMN_UNPRIV,
	MASTER_COLUMN_CHROOT,
	MASTER_COLUMN_WAKEUP,
	MASTER_COLUMN_MAXPROC,
	MASTER_COLUMN_COMMAND,
	MASTER_COLUMN_COUNT,
};

struct master_service {
	char *columns[MASTER_COLUMN_COUNT];
	const char *name;    /* columns[0]: of an inet service "[host:]port" */
	const char *program; /* columns[7] */
	enum master_type type;
	bool is_private;   /* default y; inet services are never private */
	bool unprivileged; /* default y: runs as mail_owner or another account without rights */
	char chroot;	   /* 'y', 'n' or '-': by compatibility_level, see master_service_chroot */
	int64_t wakeup;	   /* seconds between wake-ups, 0: none */
	bool wakeup_if_used;   /* "?": only once the service was used */
	int64_t process_limit; /* 0: none; -1: default_process_limit */
	char **args;	       /* behind the program, outer braces removed; ends with NULL */
	bool *arg_braced;      /* args[i] was written within braces */
	size_t arg_count;
	struct conf_override *overrides; /* from -o in args */
	size_t override_count;
	size_t operands;  /* index in args of the first that is no option (of pipe: flags=...) */
	unsigned verbose; /* -v, how often */
	bool debug;	  /* -D */
	unsigned line;
};

struct master_cf {
	struct master_service *services;
	size_t count;
};

/* NULL and *ret_error (free it; names file and line) when unusable. */
struct master_cf *master_cf_load(const char *dir, char **ret_error);
struct master_cf *master_cf_parse(struct span text, const char *path, char **ret_error);
void master_cf_free(struct master_cf *master_cf);

/* NULL when there is none. */
const struct master_service *master_cf_find(
	const struct master_cf *master_cf, const char *name, enum master_type type);
const char *master_type_name(enum master_type type);

#endif
