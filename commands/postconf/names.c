/* Which names mean something: those of the tables, those made from the names of master.cf's
 * transports, and those of the administrator, as long as something refers to them.
 * SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "commands/common/stderr_log.h"
#include "commands/common/table_command.h"
#include "commands/postconf/postconf.h"
#include "conf/expand.h"
#include "conf/main_cf.h"
#include "conf/parameter.h"

#define FILE_MAX (4u << 20)

static char *join_path(const char *dir, const char *name)
{
	struct buf path = BUF_INIT(8192);

	buf_append_format(&path, "%s/%s", dir, name);
	return buf_steal(&path);
}

/* --- the files --- */

static void take_entry(void *arg, struct span name, struct span value, unsigned line)
{
	struct database *database = arg;

	for (size_t i = 0; i < database->entry_count; i++) {
		struct entry *known = &database->entries[i];
		if (!span_equal(name, span_from_cstr(known->name)))
			continue;
		log_warning(NULL, "%s, line %u: overriding earlier entry: %s=%s",
			database->main_path, line, known->name, known->value);
		free(known->value);
		known->value = span_dup_cstr(value);
		known->line = line;
		return;
	}
	database->entries = memory_resize(
		database->entries, database->entry_count + 1, sizeof *database->entries);
	database->entries[database->entry_count++] =
		(struct entry){span_dup_cstr(name), span_dup_cstr(value), line};
}

static void load_main(struct database *database)
{
	struct main_cf_visitor visitor = {database, take_entry, NULL};
	struct buf text = BUF_INIT(FILE_MAX), error = BUF_INIT(4096);
	int result = table_command_read_file(database->main_path, &text);

	if (result != 0)
		stderr_log_die("open %s: %s", database->main_path, strerror(-result));
	if (!main_cf_parse(buf_span(&text), &visitor, &error))
		stderr_log_die("%s, %s", database->main_path, buf_cstr(&error));
	for (size_t i = 0; i < database->options->override_count; i++) {
		const struct conf_override *override = &database->options->overrides[i];
		for (size_t k = 0; k < database->entry_count; k++) {
			if (strcmp(database->entries[k].name, override->name) != 0)
				continue;
			free(database->entries[k].value);
			database->entries[k].value = memory_dup_cstr(override->value);
		}
	}
	buf_done(&text);
	buf_done(&error);
}

static struct conf *load_conf(const struct options *options)
{
	char *error = NULL;
	struct conf *conf;

	if (options->defaults)
		conf = conf_parse(options->dir, "", SPAN(""), &error);
	else
		conf = conf_load(
			options->dir, "", options->overrides, options->override_count, &error);
	if (conf == NULL)
		stderr_log_die("%s", error);
	return conf;
}

static void load_master(struct database *database)
{
	char *error = NULL;

	database->master = master_cf_load(database->options->dir, &error);
	if (database->master == NULL && database->options->subject != SUBJECT_MAIN)
		stderr_log_die("%s", error);
	if (database->master == NULL)
		log_warning(NULL, "%s", error);
	free(error);
}

/* --- names --- */

unsigned database_class(const struct database *database, struct span name)
{
	return (unsigned)(uintptr_t)table_get(&database->names, name);
}

static void add_name(struct database *database, struct span name, enum class class)
{
	if (database_class(database, name) == 0)
		table_put(&database->names, name, (void *)(uintptr_t) class);
}

static bool is_word_of(const char *words, const char *word)
{
	struct span rest = span_from_cstr(words), next;

	while (span_token(&rest, " ", &next)) {
		if (span_equal(next, span_from_cstr(word)))
			return true;
	}
	return false;
}

static void add_service_names(struct database *database, const struct master_service *service)
{
	bool is_transport = is_word_of("smtp lmtp local virtual pipe error", service->program);
	bool is_command = is_word_of("pipe spawn", service->program);

	if (service->type == MASTER_INET && !is_command)
		return;
	for (size_t i = 0; i < parameter_rule_count; i++) {
		struct buf name = BUF_INIT(1000);
		bool wanted = strcmp(parameter_rules[i].suffix, "_time_limit") == 0 ? is_command
			      : strcmp(parameter_rules[i].suffix, "_delivery_status_filter") == 0
				      ? false
				      : is_transport;
		buf_append_format(&name, "%s%s", service->name, parameter_rules[i].suffix);
		if (wanted)
			add_name(database, buf_span(&name), CLASS_SERVICE);
		buf_done(&name);
	}
}

struct references {
	struct database *database;
	struct table names; /* referred to by some value */
};

static void refer(void *arg, struct span name)
{
	struct references *references = arg;

	table_put(&references->names, name, references);
}

static void scan_words(struct references *references, const char *value)
{
	struct span rest = span_from_cstr(value), word;

	while (span_token(&rest, ", \t\r\n", &word))
		refer(references, word);
}

/* Names of older days: "ldap:people" in a value makes people_search_base and its like mean
 * something. */
