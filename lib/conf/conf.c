/* See conf.h: which value a name has, and where it came from.
 * SPDX-License-Identifier: ISC */
#include "conf/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/table.h"
#include "conf/conf_private.h"
#include "conf/expand.h"
#include "conf/main_cf.h"
#include "conf/parameter.h"

#define VALUE_MAX (1u << 20) /* bytes of one expanded value */
#define COMPUTE_DEPTH_MAX 8  /* computed defaults that ask for computed defaults */

const char *conf_default_dir(void)
{
	const char *dir = secure_getenv("MAIL_CONFIG");

	if (dir != NULL && dir[0] != '\0')
		return dir;
	return access("/etc/postfix/main.cf", F_OK) == 0 ? "/etc/postfix" : "/etc/tambo";
}

static void free_value(void *value)
{
	struct conf_value *v = value;

	free(v->text);
	free(v);
}

static void conf_set(struct conf *conf, struct span name, struct span text, unsigned line)
{
	struct conf_value *value = NEW(struct conf_value);

	value->text = span_dup_cstr(text);
	value->line = line;
	value = table_put(&conf->values, name, value);
	if (value != NULL)
		free_value(value);
}

static void keep_entry(void *arg, struct span name, struct span value, unsigned line)
{
	conf_set(arg, name, value, line);
}

static void tell_warning(void *arg, unsigned line, const char *text)
{
	struct conf *conf = arg;

	log_warning(NULL, "%s, line %u: %s", conf->path, line, text);
}

static struct conf *conf_new(const char *dir, const char *service)
{
	struct conf *conf = NEW(struct conf);
	struct buf path = BUF_INIT(4096 + 16);

	table_init(&conf->values);
	table_init(&conf->expanded);
	table_init(&conf->computed);
	conf->dir = memory_dup_cstr(dir != NULL ? dir : conf_default_dir());
	conf->service = memory_dup_cstr(service != NULL ? service : "");
	buf_append_format(&path, "%s/main.cf", conf->dir);
	conf->path = buf_steal(&path);
	return conf;
}

/* What the sandbox would forbid later is found out now: names, interfaces, /etc/mailname. */
static void settle(struct conf *conf)
{
	static const char *const early[] = {"myhostname", "mydomain", "mynetworks", "myorigin",
		"daemon_directory", "command_directory", "mail_owner"};

	for (size_t i = 0; i < sizeof early / sizeof early[0]; i++)
		conf_get(conf, early[i]);
}

static struct conf *conf_build(struct conf *conf, struct span text,
	const struct conf_override *overrides, size_t override_count, char **ret_error)
{
	struct main_cf_visitor visitor = {conf, keep_entry, tell_warning};
	struct buf error = BUF_INIT(4096);

	buf_append_format(&error, "%s, ", conf->path);
	if (!main_cf_parse(text, &visitor, &error)) {
		*ret_error = buf_steal(&error);
		conf_free(conf);
		return NULL;
	}
	buf_done(&error);
	for (size_t i = 0; i < override_count; i++)
		conf_set(conf, span_from_cstr(overrides[i].name),
			span_from_cstr(overrides[i].value), 0);
	settle(conf);
	return conf;
}

struct conf *conf_load(const char *dir, const char *service, const struct conf_override *overrides,
	size_t override_count, char **ret_error)
{
	struct conf *conf = conf_new(dir, service);
	struct buf text = BUF_INIT(MAIN_CF_MAX), error = BUF_INIT(4096);
	int result = conf_read_file(conf->path, &text);

	if (result != 0) {
		buf_append_format(&error, "open %s: %s", conf->path, strerror(-result));
		*ret_error = buf_steal(&error);
		conf_free(conf);
		conf = NULL;
	} else {
		conf = conf_build(conf, buf_span(&text), overrides, override_count, ret_error);
	}
	buf_done(&text);
	return conf;
}

struct conf *conf_parse(const char *dir, const char *service, struct span text, char **ret_error)
{
	return conf_build(conf_new(dir, service), text, NULL, 0, ret_error);
}

void conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	table_done(&conf->values, free_value);
	table_done(&conf->expanded, free);
	table_done(&conf->computed, free);
	free(conf->dir);
	free(conf->path);
	free(conf->service);
	free(conf);
}

const char *conf_dir(const struct conf *conf)
{
	return conf->dir;
}

const char *conf_service(const struct conf *conf)
{
	return conf->service;
}

