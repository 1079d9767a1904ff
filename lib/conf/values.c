/* See values.h.
 * SPDX-License-Identifier: ISC */
#include "conf/values.h"

#include "base/ascii.h"

bool value_parse_bool(struct span text, bool *ret_value)
{
	bool yes = span_equal_nocase(text, SPAN("yes"));

	if (!yes && !span_equal_nocase(text, SPAN("no")))
		return false;
	*ret_value = yes;
	return true;
}

static int64_t unit_seconds(char unit)
{
	switch (ascii_lower(unit)) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 7 * 86400;
	}
	return 0;
}

bool value_parse_time(struct span text, char default_unit, int64_t *ret_milliseconds)
{
	char unit = default_unit;
	uint64_t number;

	if (text.len > 0 && ascii_is_alpha(text.ptr[text.len - 1])) {
		unit = text.ptr[text.len - 1];
		text = span_head(text, text.len - 1);
	}
	/* The limit keeps the product in range and is some 70 years, even in weeks. */
	if (unit_seconds(unit) == 0 || !span_to_u64(text, INT32_MAX, &number))
		return false;
	*ret_milliseconds = (int64_t)number * unit_seconds(unit) * 1000;
	return true;
}

bool value_parse_size(struct span text, int64_t *ret_bytes)
{
	unsigned shift = 0;
	uint64_t number;

	if (text.len > 0 && ascii_is_alpha(text.ptr[text.len - 1])) {
		char unit = ascii_lower(text.ptr[text.len - 1]);
		shift = unit == 'k' ? 10 : unit == 'm' ? 20 : unit == 'g' ? 30 : 0;
		if (shift == 0)
			return false;
		text = span_head(text, text.len - 1);
	}
	if (!span_to_u64(text, (uint64_t)INT64_MAX >> shift, &number))
		return false;
	*ret_bytes = (int64_t)(number << shift);
	return true;
}
