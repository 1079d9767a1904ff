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

struct parameter {
	const char *name;
	enum parameter_type type;
	const char *text; /* the default as written, may hold $names; NULL: compute */
	enum parameter_status status;
	const char *meaning;
	char *(*compute)(struct conf *conf); /* heap string, not expanded */
	int64_t min, max;		     /* both 0: any */
	char unit;			     /* 0: seconds */
	const char *words;		     /* PARAMETER_ENUM: "none may encrypt" */
	bool raw; /* the daemon expands it itself, with names of its own such as $home */
};

struct parameter_table {
	const char *topic;
	const struct parameter *rows;
	size_t count;
};

/* All topics, in the order of the manual page. */
extern const struct parameter_table *const parameter_tables[];
extern const size_t parameter_table_count;

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
