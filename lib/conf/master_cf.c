/* See master_cf.h.
 * SPDX-License-Identifier: ISC */
#include "conf/master_cf.h"

#include <errno.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/memory.h"
#include "conf/conf_private.h"
#include "conf/lines.h"
#include "conf/main_cf.h"

#define ARGS_MAX 1000u

static const char *const type_names[] = {
	[MASTER_INET] = "inet",
	[MASTER_UNIX] = "unix",
	[MASTER_UNIX_DGRAM] = "unix-dgram",
	[MASTER_FIFO] = "fifo",
	[MASTER_PASS] = "pass",
};

const char *master_type_name(enum master_type type)
{
	return type_names[type];
}

static void service_done(struct master_service *service)
{
	for (size_t i = 0; i < MASTER_COLUMN_COUNT; i++)
		free(service->columns[i]);
	for (size_t i = 0; i < service->arg_count; i++)
		free(service->args[i]);
	for (size_t i = 0; i < service->override_count; i++) {
		free((char *)(uintptr_t)service->overrides[i].name);
		free((char *)(uintptr_t)service->overrides[i].value);
	}
	free(service->args);
	free(service->arg_braced);
	free(service->overrides);
}

void master_cf_free(struct master_cf *master_cf)
{
	if (master_cf == NULL)
		return;
	for (size_t i = 0; i < master_cf->count; i++)
		service_done(&master_cf->services[i]);
	free(master_cf->services);
	free(master_cf);
}

/* --- one word: "text", "{ text with blanks }", "name={ text with blanks }" --- */

/* Length of a word: white space within braces belongs to it; an open brace lasts to the end. */
static size_t word_length(struct span rest)
{
	size_t len = 0, level = 0;

	for (; len < rest.len && (level > 0 || !ascii_is_space(rest.ptr[len])); len++) {
		if (rest.ptr[len] == '{')
			level++;
		else if (rest.ptr[len] == '}' && level > 0)
			level--;
	}
	return len;
}

/* NULL, or what is wrong. A word all within braces loses them and the white space inside their
 * ends. */
static const char *take_word(struct span *rest, struct span *ret_word, bool *ret_braced)
{
	size_t level = 0, close = 0;

	*rest = span_trim(*rest);
	struct span word = span_head(*rest, word_length(*rest));
	*rest = span_skip(*rest, word.len);
	*ret_braced = word.ptr[0] == '{';
	*ret_word = word;
	if (!*ret_braced)
		return NULL;
	for (; close < word.len; close++) {
		if (word.ptr[close] == '{')
			level++;
		else if (word.ptr[close] == '}' && --level == 0)
			break;
	}
	if (close == word.len)
		return "missing '}'";
	if (close + 1 < word.len)
		return "syntax error after '}'";
	*ret_word = span_trim(span_part(word, 1, word.len - 2));
	return NULL;
}

static const char *take_args(struct span rest, struct master_service *service)
{
	for (rest = span_trim(rest); rest.len > 0; rest = span_trim(rest)) {
		struct span word;
		bool braced;
		const char *problem = take_word(&rest, &word, &braced);
		if (problem != NULL)
			return problem;
		if (service->arg_count >= ARGS_MAX)
			return "too many arguments";
		size_t at = service->arg_count++;
		service->args = memory_resize(service->args, at + 2, sizeof *service->args);
		service->arg_braced =
			memory_resize(service->arg_braced, at + 1, sizeof *service->arg_braced);
		service->args[at] = span_dup_cstr(word);
		service->args[at + 1] = NULL;
		service->arg_braced[at] = braced;
	}
	return NULL;
}

/* --- options: -o name=value, -v, -D and those of the daemons --- */

