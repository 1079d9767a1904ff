/* See pattern.h.
 * SPDX-License-Identifier: ISC */
#include "commands/postconf/pattern.h"

bool pattern_parse(const char *text, size_t max, bool with_value, struct pattern *ret_pattern)
{
	struct span rest = span_from_cstr(text);
	struct pattern pattern = {.text = text, .value = {NULL, 0}};
	size_t equals = with_value ? span_find_char(rest, '=') : SIZE_MAX;

	if (equals != SIZE_MAX) {
		pattern.value = span_trim(span_skip(rest, equals + 1));
		rest = span_trim(span_head(rest, equals));
	}
	while (rest.ptr != NULL) {
		if (pattern.count == max)
			return false;
		pattern.parts[pattern.count++] = span_split(&rest, '/');
	}
	*ret_pattern = pattern;
	return true;
}

bool pattern_part_fits(const struct pattern *pattern, size_t index, const char *text)
{
	return index >= pattern->count || span_equal(pattern->parts[index], SPAN("*")) ||
	       span_equal(pattern->parts[index], span_from_cstr(text));
}

bool pattern_fits(const struct pattern *pattern, const struct master_service *service)
{
	return pattern_part_fits(pattern, 0, service->name) &&
	       pattern_part_fits(pattern, 1, master_type_name(service->type));
}