static bool is_source_parameter(const struct database *database, struct span name)
{
	static const char *const types[] = {
		"ldap:", "mysql:", "pgsql:", "sqlite:", "memcache:", "mongodb:"};

	for (size_t i = 0; i < database->entry_count; i++) {
		struct span rest = span_from_cstr(database->entries[i].value), word;
		while (span_token(&rest, ", \t{}", &word)) {
			if (span_starts_with(word, SPAN("proxy:")))
				word = span_skip(word, 6);
			for (size_t k = 0; k < sizeof types / sizeof types[0]; k++) {
				struct span type = span_from_cstr(types[k]);
				struct span source = span_skip(word, type.len);
				if (span_starts_with(word, type) && source.len > 0 &&
					source.ptr[0] != '/' && span_starts_with(name, source) &&
					name.len > source.len && name.ptr[source.len] == '_')
					return true;
			}
		}
	}
	return false;
}

static void scan_values(struct references *references)
{
	struct database *database = references->database;
	size_t count;
	const struct parameter *const *rows = parameter_sorted(&count);

	for (size_t i = 0; i < count; i++) {
		if (!rows[i]->raw)
			expand_names(span_from_cstr(parameter_text(rows[i])), refer, references);
	}
	for (size_t i = 0; i < database->entry_count; i++) {
		expand_names(span_from_cstr(database->entries[i].value), refer, references);
		if (strcmp(database->entries[i].name, "smtpd_restriction_classes") == 0)
			scan_words(references, database->entries[i].value);
	}
	for (size_t i = 0; database->master != NULL && i < database->master->count; i++) {
		const struct master_service *service = &database->master->services[i];
		for (size_t k = 0; k < service->override_count; k++)
			expand_names(
				span_from_cstr(service->overrides[k].value), refer, references);
	}
}

static void add_user_names(struct database *database)
{
	struct references references = {.database = database};

	table_init(&references.names);
	scan_values(&references);
	for (size_t i = 0; i < database->entry_count; i++) {
		struct span name = span_from_cstr(database->entries[i].name);
		if (table_get(&references.names, name) != NULL ||
			is_source_parameter(database, name))
			add_name(database, name, CLASS_USER);
	}
	/* A name that only -o sets means something where another value refers to it. */
	for (size_t i = 0; database->master != NULL && i < database->master->count; i++) {
		const struct master_service *service = &database->master->services[i];
		for (size_t k = 0; k < service->override_count; k++) {
			struct span name = span_from_cstr(service->overrides[k].name);
			if (table_get(&references.names, name) != NULL)
				add_name(database, name, CLASS_USER);
		}
	}
	table_done(&references.names, NULL);
}

void database_load(struct database *database, const struct options *options)
{
	size_t count;
	const struct parameter *const *rows = parameter_sorted(&count);

	*database = (struct database){.options = options};
	database->main_path = join_path(options->dir, "main.cf");
	database->master_path = join_path(options->dir, "master.cf");
	table_init(&database->names);
	if (!options->defaults)
		load_main(database);
	database->conf = load_conf(options);
	load_master(database);
	for (size_t i = 0; i < count; i++)
		add_name(database, span_from_cstr(rows[i]->name), CLASS_BUILTIN);
	for (size_t i = 0; database->master != NULL && i < database->master->count; i++)
		add_service_names(database, &database->master->services[i]);
	if (!options->defaults)
		add_user_names(database);
}

/* --- warnings --- */

struct undefined {
	const struct database *database;
	const char *path;
	struct table told;
};

static void tell_undefined(void *arg, struct span name)
{
	struct undefined *undefined = arg;

	if (database_class(undefined->database, name) != 0 ||
		table_put(&undefined->told, name, undefined) != NULL)
		return;
	log_warning(NULL, "%s: undefined parameter: %.*s", undefined->path, SPAN_ARGS(name));
}

static bool is_raw(const char *name)
{
	const struct parameter *parameter = parameter_find(span_from_cstr(name));

	return parameter != NULL && parameter->raw;
}

void database_warn_undefined(const struct database *database)
{
	struct undefined undefined = {.database = database, .path = database->main_path};

	table_init(&undefined.told);
	for (size_t i = 0; i < database->entry_count; i++) {
		const struct entry *entry = &database->entries[i];
		if (database_class(database, span_from_cstr(entry->name)) != 0 &&
			!is_raw(entry->name))
			expand_names(span_from_cstr(entry->value), tell_undefined, &undefined);
	}
	undefined.path = database->master_path;
	for (size_t i = 0; database->master != NULL && i < database->master->count; i++) {
		const struct master_service *service = &database->master->services[i];
		for (size_t k = 0; k < service->override_count; k++) {
			if (!is_raw(service->overrides[k].name))
				expand_names(span_from_cstr(service->overrides[k].value),
					tell_undefined, &undefined);
		}
	}
	table_done(&undefined.told, NULL);
}

void database_warn_unused(const struct database *database)
{
	bool both = database->options->subject == SUBJECT_MAIN;

	fflush(stdout);
	for (size_t i = 0; both && i < database->entry_count; i++) {
		const struct entry *entry = &database->entries[i];
		if (database_class(database, span_from_cstr(entry->name)) == 0)
			log_warning(NULL, "%s: unused parameter: %s=%s", database->main_path,
				entry->name, entry->value);
	}
	for (size_t i = 0; database->master != NULL && i < database->master->count; i++) {
		const struct master_service *service = &database->master->services[i];
		for (size_t k = 0; k < service->override_count; k++) {
			const struct conf_override *override = &service->overrides[k];
			if (database_class(database, span_from_cstr(override->name)) == 0)
				log_warning(NULL, "%s: unused parameter: %s=%s",
					database->master_path, override->name, override->value);
		}
	}
}
