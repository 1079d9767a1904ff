/* Printing master.cf: whole lines (-M), single columns (-F), overrides (-P).
 * SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "commands/common/stderr_log.h"
#include "commands/postconf/fields.h"
#include "commands/postconf/master_line.h"
#include "commands/postconf/pattern.h"
#include "commands/postconf/postconf.h"

#define TEXT_MAX (4u << 20)

/* Prints what fits one service; answers whether anything did. */
typedef bool show_fn(
	struct database *database, struct master_line *line, const struct pattern *pattern);

static struct conf *load_service_conf(
	const struct database *database, const struct master_service *service)
{
	char *error = NULL;
	struct conf *conf = conf_load(database->options->dir, service->name, service->overrides,
		service->override_count, &error);

	if (conf == NULL)
		stderr_log_die("%s", error);
	return conf;
}

static bool show_pattern(struct database *database, const struct pattern *pattern, show_fn *show)
{
	bool any = false;

	for (size_t i = 0; i < database->master->count; i++) {
		const struct master_service *service = &database->master->services[i];
		struct master_line line;
		if (!pattern_fits(pattern, service))
			continue;
		master_line_init(&line, service);
		if (database->options->expand) {
			struct conf *conf = load_service_conf(database, service);
			master_line_expand(&line, conf);
			conf_free(conf);
		}
		if (show(database, &line, pattern))
			any = true;
		master_line_done(&line);
	}
	return any;
}

static int show_patterns(struct database *database, int count, char **texts, size_t parts,
	const char *usage, show_fn *show)
{
	static char all[] = "*";
	char *everything[] = {all};

	if (count == 0) {
		texts = everything;
		count = 1;
	}
	for (int i = 0; i < count; i++) {
		struct pattern pattern;
		if (!pattern_parse(texts[i], parts, false, &pattern) || pattern.parts[0].len == 0)
			stderr_log_die("%s", usage);
		if (!show_pattern(database, &pattern, show) && texts != everything)
			log_warning(NULL, "unmatched request: \"%s\"", texts[i]);
	}
	return 0;
}

static bool show_line(
	struct database *database, struct master_line *line, const struct pattern *pattern)
{
	struct buf out = BUF_INIT(TEXT_MAX);

	(void)pattern;
	master_line_format(line, database->options->fold, &out);
	puts(buf_cstr(&out));
	buf_done(&out);
	return true;
}

int show_master(struct database *database, int count, char **patterns)
{
	return show_patterns(
		database, count, patterns, 2, "-M option requires service_name[/type]", show_line);
}

static void print_item(const struct database *database, const struct master_line *line,
	const char *item, struct span value)
{
	struct buf name = BUF_INIT(TEXT_MAX), out = BUF_INIT(TEXT_MAX);

	buf_append_format(&name, "%s/%s/%s", line->service->name,
		master_type_name(line->service->type), item);
	format_value(database->options, buf_cstr(&name), value, &out);
	puts(buf_cstr(&out));
	buf_done(&name);
	buf_done(&out);
}

static bool show_field(
	struct database *database, struct master_line *line, const struct pattern *pattern)
{
	bool any = false;

	for (size_t i = 0; i < MASTER_COLUMN_COUNT; i++) {
		struct buf value = BUF_INIT(TEXT_MAX);
		if (!pattern_part_fits(pattern, 2, field_names[i]))
			continue;
		if (i == MASTER_COLUMN_COMMAND)
			master_line_format_command(line, &value);
		else
			buf_append_cstr(&value, line->service->columns[i]);
		print_item(database, line, field_names[i], buf_span(&value));
		buf_done(&value);
		any = true;
	}
	return any;
}

int show_fields(struct database *database, int count, char **patterns)
{
	return show_patterns(database, count, patterns, 3,
		"-F option requires service_name[/type[/field]]", show_field);
}

static int compare_words(const void *a, const void *b)
{
	const struct master_word *left = a, *right = b;

	return strcmp(left->value, right->value);
}

static bool show_override(
	struct database *database, struct master_line *line, const struct pattern *pattern)
{
	struct master_word *sorted = memory_zalloc(line->count + 1, sizeof *sorted);
	size_t count = 0;
	bool any = false;

	for (size_t i = 0; i < line->count; i++) {
		if (line->words[i].value != NULL && strcmp(line->words[i].text, "-o") == 0)
			sorted[count++] = line->words[i];
	}
	qsort(sorted, count, sizeof *sorted, compare_words);
	for (size_t i = 0; i < count; i++) {
		struct span rest = span_from_cstr(sorted[i].value);
		char *name = span_dup_cstr(span_split(&rest, '='));
		/* Of the same name twice the last one is in force. */
		if (pattern_part_fits(pattern, 2, name) &&
			master_line_get(line, name) == strchr(sorted[i].value, '=') + 1) {
			print_item(database, line, name, rest);
			any = true;
		}
		free(name);
	}
	free(sorted);
	return any;
}

int show_parameters(struct database *database, int count, char **patterns)
{
	return show_patterns(database, count, patterns, 3,
		"-P option requires service_name[/type[/parameter]]", show_override);
}
