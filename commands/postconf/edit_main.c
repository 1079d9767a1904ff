/* Editing main.cf: name=value (-e), remove (-X), comment out (-#).
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/ascii.h"
#include "commands/common/stderr_log.h"
#include "commands/postconf/edit_file.h"
#include "commands/postconf/postconf.h"
#include "conf/lines.h"

#define TEXT_MAX (1u << 20)

static bool get_name(struct span line, struct buf *out)
{
	size_t len = 0;

	while (len < line.len && !ascii_is_space(line.ptr[len]) && line.ptr[len] != '=')
		len++;
	buf_append(out, span_head(line, len));
	return len > 0;
}

static void add_assignment(struct edit_list *list, const char *arg)
{
	struct span name, value;
	const char *problem = NULL;
	struct buf text = BUF_INIT(TEXT_MAX);

	if (!lines_split_name_value(span_from_cstr(arg), &name, &value, &problem))
		stderr_log_die("%s: \"%s\"", problem, arg);
	if (name.ptr[0] == '#')
		stderr_log_die("-e, -X, or -# accepts no comment input");
	buf_append(&text, name);
	buf_append_cstr(&text, " = ");
	buf_append(&text, value);
	if (text.overflow)
		stderr_log_die("the value of %.*s is too long", SPAN_ARGS(name));
	struct edit *edit = edit_list_add(list);
	edit->key = span_dup_cstr(name);
	edit->text = buf_steal(&text);
	edit->append = true;
}

static void add_name(struct edit_list *list, const char *arg, bool comment)
{
	struct span name = span_trim(span_from_cstr(arg));
	struct edit *edit;

	if (name.len == 0 || span_find_char(name, '=') != SIZE_MAX)
		stderr_log_die("-X or -# requires names without value");
	edit = edit_list_add(list);
	edit->key = span_dup_cstr(name);
	edit->comment = comment;
}

int edit_main(const struct options *options, int count, char **args)
{
	struct buf path = BUF_INIT(8192);
	struct edit_list list = {.get_key = get_name};

	buf_append_format(&path, "%s/main.cf", options->dir);
	list.path = buf_cstr(&path);
	for (int i = 0; i < count; i++) {
		if (strchr(args[i], '\n') != NULL)
			stderr_log_die("-e, -X, or -# accepts no multi-line input");
		if (options->action == ACTION_EDIT)
			add_assignment(&list, args[i]);
		else
			add_name(&list, args[i], options->action == ACTION_COMMENT);
	}
	edit_file(&list);
	edit_list_done(&list);
	buf_done(&path);
	return 0;
}
