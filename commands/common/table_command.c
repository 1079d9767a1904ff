/* Options, and the questions asked of existing tables: query, list, delete. Building is in
 * table_build.c.
 * SPDX-License-Identifier: ISC */
#include "commands/common/table_command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base64.h"
#include "commands/common/stderr_log.h"
#include "map/builder.h"
#include "map/map.h"

#define VALUE_MAX (1u << 20)

struct conf *table_command_load_conf(const char *dir)
{
	char *error = NULL;
	struct conf *conf;

	if (dir == NULL)
		dir = conf_default_dir();
	conf = conf_load(dir, "", NULL, 0, &error);
	if (conf == NULL)
		stderr_log_die("%s", error);
	return conf;
}

static struct map *open_map(const struct table_command *command, const char *spec)
{
	char *error = NULL;
	struct map *map = map_open(
		command->conf, spec, MAP_QUIET | (command->keep_case ? 0 : MAP_FOLD_FIXED), &error);

	if (map == NULL)
		stderr_log_die("%s", error);
	if (!map_is_available(map))
		stderr_log_die("%s", map_problem(map));
	return map;
}

/* --- -q --- */

static void append_decoded(const struct table_command *command, struct span value, struct buf *out)
{
	if (!command->files)
		buf_append(out, value);
	else if (!base64_decode(value, out))
		stderr_log_die("the value is not base64 text, as -F expects");
}

/* The first table that has the key prints it. */
static bool query_one(const struct table_command *command, struct map **maps, int count,
	struct span key, bool with_key)
{
	struct buf value = BUF_INIT(VALUE_MAX), plain = BUF_INIT(VALUE_MAX);
	enum map_result result = MAP_NOT_FOUND;

	for (int i = 0; i < count && result == MAP_NOT_FOUND; i++) {
		result = map_lookup(maps[i], key, &value);
		if (result == MAP_ERROR)
			stderr_log_die(
				"error reading %s: the table cannot be asked", map_spec(maps[i]));
	}
	if (result == MAP_FOUND) {
		append_decoded(command, buf_span(&value), &plain);
		if (with_key)
			printf("%.*s\t", (int)key.len, key.ptr);
		fwrite(plain.ptr, 1, plain.len, stdout);
		if (!command->files)
			putchar('\n');
	}
	buf_done(&value);
	buf_done(&plain);
	return result == MAP_FOUND;
}

/* One key per line of standard input, or the key itself. visit answers whether it did something. */
static bool each_key(
	const char *key, bool (*visit)(void *arg, struct span key, bool from_input), void *arg)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	bool any = false;

	if (strcmp(key, "-") != 0)
		return visit(arg, span_from_cstr(key), false);
	while ((len = getline(&line, &size, stdin)) > 0) {
		struct span text = span_new(line, (size_t)len);
		if (text.ptr[text.len - 1] == '\n')
			text.len--;
		if (visit(arg, text, true))
			any = true;
	}
	free(line);
	return any;
}

struct query {
	const struct table_command *command;
	struct map **maps;
	int count;
};

static bool visit_query(void *arg, struct span key, bool from_input)
{
	const struct query *query = arg;

	return query_one(query->command, query->maps, query->count, key, from_input);
}

static int run_query(const struct table_command *command, int count, char **specs)
{
	struct map **maps = calloc((size_t)count, sizeof *maps);
	struct query query = {command, maps, count};
	bool found;

	if (maps == NULL)
		stderr_log_die("out of memory");
	for (int i = 0; i < count; i++)
		maps[i] = open_map(command, specs[i]);
	found = each_key(command->query, visit_query, &query);
	for (int i = 0; i < count; i++)
		map_close(maps[i]);
	free(maps);
	return found ? 0 : 1;
}

/* --- -s --- */

static bool print_entry(void *arg, struct span key, struct span value)
{
	const struct table_command *command = arg;
	struct buf plain = BUF_INIT(VALUE_MAX);

	append_decoded(command, value, &plain);
	printf("%.*s%s\t", (int)key.len, key.ptr, command->aliases ? ":" : "");
	fwrite(plain.ptr, 1, plain.len, stdout);
	putchar('\n');
	buf_done(&plain);
	return true;
}

static int run_list(struct table_command *command, int count, char **specs)
{
	for (int i = 0; i < count; i++) {
		struct map *map = open_map(command, specs[i]);
		int result = map_each(map, print_entry, command);
		if (result == -ENOTSUP)
			stderr_log_die(
				"table %s: sequence operation is not supported", map_spec(map));
		if (result != 0)
			stderr_log_die("error reading %s: %s", map_spec(map), strerror(-result));
		map_close(map);
	}
	return 0;
}

/* --- -d --- */

struct removal {
	const struct table_command *command;
	struct map_builder *builder;
	const char *spec;
};