static const char *take_override(struct master_service *service, const char *text)
{
	struct span name, value;
	const char *problem = NULL;

	if (!lines_split_name_value(span_from_cstr(text), &name, &value, &problem))
		return problem;
	service->overrides = memory_resize(
		service->overrides, service->override_count + 1, sizeof *service->overrides);
	service->overrides[service->override_count++] =
		(struct conf_override){span_dup_cstr(name), span_dup_cstr(value)};
	return NULL;
}

/* The letters of one word such as "-vo"; *i is the index of the word and moves when a letter takes
 * the next one. */
static const char *take_option(struct master_service *service, size_t *i)
{
	for (const char *letter = service->args[*i] + 1; *letter != '\0'; letter++) {
		const char *value = letter + 1;
		if (*letter == 'v')
			service->verbose++;
		else if (*letter == 'D')
			service->debug = true;
		if (strchr("oimnst", *letter) == NULL)
			continue;
		if (*value == '\0') {
			if (*i + 1 >= service->arg_count)
				return "an option at the end misses its value";
			value = service->args[++*i];
		}
		return *letter == 'o' ? take_override(service, value) : NULL;
	}
	return NULL;
}

static const char *take_options(struct master_service *service)
{
	size_t i = 0;
	const char *problem = NULL;

	for (; i < service->arg_count && problem == NULL; i++) {
		if (service->arg_braced[i] || service->args[i][0] != '-' ||
			service->args[i][1] == '\0')
			break;
		if (strcmp(service->args[i], "--") == 0) {
			i++;
			break;
		}
		problem = take_option(service, &i);
	}
	service->operands = i;
	return problem;
}

/* --- columns --- */

static const char *read_yes_no(const char *text, char *ret_value)
{
	if (strcmp(text, "y") != 0 && strcmp(text, "n") != 0 && strcmp(text, "-") != 0)
		return "expected y, n or -";
	*ret_value = text[0];
	return NULL;
}

static const char *read_numbers(struct master_service *service)
{
	struct span wakeup = span_from_cstr(service->columns[MASTER_COLUMN_WAKEUP]);
	struct span limit = span_from_cstr(service->columns[MASTER_COLUMN_MAXPROC]);
	uint64_t number = 0;

	if (span_ends_with(wakeup, SPAN("?"))) {
		service->wakeup_if_used = true;
		wakeup = span_head(wakeup, wakeup.len - 1);
	}
	if (!span_equal(wakeup, SPAN("-")) && !span_to_u64(wakeup, INT32_MAX, &number))
		return "bad wakeup time (column 6)";
	service->wakeup = (int64_t)number;
	service->process_limit = -1;
	if (!span_equal(limit, SPAN("-"))) {
		if (!span_to_u64(limit, INT32_MAX, &number))
			return "bad process limit (column 7)";
		service->process_limit = (int64_t)number;
	}
	return NULL;
}

static const char *read_columns(struct master_service *service)
{
	char private_text = '-', unpriv_text = '-';
	const char *problem;
	size_t type = 0;

	while (type < ARRAY_LEN(type_names) &&
		strcmp(type_names[type], service->columns[MASTER_COLUMN_TYPE]) != 0)
		type++;
	if (type == ARRAY_LEN(type_names))
		return "bad service type (inet, unix, unix-dgram, fifo or pass)";
	service->type = (enum master_type)type;
	service->name = service->columns[MASTER_COLUMN_SERVICE];
	service->program = service->columns[MASTER_COLUMN_COMMAND];
	problem = read_yes_no(service->columns[MASTER_COLUMN_PRIVATE], &private_text);
	if (problem == NULL)
		problem = read_yes_no(service->columns[MASTER_COLUMN_UNPRIV], &unpriv_text);
	if (problem == NULL)
		problem = read_yes_no(service->columns[MASTER_COLUMN_CHROOT], &service->chroot);
	if (problem != NULL)
		return problem;
	service->is_private = private_text != 'n' && service->type != MASTER_INET;
	service->unprivileged = unpriv_text != 'n';
	if (service->type == MASTER_INET && private_text == 'y')
		return "an inet service cannot be private";
	if (strchr(service->program, '/') != NULL)
		return "the program must be a name without '/'";
	return read_numbers(service);
}

