/* See text.h.
 * SPDX-License-Identifier: ISC */
#include "map/text.h"

#include "base/ascii.h"
#include "conf/lines.h"
#include "map/map_private.h"

static const char *find_fault(const struct buf *line)
{
	if (line->overflow)
		return "the line is too long";
	if (memchr(line->ptr, '\0', line->len) != NULL)
		return "the line has a NUL byte";
	if (ascii_is_space(line->ptr[0]))
		return "logical line must not start with whitespace";
	return NULL;
}

/* Length of the word at the start of text; SIZE_MAX when a quote is left open. */
static size_t word_length(struct span text, const char *end_bytes)
{
	bool quoted = false;
	size_t i = 0;

	for (; i < text.len; i++) {
		char c = text.ptr[i];
		if (quoted && c == '\\' && i + 1 < text.len)
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (ascii_is_space(c) || strchr(end_bytes, c) != NULL))
			break;
	}
	return quoted ? SIZE_MAX : i;
}

static const char *parse_entry(
	struct span line, const struct map_text_visitor *visitor, unsigned number)
{
	size_t len = word_length(line, "");

	if (len == SIZE_MAX)
		return "unbalanced '\"'";
	struct span key = span_head(line, len), value = span_trim(span_skip(line, len));
	if (value.len == 0)
		return "expected format: key whitespace value";
	if (key.ptr[key.len - 1] == ':')
		visitor->warning(visitor->arg, number,
			"record is in \"key: value\" format; is this an alias file?");
	visitor->entry(visitor->arg, key, value, number);
	return NULL;
}

/* Every line that is not empty goes to parse, which says what is wrong with it or NULL. */
static void parse_lines(struct span text, const struct map_text_visitor *visitor,
	const char *(*parse)(struct span line, const struct map_text_visitor *visitor, unsigned number))
{
	struct buf line = BUF_INIT(MAP_LINE_MAX);
	struct lines lines;

	lines_init(&lines, text);
	while (lines_next(&lines, &line)) {
		const char *fault = find_fault(&line);
		if (fault == NULL)
			fault = parse(buf_span(&line), visitor, lines.first);
		if (fault != NULL)
			visitor->warning(visitor->arg, lines.first, fault);
	}
	buf_done(&line);
}

void map_text_parse(struct span text, const struct map_text_visitor *visitor)
{
	parse_lines(text, visitor, parse_entry);
}

/* --- aliases --- */

static void unquote(struct span name, struct buf *out)
{
	struct buf plain = BUF_INIT(MAP_KEY_MAX);

	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] == '"')
			continue;
		if (name.ptr[i] == '\\' && i + 1 < name.len)
			i++;
		buf_append_char(&plain, name.ptr[i]);
	}
	map_fold(buf_span(&plain), out);
	if (plain.overflow)
		out->overflow = true;
	buf_done(&plain);
}

/* Cuts the next value of a list at a comma outside quotes; false when a quote is left open. */
static bool next_value(struct span *rest, struct span *ret_value)
{
	bool quoted = false;
	size_t i = 0;

	for (; i < rest->len && (quoted || rest->ptr[i] != ','); i++) {
		if (rest->ptr[i] == '\\' && i + 1 < rest->len)
			i++;
		else if (rest->ptr[i] == '"')
			quoted = !quoted;
	}
	*ret_value = span_trim(span_head(*rest, i));
	*rest = span_skip(*rest, i + 1);
	return !quoted;
}

static const char *join_values(struct span rest, struct buf *out)
{
	while (rest.len > 0) {
		struct span value;
		if (!next_value(&rest, &value))
			return "unbalanced '\"'";
		if (value.len == 0)
			continue;
		if (out->len > 0)
			buf_append_cstr(out, ", ");
		buf_append(out, value);
	}
	return out->len == 0 ? "no values behind the name" : NULL;
}

static const char *parse_alias(
	struct span line, const struct map_text_visitor *visitor, unsigned number)
{
	struct buf name = BUF_INIT(MAP_KEY_MAX), values = BUF_INIT(MAP_LINE_MAX);
	size_t len = word_length(line, ":");
	const char *fault = NULL;

	struct span rest = len == SIZE_MAX ? SPAN_EMPTY : span_trim(span_skip(line, len));
	if (len == SIZE_MAX || len == 0 || rest.len == 0 || rest.ptr[0] != ':')
		fault = "need name:value pair";
	else
		unquote(span_head(line, len), &name);
	if (fault == NULL && (name.overflow || name.len == 0))
		fault = "bad alias name";
	if (fault == NULL)
		fault = join_values(span_skip(rest, 1), &values);
	if (fault == NULL)
		visitor->entry(visitor->arg, buf_span(&name), buf_span(&values), number);
	buf_done(&name);
	buf_done(&values);
	return fault;
}

void map_aliases_parse(struct span text, const struct map_text_visitor *visitor)
{
	parse_lines(text, visitor, parse_alias);
}
