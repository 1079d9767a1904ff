/* Requests such as "smtp/inet", "star/inet/chroot=n": parts between slashes, a star fits any.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_COMMANDS_POSTCONF_PATTERN_H
#define TAMBO_COMMANDS_POSTCONF_PATTERN_H

#include "base/span.h"
#include "conf/master_cf.h"

#define PATTERN_PARTS_MAX 3

struct pattern {
	struct span parts[PATTERN_PARTS_MAX];
	size_t count;
	struct span value; /* behind "="; ptr NULL: there is none */
	const char *text;
};

/* False when there are more parts than max. with_value: "=" ends the parts. */
bool pattern_parse(const char *text, size_t max, bool with_value, struct pattern *ret_pattern);
bool pattern_part_fits(const struct pattern *pattern, size_t index, const char *text);
/* Name and type; parts that are missing fit. */
bool pattern_fits(const struct pattern *pattern, const struct master_service *service);

#endif
