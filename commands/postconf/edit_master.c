/* Editing master.cf: whole entries (-Me, -MX, -M#), columns (-F), overrides (-P, -PX).
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/ascii.h"
#include "commands/common/stderr_log.h"
#include "commands/postconf/edit_file.h"
#include "commands/postconf/fields.h"
#include "commands/postconf/master_line.h"
#include "commands/postconf/pattern.h"
#include "commands/postconf/postconf.h"

#define TEXT_MAX (1u << 20)

static bool get_service(struct span line, struct buf *out)
{
	struct span name, type;

	if (!span_token(&line, " \t\r", &name) || !span_token(&line, " \t\r", &type))
		return false;
	buf_append(out, name);
	buf_append_char(out, '/');
	buf_append(out, type);
	return true;
}

static struct edit *add_edit(struct edit_list *list, const char *name, const char *type)
{
	struct buf key = BUF_INIT(TEXT_MAX);
	struct edit *edit = edit_list_add(list);

	buf_append_format(&key, "%s/%s", name, type);
	edit->key = buf_steal(&key);
	return edit;
}

static char *format(const struct master_line *line)
{
	struct buf out = BUF_INIT(TEXT_MAX);

	master_line_format(line, true, &out);
	if (out.overflow)
		stderr_log_die("the entry of %s is too long", line->service->name);
	return buf_steal(&out);
}

/* Text of one entry, checked. */
static struct master_cf *parse_entry(const char *text)
{
	char *error = NULL;
	struct master_cf *parsed = master_cf_parse(span_from_cstr(text), "the new entry", &error);

	if (parsed == NULL)
		stderr_log_die("%s", error);
	if (parsed->count != 1)
		stderr_log_die("\"%s\" is not one entry", text);
	return parsed;
}

/* --- -Me, -MX, -M# --- */

static void edit_entry(const struct options *options, struct edit_list *list, const char *arg)
{
	struct pattern pattern;
	bool is_set = options->action == ACTION_EDIT;

	if (!pattern_parse(arg, 2, is_set, &pattern) || pattern.count != 2 ||
		(is_set && pattern.value.ptr == NULL))
		stderr_log_die("-Me, -MX or -M# requires service_name/type");
	char *name = span_dup_cstr(pattern.parts[0]), *type = span_dup_cstr(pattern.parts[1]);
	struct edit *edit = add_edit(list, name, type);
	edit->comment = options->action == ACTION_COMMENT;
	if (is_set) {
		struct master_line line;
		struct master_cf *parsed = parse_entry(pattern.value.ptr);
		master_line_init(&line, &parsed->services[0]);
		edit->text = format(&line);
		edit->append = true;
		master_line_done(&line);
		master_cf_free(parsed);
	}
	free(name);
	free(type);
}

/* --- -F, -P --- */

static size_t find_field(struct span name)
{
	size_t i = 0;

	while (i < MASTER_COLUMN_COUNT && !span_equal(name, span_from_cstr(field_names[i])))
		i++;
	if (i == MASTER_COLUMN_COUNT)
		stderr_log_die("invalid service attribute name: \"%.*s\"", SPAN_ARGS(name));
	return i;
}

/* The service with one column changed, as text; the command's column takes the arguments along. */
static char *change_field(const struct master_service *service, size_t field, struct span value)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	struct master_line line;

	if (value.len == 0)
		stderr_log_die("empty value for %s", field_names[field]);
	master_line_init(&line, service);
	for (size_t i = 0; i < MASTER_COLUMN_COUNT; i++) {
		if (i == field)
			buf_append(&text, value);
		else if (i == MASTER_COLUMN_COMMAND)
			master_line_format_command(&line, &text);
		else
			buf_append_cstr(&text, service->columns[i]);
		buf_append_char(&text, ' ');
	}
	master_line_done(&line);
	struct master_cf *parsed = parse_entry(buf_cstr(&text));
	master_line_init(&line, &parsed->services[0]);
	char *result = format(&line);
	master_line_done(&line);
	master_cf_free(parsed);
	buf_done(&text);
	return result;
}

