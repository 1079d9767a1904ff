/* The text forms of typed values: yes/no, numbers, sizes, times. Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CONF_VALUES_H
#define TAMBO_CONF_VALUES_H

#include "base/span.h"

/* "yes" or "no", in any case of letters. */
bool value_parse_bool(struct span text, bool *ret_value);
/* A number with its unit (s, m, h, d, w; without one: default_unit). Milliseconds. */
bool value_parse_time(struct span text, char default_unit, int64_t *ret_milliseconds);
/* A number of bytes, maybe with k, m or g (powers of 1024). */
bool value_parse_size(struct span text, int64_t *ret_bytes);

#endif