static const char *parse_service(struct span line, struct master_service *service)
{
	const char *problem;

	for (size_t i = 0; i < MASTER_COLUMN_COUNT; i++) {
		struct span word;
		if (!span_token(&line, " \t\r\n", &word))
			return "missing columns: name type private unpriv chroot wakeup maxproc command";
		service->columns[i] = span_dup_cstr(word);
	}
	problem = read_columns(service);
	if (problem == NULL)
		problem = take_args(line, service);
	return problem != NULL ? problem : take_options(service);
}

/* The last line of a name and type wins, in the place of the first. */
static void keep_service(struct master_cf *master_cf, struct master_service *service_take)
{
	for (size_t i = 0; i < master_cf->count; i++) {
		struct master_service *known = &master_cf->services[i];
		if (known->type == service_take->type &&
			strcmp(known->name, service_take->name) == 0) {
			service_done(known);
			*known = *service_take;
			return;
		}
	}
	master_cf->services = memory_resize(
		master_cf->services, master_cf->count + 1, sizeof *master_cf->services);
	master_cf->services[master_cf->count++] = *service_take;
}

static const char *take_line(struct master_cf *master_cf, const struct buf *line, unsigned number)
{
	struct master_service service = {.line = number, .chroot = '-'};
	const char *problem = NULL;

	if (line->overflow)
		problem = "the line is too long";
	else if (memchr(line->ptr, '\0', line->len) != NULL)
		problem = "the line has a NUL byte";
	else if (ascii_is_space(line->ptr[0]))
		problem = "the first line of the file must not start with white space";
	else if (master_cf->count >= MASTER_CF_SERVICES_MAX)
		problem = "too many services";
	else
		problem = parse_service(buf_span(line), &service);
	if (problem != NULL)
		service_done(&service);
	else
		keep_service(master_cf, &service);
	return problem;
}

struct master_cf *master_cf_parse(struct span text, const char *path, char **ret_error)
{
	struct master_cf *master_cf = NEW(struct master_cf);
	struct buf line = BUF_INIT(MAIN_CF_LINE_MAX), error = BUF_INIT(1u << 16);
	struct lines lines;

	lines_init(&lines, text);
	while (lines_next(&lines, &line)) {
		const char *problem = take_line(master_cf, &line, lines.first);
		if (problem == NULL)
			continue;
		buf_append_format(&error, "%s, line %u: %s: \"%.*s\"", path, lines.first, problem,
			(int)(line.len > 100 ? 100 : line.len), line.ptr);
		*ret_error = buf_steal(&error);
		master_cf_free(master_cf);
		master_cf = NULL;
		break;
	}
	buf_done(&line);
	buf_done(&error);
	return master_cf;
}

struct master_cf *master_cf_load(const char *dir, char **ret_error)
{
	struct buf path = BUF_INIT(8192), text = BUF_INIT(MASTER_CF_MAX), error = BUF_INIT(16384);
	struct master_cf *master_cf = NULL;
	int result;

	buf_append_format(&path, "%s/master.cf", dir);
	result = conf_read_file(buf_cstr(&path), &text);
	if (result == 0) {
		master_cf = master_cf_parse(buf_span(&text), buf_cstr(&path), ret_error);
	} else {
		buf_append_format(&error, "open %s: %s", buf_cstr(&path), strerror(-result));
		*ret_error = buf_steal(&error);
	}
	buf_done(&path);
	buf_done(&text);
	return master_cf;
}

const struct master_service *master_cf_find(
	const struct master_cf *master_cf, const char *name, enum master_type type)
{
	for (size_t i = 0; i < master_cf->count; i++) {
		const struct master_service *service = &master_cf->services[i];
		if (service->type == type && strcmp(service->name, name) == 0)
			return service;
	}
	return NULL;
}