static char *change_override(
	const struct master_service *service, struct span name, struct span value)
{
	char *name_text = span_dup_cstr(name);
	char *value_text = value.ptr == NULL ? NULL : span_dup_cstr(value);
	struct master_line line;

	master_line_init(&line, service);
	master_line_set(&line, name_text, value_text);
	char *result = format(&line);
	master_line_done(&line);
	free(name_text);
	free(value_text);
	return result;
}

/* Several requests for one service add up: the next one starts from the text of the one before. */
static struct master_cf *current_text(
	const struct edit_list *list, const struct master_service *service)
{
	for (size_t i = list->count; i-- > 0;) {
		struct buf key = BUF_INIT(TEXT_MAX);
		buf_append_format(&key, "%s/%s", service->name, master_type_name(service->type));
		bool same = strcmp(buf_cstr(&key), list->edits[i].key) == 0;
		buf_done(&key);
		if (same)
			return parse_entry(list->edits[i].text);
	}
	return NULL;
}

static void change_service(const struct options *options, struct edit_list *list,
	const struct master_service *service, const struct pattern *pattern)
{
	struct master_cf *changed = current_text(list, service);
	const struct master_service *from = changed != NULL ? &changed->services[0] : service;
	struct edit *edit = add_edit(list, service->name, master_type_name(service->type));

	edit->text = options->subject == SUBJECT_FIELDS
			     ? change_field(from, find_field(pattern->parts[2]), pattern->value)
			     : change_override(from, pattern->parts[2], pattern->value);
	master_cf_free(changed);
}

static void check_override_value(const struct pattern *pattern)
{
	for (size_t i = 0; pattern->value.ptr != NULL && i < pattern->value.len; i++) {
		if (ascii_is_space(pattern->value.ptr[i]))
			stderr_log_die("-Pe does not accept whitespace in parameter value");
	}
}

static void change_services(const struct options *options, struct edit_list *list,
	const struct master_cf *master, const char *arg)
{
	struct pattern pattern;
	bool is_set = options->action == ACTION_EDIT, any = false;

	if (!pattern_parse(arg, 3, is_set, &pattern) || pattern.count != 3 ||
		(is_set && pattern.value.ptr == NULL)) {
		if (options->subject == SUBJECT_FIELDS)
			stderr_log_die("-Fe requires service_name/type/field_name");
		stderr_log_die("-Pe or -PX requires service_name/type/parameter");
	}
	if (options->subject == SUBJECT_PARAMETERS)
		check_override_value(&pattern);
	else
		find_field(pattern.parts[2]);
	for (size_t i = 0; i < master->count; i++) {
		if (!pattern_fits(&pattern, &master->services[i]))
			continue;
		change_service(options, list, &master->services[i], &pattern);
		any = true;
	}
	if (!any)
		log_warning(NULL, "unmatched service_name/type: \"%s\"", arg);
}

int edit_master(const struct options *options, int count, char **args)
{
	struct buf path = BUF_INIT(8192);
	struct edit_list list = {.get_key = get_service};
	char *error = NULL;
	struct master_cf *master = master_cf_load(options->dir, &error);

	/* Whole entries can be replaced or removed in a file that is otherwise broken. */
	if (master == NULL && options->subject != SUBJECT_MASTER)
		stderr_log_die("%s", error);
	buf_append_format(&path, "%s/master.cf", options->dir);
	list.path = buf_cstr(&path);
	for (int i = 0; i < count; i++) {
		if (strchr(args[i], '\n') != NULL)
			stderr_log_die("-e, -X, or -# accepts no multi-line input");
		if (options->subject == SUBJECT_MASTER)
			edit_entry(options, &list, args[i]);
		else
			change_services(options, &list, master, args[i]);
	}
	if (list.count > 0)
		edit_file(&list);
	edit_list_done(&list);
	master_cf_free(master);
	free(error);
	buf_done(&path);
	return 0;
}
