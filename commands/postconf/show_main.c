/* Printing parameters: "name = value", all or some.
 * SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "commands/common/stderr_log.h"
#include "commands/postconf/postconf.h"
#include "conf/main_cf.h"
#include "conf/parameter.h"

#define LINE_WIDTH 80u
#define INDENT 4u

void format_value(
	const struct options *options, const char *name, struct span value, struct buf *out)
{
	size_t column = 0;
	struct span word;

	if (!options->hide_names) {
		buf_append_format(out, options->hide_values ? "%s" : "%s =", name);
		column = out->len;
	}
	if (options->hide_values)
		return;
	while (span_token(&value, " \t\r\n", &word)) {
		if (column > INDENT && options->fold && column + 1 + word.len >= LINE_WIDTH) {
			buf_append_cstr(out, "\n    ");
			column = INDENT;
		} else if (column > 0) {
			buf_append_char(out, ' ');
			column++;
		}
		buf_append(out, word);
		column += word.len;
	}
}

static void print_value(const struct database *database, const char *name)
{
	struct buf out = BUF_INIT(4u << 20);
	const char *raw = conf_get_raw(database->conf, name);
	const struct parameter *parameter = parameter_find(span_from_cstr(name));
	char *value;

	if (raw == NULL)
		raw = "";
	if (database->options->expand && (parameter == NULL || !parameter->raw))
		value = conf_expand(database->conf, raw);
	else
		value = memory_dup_cstr(raw);
	format_value(database->options, name, span_from_cstr(value), &out);
	puts(buf_cstr(&out));
	buf_done(&out);
	free(value);
}

static int compare_names(const void *a, const void *b)
{
	const char *const *left = a, *const *right = b;

	return strcmp(*left, *right);
}

struct listing {
	const struct database *database;
	char **names;
	size_t count;
};

/* config_directory counts as set when somebody chose it: with -c or by the environment. */
static bool is_set(const struct database *database, const char *name)
{
	return conf_is_set(database->conf, name) ||
	       (database->options->dir_given && strcmp(name, "config_directory") == 0);
}

static bool add_to_listing(struct span name, void *value, void *arg)
{
	struct listing *listing = arg;
	const struct options *options = listing->database->options;
	char *copy;

	if (((unsigned)(uintptr_t)value & options->classes) == 0)
		return true;
	copy = span_dup_cstr(name);
	/* A user's name without a value here is one that some service's -o alone sets. */
	if ((options->only_set && !is_set(listing->database, copy)) ||
		conf_get_raw(listing->database->conf, copy) == NULL) {
		free(copy);
		return true;
	}
	listing->names[listing->count++] = copy;
	return true;
}

static void print_all(struct database *database)
{
	struct listing listing = {.database = database};

	listing.names = memory_zalloc(database->names.count, sizeof *listing.names);
	table_each(&database->names, add_to_listing, &listing);
	qsort(listing.names, listing.count, sizeof *listing.names, compare_names);
	for (size_t i = 0; i < listing.count; i++) {
		print_value(database, listing.names[i]);
		free(listing.names[i]);
	}
	free(listing.names);
}

static void print_one(struct database *database, const char *name)
{
	unsigned class = database_class(database, span_from_cstr(name));

	if (class == 0 || conf_get_raw(database->conf, name) == NULL)
		log_warning(NULL, "%s: unknown parameter", name);
	else if (!database->options->only_set || is_set(database, name))
		print_value(database, name);
}

int show_main(struct database *database, int count, char **names)
{
	if (count == 0)
		print_all(database);
	for (int i = 0; i < count; i++)
		print_one(database, names[i]);
	return database->options->expand && conf_error_count(database->conf) > 0 ? 1 : 0;
}
