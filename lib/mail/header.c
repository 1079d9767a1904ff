/* Reading the header of a message field by field. See header.h.
 * SPDX-License-Identifier: ISC */
#include "mail/header.h"

#include "base/ascii.h"

void header_reader_init(struct header_reader *reader, struct span input)
{
	*reader = (struct header_reader){.input = input};
}

/* Length of the line at offset with its line end. */
static size_t line_length(struct span input, size_t offset)
{
	struct span rest = span_skip(input, offset);
	size_t end = span_find_char(rest, '\n');
	return end == SIZE_MAX ? rest.len : end + 1;
}

static bool is_continuation(struct span input, size_t offset)
{
	return offset < input.len && (input.ptr[offset] == ' ' || input.ptr[offset] == '\t');
}

static struct span without_line_end(struct span line)
{
	if (line.len > 0 && line.ptr[line.len - 1] == '\n')
		line.len--;
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* The name at the beginning of a line; false when it is no field. */
static bool parse_name(struct span line, struct span *ret_name, size_t *ret_value_at)
{
	size_t end = 0;
	while (end < line.len && end <= HEADER_NAME_MAX && ascii_is_graph(line.ptr[end]) &&
		line.ptr[end] != ':')
		end++;
	size_t colon = end;
	while (colon < line.len && (line.ptr[colon] == ' ' || line.ptr[colon] == '\t'))
		colon++;
	if (end == 0 || end > HEADER_NAME_MAX || colon == line.len || line.ptr[colon] != ':')
		return false;
	*ret_name = span_head(line, end);
	*ret_value_at = colon + 1;
	return true;
}

bool header_line_is_field(struct span line)
{
	struct span name;
	size_t value_at;
	return parse_name(line, &name, &value_at);
}

enum header_result header_next(struct header_reader *reader, struct header_field *ret_field)
{
	struct span input = reader->input;
	size_t start = reader->offset;
	if (start >= input.len)
		return HEADER_END_OF_INPUT;
	size_t end = start + line_length(input, start);
	struct span line = without_line_end(span_part(input, start, end - start));
	/* A last line that is nothing but CR may be half of an empty line: then it is one. */
	if (line.len == 0) {
		reader->offset = end;
		return HEADER_END;
	}
	size_t value_at = 0;
	struct header_field field = {.name = SPAN_EMPTY};
	field.valid = parse_name(line, &field.name, &value_at);
	while (field.valid && is_continuation(input, end))
		end += line_length(input, end);
	field.raw = span_part(input, start, end - start);
	field.value = span_skip(without_line_end(field.raw), value_at);
	reader->offset = end;
	*ret_field = field;
	return HEADER_FIELD;
}

enum header_result header_next_named(
	struct header_reader *reader, struct span name, struct header_field *ret_field)
{
	while (reader->offset < reader->input.len) {
		struct span rest = span_skip(reader->input, reader->offset);
		bool ends = rest.ptr[0] == '\r' || rest.ptr[0] == '\n';
		if (!ends && !span_starts_with_nocase(rest, name)) {
			reader->offset += line_length(reader->input, reader->offset);
			continue;
		}
		enum header_result result = header_next(reader, ret_field);
		if (result != HEADER_FIELD)
			return result;
		if (ret_field->valid && span_equal_nocase(ret_field->name, name))
			return HEADER_FIELD;
	}
	return HEADER_END_OF_INPUT;
}

size_t header_length(struct span input)
{
	size_t offset = 0;
	while (offset < input.len) {
		size_t len = line_length(input, offset);
		struct span line = span_part(input, offset, len);
		offset += len;
		if (without_line_end(line).len == 0)
			break;
	}
	return offset;
}

bool header_find(struct span input, struct span name, struct header_field *ret_field)
{
	struct header_reader reader;
	struct header_field field;
	header_reader_init(&reader, input);
	if (header_next_named(&reader, name, &field) != HEADER_FIELD)
		return false;
	*ret_field = field;
	return true;
}

void header_unfold(struct span value, struct buf *out)
{
	value = span_trim(value);
	for (size_t i = 0; i < value.len; i++) {
		size_t skip = value.ptr[i] == '\r' && i + 1 < value.len && value.ptr[i + 1] == '\n' ? 2 :
			value.ptr[i] == '\n'						    ? 1 :
											      0;
		if (skip > 0 && is_continuation(value, i + skip))
			i += skip;
		buf_append_char(out, value.ptr[i]);
	}
}

void header_unfold_clean(struct span value, struct buf *out)
{
	size_t start = out->len;
	header_unfold(value, out);
	for (size_t i = start; i < out->len; i++)
		if (out->ptr[i] == '\r' || out->ptr[i] == '\n' || out->ptr[i] == '\0')
			out->ptr[i] = ' ';
}