static bool visit_removal(void *arg, struct span key, bool from_input)
{
	const struct removal *removal = arg;
	struct buf folded = BUF_INIT(VALUE_MAX);
	int result;

	(void)from_input;
	if (removal->command->keep_case)
		buf_append(&folded, key);
	else
		map_fold(key, &folded);
	result = map_builder_delete(removal->builder, buf_span(&folded));
	buf_done(&folded);
	if (result != 0 && result != -ENOENT)
		stderr_log_die("delete from %s: %s", removal->spec, strerror(-result));
	return result == 0;
}

static const char *indexed_name(const struct table_command *command, const char *spec)
{
	struct span text = span_from_cstr(spec);
	size_t colon = span_find_char(text, ':');
	struct span type =
		colon == SIZE_MAX ? span_from_cstr(conf_get(command->conf, "default_database_type"))
				  : span_head(text, colon);

	if (!map_type_is_known(type))
		stderr_log_die("unsupported dictionary type: %.*s", SPAN_ARGS(type));
	if (!span_equal(type, SPAN("hash")) && !span_equal(type, SPAN("btree")) &&
		!span_equal(type, SPAN("lmdb")))
		return NULL;
	return colon == SIZE_MAX ? spec : spec + colon + 1;
}

static int run_remove(const struct table_command *command, int count, char **specs)
{
	bool any = false;

	for (int i = 0; i < count; i++) {
		const char *name = indexed_name(command, specs[i]);
		char *error = NULL;
		if (name == NULL)
			stderr_log_die("table %s: delete operation is not supported", specs[i]);
		map_close(open_map(command, specs[i])); /* it must be there */
		struct removal removal = {command, NULL, specs[i]};
		removal.builder = table_command_open_builder(command, name, true, 0);
		if (!each_key(command->remove, visit_removal, &removal)) {
			map_builder_abort(removal.builder);
			continue;
		}
		any = true;
		if (!map_builder_commit(removal.builder, &error))
			stderr_log_die("%s", error);
		/* As Postfix does it: a key read from standard input goes out of every table, a
		 * single one out of the first that has it. */
		if (strcmp(command->remove, "-") != 0)
			break;
	}
	return any ? 0 : 1;
}

/* --- options --- */

static _Noreturn void usage(const struct table_command *command)
{
	stderr_log_die("usage: %s [%s] [-c config_dir] [-d key] [-q key] [map_type:]file...",
		command->program, command->aliases ? "-Nfinoprsuvw" : "-fFinNoprsuUvw");
}

static bool take_option(struct table_command *command, int option)
{
	switch (option) {
	case 'f':
		return command->keep_case = true;
	case 'F':
		return command->files = !command->aliases;
	case 'i':
		return command->update = true;
	case 'n': /* keys and values without NUL: our default */
		command->with_nul = false;
		return true;
	case 'N':
		return command->with_nul = true;
	case 'o':
		return command->keep_root = true;
	case 'p':
		return command->plain_mode = true;
	case 'r':
		return command->replace = true;
	case 's':
		return command->list = true;
	case 'u': /* UTF-8 is recognised, not announced */
	case 'U':
		return true;
	case 'v':
		log_set_level(LOG_LEVEL_DEBUG);
		return true;
	case 'w':
		return command->quiet = true;
	}
	return false;
}

int table_command_main(bool aliases, int argc, char **argv)
{
	struct table_command command = {
		.program = aliases ? "postalias" : "postmap", .aliases = aliases};
	const char *dir = NULL;
	int option, result = 0;

	stderr_log_open(command.program);
	while ((option = getopt(argc, argv, "+Nbc:d:fFhimnopq:rsuUvw")) > 0) {
		if (option == 'c')
			dir = optarg;
		else if (option == 'd')
			command.remove = optarg;
		else if (option == 'q')
			command.query = optarg;
		else if (strchr("bhm", option) != NULL)
			stderr_log_die(
				"option -%c (asking tables about a message's lines) is not supported",
				option);
		else if (!take_option(&command, option))
			usage(&command);
	}
	if ((command.query != NULL) + (command.remove != NULL) + command.list + command.update > 1)
		stderr_log_die("specify only one of -s -d -i or -q");
	command.conf = table_command_load_conf(dir);
	argc -= optind;
	argv += optind;
	if (command.query != NULL)
		result = argc == 0 ? 1 : run_query(&command, argc, argv);
	else if (command.remove != NULL)
		result = run_remove(&command, argc, argv);
	else if (command.list)
		result = run_list(&command, argc, argv);
	else if (argc == 0)
		usage(&command);
	else
		for (int i = 0; i < argc; i++)
			table_command_build(&command, argv[i]);
	conf_free(command.conf);
	if (fflush(stdout) != 0)
		stderr_log_die("write to standard output: %s", strerror(errno));
	return result;
}
