/* See relation.h.
 * SPDX-License-Identifier: ISC */
#include "conf/relation.h"

#define LEVEL_PART_MAX 0xfffffu

bool relation_parse_level(struct span text, uint64_t *ret_level)
{
	uint64_t level = 0;
	struct span rest = text;

	for (int part = 0; part < 3; part++) {
		uint64_t number = 0;
		if (rest.ptr != NULL) {
			struct span digits = span_split(&rest, '.');
			if (!span_to_u64(digits, LEVEL_PART_MAX, &number))
				return false;
		}
		level = level << 20 | number;
	}
	if (rest.ptr != NULL)
		return false;
	*ret_level = level;
	return true;
}

static int compare_values(struct span left, struct span right)
{
	uint64_t a, b;

	if (span_to_u64(left, UINT64_MAX, &a) && span_to_u64(right, UINT64_MAX, &b))
		return a < b ? -1 : a > b;
	return span_compare(left, right);
}

bool relation_evaluate(struct span left, struct span word, struct span right, bool *ret_result)
{
	bool level = span_ends_with(word, SPAN("level"));
	uint64_t a, b;
	int order;

	if (level) {
		word = span_head(word, word.len - strlen("level"));
		if (!relation_parse_level(span_trim(left), &a) ||
			!relation_parse_level(span_trim(right), &b))
			return false;
		order = a < b ? -1 : a > b;
	} else {
		order = compare_values(left, right);
	}
	if (span_equal(word, SPAN("==")))
		*ret_result = order == 0;
	else if (span_equal(word, SPAN("!=")))
		*ret_result = order != 0;
	else if (span_equal(word, SPAN("<")))
		*ret_result = order < 0;
	else if (span_equal(word, SPAN("<=")))
		*ret_result = order <= 0;
	else if (span_equal(word, SPAN(">=")))
		*ret_result = order >= 0;
	else if (span_equal(word, SPAN(">")))
		*ret_result = order > 0;
	else
		return false;
	return true;
}
