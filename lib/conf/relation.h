/* Comparisons of main.cf: == != < <= >= > on numbers (both sides all digits) or else on text, and
 * the same followed by "level" on compatibility levels (major.minor.patch). Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CONF_RELATION_H
#define TAMBO_CONF_RELATION_H

#include "base/span.h"

/* False when the word is no operator, or a side of a level comparison is no level. */
bool relation_evaluate(struct span left, struct span word, struct span right, bool *ret_result);

/* "3.6" gives 3 << 40 | 6 << 20; false when it is no level. */
bool relation_parse_level(struct span text, uint64_t *ret_level);

#endif
