/* See main_cf.h.
 * SPDX-License-Identifier: ISC */
#include "conf/main_cf.h"

#include "base/ascii.h"
#include "conf/lines.h"

static void warn(const struct main_cf_visitor *visitor, unsigned line, struct span text)
{
	struct buf message = BUF_INIT(200);

	buf_append_format(&message, "logical line must not start with whitespace: \"%.*s%s\"",
		(int)(text.len > 30 ? 30 : text.len), text.ptr, text.len > 30 ? "..." : "");
	if (visitor->warning != NULL)
		visitor->warning(visitor->arg, line, buf_cstr(&message));
	buf_done(&message);
}

bool main_cf_parse(struct span text, const struct main_cf_visitor *visitor, struct buf *ret_error)
{
	struct buf line = BUF_INIT(MAIN_CF_LINE_MAX);
	struct lines lines;
	bool ok = text.len <= MAIN_CF_MAX;

	if (!ok)
		buf_append_cstr(ret_error, "the file is too large");
	lines_init(&lines, text);
	while (ok && lines_next(&lines, &line)) {
		struct span name, value;
		const char *problem = NULL;
		if (line.overflow)
			problem = "the line is too long";
		else if (memchr(line.ptr, '\0', line.len) != NULL)
			problem = "a NUL byte stands in";
		else if (ascii_is_space(line.ptr[0])) {
			warn(visitor, lines.first, buf_span(&line));
			continue;
		} else if (lines_split_name_value(buf_span(&line), &name, &value, &problem)) {
			visitor->entry(visitor->arg, name, value, lines.first);
			continue;
		}
		buf_append_format(ret_error, "line %u: %s: \"%.*s%s\"", lines.first, problem,
			(int)(line.len > 60 ? 60 : line.len), line.ptr, line.len > 60 ? "..." : "");
		ok = false;
	}
	buf_done(&line);
	return ok;
}
