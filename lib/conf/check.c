/* What is wrong with a configuration as a whole: names that mean nothing, values that cannot be
 * used, settings that have no effect in this version. SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/memory.h"
#include "conf/conf_private.h"
#include "conf/expand.h"
#include "conf/master_cf.h"
#include "conf/parameter.h"
#include "conf/restriction.h"

struct check {
	struct conf *conf;
	struct table references; /* names that some value refers to */
	struct table classes;    /* names in smtpd_restriction_classes */
	void (*tell)(void *arg, bool is_error, const char *text);
	void *arg;
	size_t errors;
};

static void refer(void *arg, struct span name)
{
	struct check *check = arg;

	table_put(&check->references, name, check);
}

static bool scan_value(struct span name, void *value, void *arg)
{
	struct check *check = arg;
	const struct conf_value *set = value;

	expand_names(span_from_cstr(set->text), refer, check);
	if (span_equal(name, SPAN("smtpd_restriction_classes"))) {
		struct span rest = span_from_cstr(set->text), word;
		while (span_token(&rest, ", \t\r\n", &word)) {
			refer(check, word);
			table_put(&check->classes, word, check);
		}
	}
	return true;
}

static void tell(
	struct check *check, bool is_error, unsigned line, const char *text, struct span name)
{
	struct buf out = BUF_INIT(16384);

	if (line == 0)
		buf_append_format(
			&out, "service %s: %s: %.*s", check->conf->service, text, SPAN_ARGS(name));
	else
		buf_append_format(&out, "%s, line %u: %s: %.*s", check->conf->path, line, text,
			SPAN_ARGS(name));
	check->tell(check->arg, is_error, buf_cstr(&out));
	check->errors += is_error;
	buf_done(&out);
}

static bool is_known(const struct check *check, struct span name)
{
	return parameter_find(name) != NULL || parameter_rule_find(name) != NULL ||
	       table_get(&check->references, name) != NULL;
}

/* The first restriction that this version does not have; text: as written. */
static bool find_missing(const struct check *check, struct span list, const char *text,
	struct buf *out)
{
	if (!restriction_is_list(list) && table_get(&check->classes, list) == NULL)
		return false;
	char *expanded = conf_expand(check->conf, text);
	struct span rest = span_from_cstr(expanded), word;
	bool found = false, argument;
	while (!found && span_token(&rest, ", \t\r\n{}", &word)) {
		found = restriction_is_missing(word, &argument);
		if (found)
			buf_append_format(out, "%.*s is not supported yet (clients would be answered "
				"451) in", SPAN_ARGS(word));
	}
	free(expanded);
	return found;
}

static bool is_default(struct conf *conf, const char *name)
{
	const char *text = conf_default(conf, span_from_cstr(name));
	char *expanded = conf_expand(conf, text != NULL ? text : "");
	bool same = strcmp(expanded, conf_get(conf, name)) == 0;

	free(expanded);
	return same;
}

static bool check_value(struct span name, void *value, void *arg)
{
	struct check *check = arg;
	const struct conf_value *set = value;
	const struct parameter *parameter = parameter_find(name);
	char *text = span_dup_cstr(name);
	struct buf missing = BUF_INIT(1000);

	if (find_missing(check, name, set->text, &missing))
		tell(check, true, set->line, buf_cstr(&missing), name);
	buf_done(&missing);
	if (parameter == NULL && parameter_rule_find(name) == NULL) {
		if (!is_known(check, name))
			tell(check, false, set->line, "unused parameter", name);
	} else if (!conf_value_is_usable(check->conf, text)) {
		tell(check, true, set->line, "unusable value of parameter", name);
	} else if (parameter != NULL && parameter->status == PARAMETER_UNSUPPORTED &&
		   !is_default(check->conf, text)) {
		tell(check, false, set->line, "this version does not support parameter", name);
	}
	free(text);
	return true;
}

static void tell_override(struct check *check, const struct master_service *service,
	const char *name, const char *text, bool is_error)
{
	struct buf out = BUF_INIT(16384);

	buf_append_format(
		&out, "%s/master.cf, line %u: %s: %s", check->conf->dir, service->line, text, name);
	check->tell(check->arg, is_error, buf_cstr(&out));
	check->errors += is_error;
	buf_done(&out);
}

static void check_service(struct check *check, const struct master_service *service)
{
	for (size_t i = 0; i < service->override_count; i++) {
		const struct conf_override *override = &service->overrides[i];
		struct span name = span_from_cstr(override->name);
		const struct parameter *parameter = parameter_find(name);
		if (!is_known(check, name))
			tell_override(check, service, override->name, "unused parameter", false);
		else if (parameter != NULL && parameter->status == PARAMETER_UNSUPPORTED &&
			 override->value[0] != '\0')
			tell_override(check, service, override->name,
				"this version does not support parameter", false);
		struct buf missing = BUF_INIT(1000);
		if (find_missing(check, name, override->value, &missing))
			tell_override(check, service, override->name, buf_cstr(&missing), true);
		buf_done(&missing);
	}
}

static void scan_services(struct check *check, const struct master_cf *master_cf)
{
	for (size_t i = 0; i < master_cf->count; i++) {
		const struct master_service *service = &master_cf->services[i];
		for (size_t k = 0; k < service->override_count; k++)
			expand_names(span_from_cstr(service->overrides[k].value), refer, check);
	}
}

size_t conf_check(struct conf *conf, const struct master_cf *master_cf,
	void (*tell_fn)(void *arg, bool is_error, const char *text), void *arg)
{
	struct check check = {.conf = conf, .tell = tell_fn, .arg = arg};
	size_t count;
	const struct parameter *const *rows = parameter_sorted(&count);

	table_init(&check.references);
	table_init(&check.classes);
	for (size_t i = 0; i < count; i++) {
		if (!rows[i]->raw)
			expand_names(span_from_cstr(parameter_text(rows[i])), refer, &check);
	}
	table_each(&conf->values, scan_value, &check);
	if (master_cf != NULL)
		scan_services(&check, master_cf);
	table_each(&conf->values, check_value, &check);
	for (size_t i = 0; master_cf != NULL && i < master_cf->count; i++)
		check_service(&check, &master_cf->services[i]);
	table_done(&check.references, NULL);
	table_done(&check.classes, NULL);
	return check.errors;
}
