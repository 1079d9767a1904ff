/* See lines.h.
 * SPDX-License-Identifier: ISC */
#include "conf/lines.h"

#include "base/ascii.h"

void lines_init(struct lines *lines, struct span text)
{
	*lines = (struct lines){.rest = text, .next_number = 1, .start = text.ptr};
}

static struct span physical_line(struct lines *lines)
{
	size_t at = span_find_char(lines->rest, '\n');
	size_t len = at == SIZE_MAX ? lines->rest.len : at;
	struct span line = span_head(lines->rest, len);

	lines->rest = span_skip(lines->rest, at == SIZE_MAX ? len : len + 1);
	lines->next_number++;
	return line;
}

static bool is_blank_or_comment(struct span line)
{
	size_t i = 0;

	while (i < line.len && ascii_is_space(line.ptr[i]))
		i++;
	return i == line.len || line.ptr[i] == '#';
}

static bool continues(struct span rest)
{
	return rest.len > 0 && ascii_is_space(rest.ptr[0]) && rest.ptr[0] != '\n';
}

/* Skips comments; true when the next line that counts continues the current one. */
static bool find_continuation(struct lines *lines)
{
	while (lines->rest.len > 0) {
		struct lines saved = *lines;
		struct span line = physical_line(lines);
		if (is_blank_or_comment(line))
			continue;
		*lines = saved;
		return continues(saved.rest);
	}
	return false;
}

bool lines_next(struct lines *lines, struct buf *ret_line)
{
	struct span line = SPAN_EMPTY;

	buf_reset(ret_line);
	do {
		if (lines->rest.len == 0)
			return false;
		lines->first = lines->last = lines->next_number;
		lines->offset = (size_t)(lines->rest.ptr - lines->start);
		line = physical_line(lines);
	} while (is_blank_or_comment(line));
	buf_append(ret_line, line);
	lines->end = (size_t)(lines->rest.ptr - lines->start);
	while (find_continuation(lines)) {
		lines->last = lines->next_number;
		line = physical_line(lines);
		buf_append(ret_line, line);
		lines->end = (size_t)(lines->rest.ptr - lines->start);
	}
	while (ret_line->len > 0 && ascii_is_space(ret_line->ptr[ret_line->len - 1]))
		buf_truncate(ret_line, ret_line->len - 1);
	return true;
}

bool lines_split_name_value(
	struct span line, struct span *ret_name, struct span *ret_value, const char **ret_problem)
{
	size_t end = 0, i;

	line = span_trim(line);
	while (end < line.len && !ascii_is_space(line.ptr[end]) && line.ptr[end] != '=')
		end++;
	if (end == 0) {
		*ret_problem = "missing attribute name";
		return false;
	}
	for (i = end; i < line.len && ascii_is_space(line.ptr[i]);)
		i++;
	if (i == line.len || line.ptr[i] != '=') {
		*ret_problem = "missing '=' after attribute name";
		return false;
	}
	*ret_name = span_head(line, end);
	*ret_value = span_trim(span_skip(line, i + 1));
	return true;
}
