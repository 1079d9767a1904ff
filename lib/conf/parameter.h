/* Every parameter, once: name, type, default, range, what became of it here, one line of meaning.
 * postconf, the manual page main.cf(5), the checks and conf_get all read these tables. To add one,
 * add its row to the parameters_<topic>.c it belongs to.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CONF_PARAMETER_H
#define TAMBO_CONF_PARAMETER_H

#include "base/span.h"

struct conf;

enum parameter_type {
	PARAMETER_STRING,
	PARAMETER_BOOL,
	PARAMETER_INT,
	PARAMETER_SIZE, /* bytes; k, m, g may follow the number */
	PARAMETER_TIME, /* unit: of a number without one */
	PARAMETER_LIST, /* words or a match list */
	PARAMETER_MAPS, /* a list of type:table */
	PARAMETER_PATH,
	PARAMETER_ENUM, /* one of words */
};

enum parameter_status {
	PARAMETER_IMPLEMENTED,
	PARAMETER_ACCEPTED,    /* loads and prints; has no effect and needs none here */
	PARAMETER_UNSUPPORTED, /* loads and prints; setting it is worth a warning */
};

/* A default that is found on the host. */
enum parameter_compute {
	COMPUTE_NOTHING,
	COMPUTE_COMMAND_DIRECTORY,
	COMPUTE_CONFIG_DIRECTORY,
	COMPUTE_DAEMON_DIRECTORY,
	COMPUTE_MAIL_OWNER,
	COMPUTE_MAILQ_PATH,
	COMPUTE_MANPAGE_DIRECTORY,
	COMPUTE_MYDOMAIN,
	COMPUTE_MYHOSTNAME,
	COMPUTE_MYNETWORKS,
	COMPUTE_NEWALIASES_PATH,
	COMPUTE_PROCESS_ID,
	COMPUTE_PROCESS_NAME,
	COMPUTE_SENDMAIL_PATH,
	COMPUTE_SERVICE_NAME,
};

/* Arrays, not pointers: these would be relocated in each process, which has 100 KiB less of its own
 * so. */
struct parameter {
	char name[56];
	char text[112]; /* the default as written, may hold $names; see parameter_text */
	char meaning[104];
	char words[48];	       /* PARAMETER_ENUM: "none may encrypt" */
	const char *long_text; /* a default that is longer than text */
	enum parameter_type type;
	enum parameter_status status;
	enum parameter_compute compute;
	char unit; /* 0: seconds */
	bool raw;  /* the daemon expands it itself, with names of its own such as $home */
	int64_t min, max; /* both 0: any */
};

struct parameter_table {
	const char *topic;
	const struct parameter *rows;
	size_t count;
};

/* All topics, in the order of the manual page. */
extern const struct parameter_table *const parameter_tables[];
extern const size_t parameter_table_count;

/* The default as written; "" for one that is computed. */
const char *parameter_text(const struct parameter *parameter);
/* The default that is found on the host: a heap string, not expanded. */
char *parameter_compute(enum parameter_compute what, struct conf *conf);

/* NULL when no table has it. */
const struct parameter *parameter_find(struct span name);
/* All rows sorted by name; owned by this layer. */
const struct parameter *const *parameter_sorted(size_t *ret_count);

/* A name made from a transport's or service's, such as smtp_destination_rate_delay, that has no row
 * of its own: its default ("$default_destination_rate_delay") and type. False: not such a name. */
struct parameter_rule {
	const char *suffix; /* "_destination_rate_delay" */
	const char *text;
	enum parameter_type type;
	const char *meaning;
};
extern const struct parameter_rule parameter_rules[];
extern const size_t parameter_rule_count;
const struct parameter_rule *parameter_rule_find(struct span name);

#endif
