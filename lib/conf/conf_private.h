/* The insides of struct conf, for the files of this layer only.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CONF_CONF_PRIVATE_H
#define TAMBO_CONF_CONF_PRIVATE_H

#include "base/buf.h"
#include "base/table.h"
#include "conf/conf.h"

struct conf_value {
	char *text;
	unsigned line; /* of main.cf; 0: an override */
};

struct conf {
	char *dir, *path, *service;
	struct table values;   /* name to struct conf_value, as written */
	struct table expanded; /* name to char *, filled on demand */
	struct table computed; /* name to char *: defaults that were computed */
	unsigned compute_depth;
	size_t errors;
};

/* Logs that a value is unusable, with its place, and counts it. */
void conf_complain(struct conf *conf, const char *name, const char *value, const char *problem);
/* True when the value of a parameter of the tables is what its type wants; else logged and counted.
 */
bool conf_value_is_usable(struct conf *conf, const char *name);
/* The whole file: 0 or -errno (-EFBIG past the cap of out). */
int conf_read_file(const char *path, struct buf *out);

#endif
