/* Making an indexed table from its text, or adding entries from standard input (-i).
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/memory.h"
#include "commands/common/stderr_log.h"
#include "commands/common/table_command.h"
#include "map/builder.h"
#include "map/map.h"
#include "map/text.h"
#include "sys/fd.h"

#define TEXT_MAX (256u << 20)
#define LINE_MAX_BYTES (4u << 20)

struct building {
	const struct table_command *command;
	struct map_builder *builder;
	const char *spec, *path; /* path: of the text, for messages */
};

static void warn_line(void *arg, unsigned line, const char *text)
{
	const struct building *building = arg;

	log_warning(NULL, "%s, line %u: %s", building->path, line, text);
}

/* -F: the value names files; what is stored is their content in base64, a newline between two. */
static bool read_files(
	const struct building *building, struct span names, unsigned line, struct buf *out)
{
	struct buf content = BUF_INIT(1u << 20);
	struct span name;
	bool ok = true;

	while (ok && span_token(&names, ", \t", &name)) {
		char *path = span_dup_cstr(name);
		int result;
		if (content.len > 0)
			buf_append_char(&content, '\n');
		result = table_command_read_file(path, &content);
		if (result != 0)
			log_warning(NULL, "%s, line %u: open %s: %s", building->path, line, path,
				strerror(-result));
		free(path);
		ok = result == 0;
	}
	if (ok)
		base64_encode(buf_span(&content), out);
	buf_wipe(&content);
	return ok;
}

static void put_entry(struct building *building, struct span key, struct span value, unsigned line)
{
	const struct table_command *command = building->command;
	int result = map_builder_put(building->builder, key, value, command->replace);

	if (result == -EEXIST) {
		if (!command->quiet)
			log_warning(NULL, "%s: duplicate entry: \"%.*s\"", building->spec,
				SPAN_ARGS(key));
	} else if (result == -ENAMETOOLONG || result == -EFBIG) {
		warn_line(building, line,
			result == -EFBIG ? "the value is too long -- ignoring this line"
					 : "the key is too long -- ignoring this line");
	} else if (result != 0) {
		map_builder_abort(building->builder);
		stderr_log_die("%s: %s", building->spec, strerror(-result));
	}
}

static void take_entry(void *arg, struct span key, struct span value, unsigned line)
{
	struct building *building = arg;
	struct buf folded = BUF_INIT(LINE_MAX_BYTES), content = BUF_INIT(2u << 20);

	if (building->command->aliases && span_find_char(key, '@') != SIZE_MAX)
		warn_line(arg, line, "name must be local");
	else if (!building->command->files)
		buf_append(&content, value);
	else if (!read_files(building, value, line, &content))
		key = SPAN_EMPTY;
	if (building->command->keep_case)
		buf_append(&folded, key);
	else
		map_fold(key, &folded);
	if (key.len > 0 && content.len + value.len > 0)
		put_entry(building, buf_span(&folded), buf_span(&content), line);
	buf_done(&folded);
	buf_done(&content);
}

int table_command_read_file(const char *path, struct buf *out)
{
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int result = fd_read_all(fd, out);
	close(fd);
	return result;
}

/* PRIV: a table's text that belongs to a person is processed with that person's rights. */
static void drop_root(const struct table_command *command, const struct stat *st)
{
	if (geteuid() != 0 || st->st_uid == 0 || command->keep_root)
		return;
	if (setgroups(1, &st->st_gid) != 0 || setegid(st->st_gid) != 0 || seteuid(st->st_uid) != 0)
		stderr_log_die(
			"set privileges to the owner of the input file: %s", strerror(errno));
}

static void regain_root(void)
{
	if (getuid() == 0 && geteuid() != 0 && (seteuid(0) != 0 || setegid(getgid()) != 0))
		stderr_log_die("set privileges: %s", strerror(errno));
}

struct map_builder *table_command_open_builder(
	const struct table_command *command, const char *name, bool update, uint64_t text_size)
{
	mode_t mask = umask(0), mode = 0644 & ~mask;
	struct map_builder *builder;
	char *error = NULL;
	struct stat st;

	umask(mask);
	/* The rights and, below, the owner are those of the text. */
	if (stat(name, &st) == 0) {
		if (!command->plain_mode)
			mode = st.st_mode & 0666;
		drop_root(command, &st);
	}
	builder = map_builder_open(name, mode, text_size, update, &error);
	if (builder == NULL)
		stderr_log_die("%s", error);
	map_builder_set_nul(builder, command->with_nul);
	return builder;
}

static const char *split_spec(const struct table_command *command, const char *spec)
{
	struct span text = span_from_cstr(spec), type;
	size_t colon = span_find_char(text, ':');

	type = colon == SIZE_MAX ? span_from_cstr(conf_get(command->conf, "default_database_type"))
				 : span_head(text, colon);
	if (!map_type_is_known(type))
		stderr_log_die("unsupported dictionary type: %.*s", SPAN_ARGS(type));
	if (!span_equal(type, SPAN("hash")) && !span_equal(type, SPAN("btree")) &&
		!span_equal(type, SPAN("lmdb")))
		stderr_log_die(
			"unsupported dictionary type: %.*s does not support bulk-mode creation.",
			SPAN_ARGS(type));
	return colon == SIZE_MAX ? spec : spec + colon + 1;
}

void table_command_build(const struct table_command *command, const char *spec)
{
	const char *name = split_spec(command, spec);
	struct building building = {command, NULL, spec, command->update ? "stdin" : name};
	struct map_text_visitor visitor = {&building, take_entry, warn_line};
	struct buf text = BUF_INIT(TEXT_MAX), full = BUF_INIT(8192);
	struct stat st;
	char *error = NULL;
	int result;

	if (stat(name, &st) == 0)
		drop_root(command, &st);
	result = table_command_read_file(command->update ? "-" : name, &text);
	if (result != 0)
		stderr_log_die("open %s: %s", building.path, strerror(-result));
	if (name == spec)
		buf_append_format(&full, "%s:", conf_get(command->conf, "default_database_type"));
	buf_append_cstr(&full, spec);
	building.spec = buf_cstr(&full);
	building.builder = table_command_open_builder(command, name, command->update, text.len);
	if (command->aliases)
		map_aliases_parse(buf_span(&text), &visitor);
	else
		map_text_parse(buf_span(&text), &visitor);
	if (!map_builder_commit(building.builder, &error))
		stderr_log_die("%s", error);
	regain_root();
	buf_done(&text);
	buf_done(&full);
}