size_t conf_error_count(const struct conf *conf)
{
	return conf->errors;
}

static struct conf_value *find_value(const struct conf *conf, struct span name)
{
	return table_get(&conf->values, name);
}

bool conf_is_set(struct conf *conf, const char *name)
{
	return find_value(conf, span_from_cstr(name)) != NULL;
}

void conf_complain(struct conf *conf, const char *name, const char *value, const char *problem)
{
	const struct conf_value *set = find_value(conf, span_from_cstr(name));

	conf->errors++;
	if (set == NULL)
		log_error(NULL, "%s: %s: %s = %s (its default)", conf->path, problem, name, value);
	else if (set->line == 0)
		log_error(NULL, "master.cf, service %s: %s: -o %s=%s", conf->service, problem, name,
			value);
	else
		log_error(NULL, "%s, line %u: %s: %s = %s", conf->path, set->line, problem, name,
			value);
}

static const char *computed_default(struct conf *conf, const struct parameter *parameter)
{
	struct span name = span_from_cstr(parameter->name);
	char *text = table_get(&conf->computed, name);

	if (text != NULL)
		return text;
	/* "mydomain = $myhostname" and its like: what asks for itself is empty. */
	if (conf->compute_depth >= COMPUTE_DEPTH_MAX)
		return "";
	conf->compute_depth++;
	text = parameter_compute(parameter->compute, conf);
	conf->compute_depth--;
	char *old = table_put(&conf->computed, name, text);
	free(old);
	return text;
}

const char *conf_default(struct conf *conf, struct span name)
{
	const struct parameter *parameter = parameter_find(name);
	const struct parameter_rule *rule;

	if (parameter != NULL)
		return parameter->compute != COMPUTE_NOTHING ? computed_default(conf, parameter)
							     : parameter_text(parameter);
	rule = parameter_rule_find(name);
	return rule != NULL ? rule->text : NULL;
}

static const char *raw_value(struct conf *conf, struct span name)
{
	const struct conf_value *value = find_value(conf, name);

	return value != NULL ? value->text : conf_default(conf, name);
}

const char *conf_get_raw(struct conf *conf, const char *name)
{
	return raw_value(conf, span_from_cstr(name));
}

static const char *lookup_name(void *arg, struct span name)
{
	return raw_value(arg, name);
}

/* Heap string; what cannot be expanded is told and becomes "". */
static char *expand_value(struct conf *conf, const char *name, const char *text)
{
	struct expand_source source = {lookup_name, conf, false};
	struct buf out = BUF_INIT(VALUE_MAX), error = BUF_INIT(1000);

	if (!expand(span_from_cstr(text), &source, &out, &error)) {
		conf_complain(conf, name, text, buf_cstr(&error));
		buf_reset(&out);
	}
	buf_done(&error);
	return buf_steal(&out);
}

char *conf_expand(struct conf *conf, const char *text)
{
	return expand_value(conf, "text", text);
}

/* myorigin = /etc/mailname: the first line of that file, as Debian's Postfix does. */
static char *first_line(struct conf *conf, char *path_take)
{
	struct buf text = BUF_INIT(1u << 16);
	int result = conf_read_file(path_take, &text);
	struct span line = SPAN_EMPTY;

	if (result == 0) {
		struct span rest = buf_span(&text);
		line = span_trim(span_split(&rest, '\n'));
	}
	if (line.len == 0)
		conf_complain(conf, "myorigin", path_take,
			result != 0 ? strerror(-result) : "the file has no first line");
	char *origin =
		line.len == 0 ? memory_dup_cstr(conf_get(conf, "myhostname")) : span_dup_cstr(line);
	buf_done(&text);
	free(path_take);
	return origin;
}

const char *conf_get(struct conf *conf, const char *name)
{
	struct span key = span_from_cstr(name);
	char *value = table_get(&conf->expanded, key);
	const struct parameter *parameter;
	const char *raw;

	if (value != NULL)
		return value;
	raw = raw_value(conf, key);
	if (raw == NULL)
		return NULL;
	parameter = parameter_find(key);
	value = parameter != NULL && parameter->raw ? memory_dup_cstr(raw)
						    : expand_value(conf, name, raw);
	if (value[0] == '/' && strcmp(name, "myorigin") == 0)
		value = first_line(conf, value);
	char *old = table_put(&conf->expanded, key, value);
	free(old);
	return value;
}
