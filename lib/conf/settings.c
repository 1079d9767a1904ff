/* Typed reads, and the settings of a room.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "conf/conf_private.h"
#include "conf/parameter.h"
#include "conf/values.h"

/* One parameter and what a text must be for it. */
struct kind {
	enum parameter_type type;
	const struct parameter *parameter; /* NULL: by rule */
};

static bool find_kind(struct conf *conf, const char *name, struct kind *ret_kind)
{
	struct span key = span_from_cstr(name);
	const struct parameter_rule *rule;

	ret_kind->parameter = parameter_find(key);
	if (ret_kind->parameter != NULL) {
		ret_kind->type = ret_kind->parameter->type;
		return true;
	}
	rule = parameter_rule_find(key);
	if (rule == NULL) {
		log_error(NULL, "parameter %s has no row in the parameter tables", name);
		conf->errors++;
		return false;
	}
	ret_kind->type = rule->type;
	return true;
}

static bool in_range(const struct parameter *parameter, int64_t value)
{
	if (parameter == NULL || (parameter->min == 0 && parameter->max == 0))
		return true;
	return value >= parameter->min && (parameter->max == 0 || value <= parameter->max);
}

static bool parse_number(const struct kind *kind, const char *text, int64_t *ret_value)
{
	struct span value = span_trim(span_from_cstr(text));
	const struct parameter *parameter = kind->parameter;

	if (kind->type == PARAMETER_TIME) {
		char unit = parameter != NULL && parameter->unit != 0 ? parameter->unit : 's';
		return value_parse_time(value, unit, ret_value) &&
		       in_range(parameter, *ret_value / 1000);
	}
	if (kind->type == PARAMETER_SIZE)
		return value_parse_size(value, ret_value) && in_range(parameter, *ret_value);
	return span_to_i64(value, ret_value) && in_range(parameter, *ret_value);
}

/* The default, expanded: what an unusable value falls back to. */
static char *default_text(struct conf *conf, const char *name)
{
	const char *text = conf_default(conf, span_from_cstr(name));

	return conf_expand(conf, text != NULL ? text : "");
}

static int64_t read_number(struct conf *conf, const char *name, const char *problem)
{
	struct kind kind;
	int64_t value = 0;

	if (!find_kind(conf, name, &kind))
		return 0;
	const char *text = conf_get(conf, name);
	if (parse_number(&kind, text, &value))
		return value;
	conf_complain(conf, name, text, problem);
	char *fallback = default_text(conf, name);
	if (!parse_number(&kind, fallback, &value))
		value = 0;
	free(fallback);
	return value;
}

int64_t conf_get_int(struct conf *conf, const char *name)
{
	return read_number(conf, name, "bad numerical configuration");
}

int64_t conf_get_time(struct conf *conf, const char *name)
{
	return read_number(conf, name, "bad time configuration (a number with s, m, h, d or w)");
}

bool conf_get_bool(struct conf *conf, const char *name)
{
	struct kind kind;
	bool value = false;

	if (!find_kind(conf, name, &kind))
		return false;
	const char *text = conf_get(conf, name);
	if (value_parse_bool(span_trim(span_from_cstr(text)), &value))
		return value;
	conf_complain(conf, name, text, "bad boolean configuration (yes or no)");
	char *fallback = default_text(conf, name);
	value_parse_bool(span_trim(span_from_cstr(fallback)), &value);
	free(fallback);
	return value;
}

static const char *read_string(struct conf *conf, const char *name)
{
	struct kind kind;

	if (!find_kind(conf, name, &kind))
		return "";
	const char *text = conf_get(conf, name);
	if (kind.type == PARAMETER_ENUM &&
		!span_has_word(span_from_cstr(kind.parameter->words), span_trim(span_from_cstr(text)))) {
		struct buf problem = BUF_INIT(500);
		buf_append_format(
			&problem, "bad value, expected one of: %s", kind.parameter->words);
		conf_complain(conf, name, text, buf_cstr(&problem));
		buf_done(&problem);
	}
	return text;
}

bool conf_value_is_usable(struct conf *conf, const char *name)
{
	size_t errors = conf->errors;
	struct kind kind;

	if (!find_kind(conf, name, &kind))
		return false;
	switch (kind.type) {
	case PARAMETER_BOOL:
		conf_get_bool(conf, name);
		break;
	case PARAMETER_INT:
	case PARAMETER_SIZE:
	case PARAMETER_TIME:
		read_number(conf, name, "bad value");
		break;
	case PARAMETER_STRING:
	case PARAMETER_LIST:
	case PARAMETER_MAPS:
	case PARAMETER_PATH:
	case PARAMETER_ENUM:
		read_string(conf, name);
		break;
	}
	return conf->errors == errors;
}

static void read_one(
	struct conf *conf, const struct setting *setting, const char *name, char *target)
{
	switch (setting->kind) {
	case SETTING_STRING:
		*(const char **)(void *)target = read_string(conf, name);
		break;
	case SETTING_BOOL:
		*(bool *)(void *)target = conf_get_bool(conf, name);
		break;
	case SETTING_INT:
		*(int64_t *)(void *)target = conf_get_int(conf, name);
		break;
	case SETTING_TIME:
		*(int64_t *)(void *)target = conf_get_time(conf, name);
		break;
	}
}

int settings_read(struct conf *conf, const struct setting *settings, size_t count,
	const char *prefix, void *ret_settings)
{
	size_t errors = conf->errors;

	for (size_t i = 0; i < count; i++) {
		struct span name = span_from_cstr(settings[i].name);
		struct buf full = BUF_INIT(1000);
		if (span_starts_with(name, SPAN("%s"))) {
			CHECK(prefix != NULL);
			buf_append_cstr(&full, prefix);
			name = span_skip(name, 2);
		}
		buf_append(&full, name);
		read_one(conf, &settings[i], buf_cstr(&full),
			(char *)ret_settings + settings[i].offset);
		buf_done(&full);
	}
	return conf->errors == errors ? 0 : -EINVAL;
}
