/* Restriction lists from main.cf: words separated by blanks and commas, "{ }" protects, some words
 * take the next one as their argument. Tables are opened here.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "conf/restriction.h"
#include "smtpd/policy_private.h"

#define STEPS_MAX 1000
#define CLASSES_MAX 200

static bool is_separator(char c)
{
	return c == ' ' || c == ',' || c == '\t' || c == '\r' || c == '\n';
}

/* The next word; blanks inside of braces belong to it, braces around the whole do not. */
static bool next_word(struct span *rest, struct span *ret_word)
{
	size_t start = 0, end, depth = 0;

	while (start < rest->len && is_separator(rest->ptr[start]))
		start++;
	if (start == rest->len)
		return false;
	for (end = start; end < rest->len; end++) {
		char c = rest->ptr[end];
		if (c == '{')
			depth++;
		else if (c == '}' && depth > 0)
			depth--;
		else if (depth == 0 && is_separator(c))
			break;
	}
	struct span word = span_part(*rest, start, end - start);
	*rest = span_skip(*rest, end);
	if (word.len >= 2 && word.ptr[0] == '{' && word.ptr[word.len - 1] == '}')
		word = span_trim(span_part(word, 1, word.len - 2));
	*ret_word = word;
	return true;
}

static int open_map(struct conf *conf, struct span spec, struct policy_step *step)
{
	char *text = span_dup_cstr(spec), *error = NULL;

	step->map = map_open(conf, text, MAP_FOLD_FIXED, &error);
	if (step->map == NULL)
		log_fatal(NULL, "%s: %s", step->name, error);
	free(error);
	free(text);
	return step->map == NULL ? -EINVAL : 0;
}

/* Reads the argument that the rule wants. A missing or bad one leaves a step that is answered with
 * a configuration error. */
static int parse_argument(struct conf *conf, struct span *rest, struct policy_step *step)
{
	struct span word;
	uint64_t number;

	if (step->rule->argument == ARGUMENT_NONE)
		return 0;
	if (!next_word(rest, &word)) {
		log_warning(NULL, "restriction %s: missing argument", step->name);
		step->rule = NULL;
		return 0;
	}
	if (step->rule->argument == ARGUMENT_NUMBER) {
		if (!span_to_u64(word, 3600, &number)) {
			log_warning(NULL, "restriction %s must be followed by number", step->name);
			step->rule = NULL;
			return 0;
		}
		step->number = (int64_t)number;
		return 0;
	}
	if (conf == NULL || span_find_char(word, ':') == SIZE_MAX) {
		log_warning(NULL, "restriction %s: bad argument \"%.*s\": need maptype:mapname",
			step->name, SPAN_ARGS(word));
		step->rule = NULL;
		return 0;
	}
	return open_map(conf, word, step);
}

static const struct policy_list *policy_class_find(const struct policy *policy, struct span name)
{
	for (size_t i = 0; i < policy->class_count; i++)
		if (span_equal(name, span_from_cstr(policy->classes[i].name)))
			return &policy->classes[i];
	return NULL;
}

static int parse_step(const struct policy *policy, struct conf *conf, enum policy_stage stage,
	struct span *rest, struct policy_step *step)
{
	struct span word = span_from_cstr(step->name);

	step->rule = policy_rule_find(word);
	if (step->rule != NULL)
		return parse_argument(conf, rest, step);
	step->nested = policy_class_find(policy, word);
	if (step->nested != NULL)
		return 0;
	size_t colon = span_find_char(word, ':');
	if (colon != SIZE_MAX && conf != NULL && policy_rule_for_table(stage) != NULL) {
		step->rule = policy_rule_for_table(stage);
		return open_map(conf, word, step);
	}
	bool argument;
	if (restriction_is_missing(word, &argument)) {
		log_warning(NULL, "smtpd restriction %s is not supported yet: where it stands, clients "
			"are answered 451", step->name);
		if (argument)
			(void)next_word(rest, &word);
		return 0;
	}
	log_warning(NULL, "unknown smtpd restriction: \"%s\"", step->name);
	return 0;
}

int policy_list_parse(const struct policy *policy, struct conf *conf, enum policy_stage stage,
	struct span text, struct policy_list *ret_list)
{
	struct span rest = text, word;
	bool warn = false;
	int rc = 0;

	while (rc == 0 && next_word(&rest, &word)) {
		if (span_equal_nocase(word, SPAN("warn_if_reject"))) {
			warn = true;
			continue;
		}
		if (ret_list->count == STEPS_MAX)
			return -E2BIG;
		ret_list->steps = memory_resize(ret_list->steps, ret_list->count + 1,
			sizeof(*ret_list->steps));
		struct policy_step *step = &ret_list->steps[ret_list->count++];
		*step = (struct policy_step){.name = span_dup_cstr(word), .warn = warn};
		warn = false;
		rc = parse_step(policy, conf, stage, &rest, step);
	}
	return rc;
}

void policy_list_done(struct policy_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->steps[i].name);
		if (list->steps[i].map != NULL)
			map_close(list->steps[i].map);
	}
	free(list->steps);
	free(list->name);
	*list = (struct policy_list){0};
}

static bool policy_list_guards_relay(const struct policy_list *list, unsigned depth)
{
	if (depth == POLICY_DEPTH_MAX)
		return false;
	for (size_t i = 0; i < list->count; i++) {
		const struct policy_step *step = &list->steps[i];
		if (step->warn)
			continue;
		if (step->rule != NULL && step->rule->guards_relay)
			return true;
		if (step->nested != NULL && policy_list_guards_relay(step->nested, depth + 1))
			return true;
	}
	return false;
}

/* smtpd_restriction_classes: the names first, so that classes can name each other. */
static int open_classes(struct policy *policy, struct server *server)
{
	struct span rest = span_from_cstr(server->settings.restriction_classes), word;
	int rc = 0;

	policy->classes = memory_zalloc(CLASSES_MAX, sizeof(*policy->classes));
	while (span_token(&rest, " ,\t\r\n", &word)) {
		if (policy->class_count == CLASSES_MAX)
			return -E2BIG;
		policy->classes[policy->class_count++].name = span_dup_cstr(word);
	}
	for (size_t i = 0; rc == 0 && i < policy->class_count; i++) {
		const char *text = conf_get(server->conf, policy->classes[i].name);
		if (text == NULL) {
			log_fatal(NULL, "restriction class `%s' needs a definition",
				policy->classes[i].name);
			return -EINVAL;
		}
		rc = policy_list_parse(policy, server->conf, STAGE_RECIPIENT, span_from_cstr(text),
			&policy->classes[i]);
	}
	return rc;
}

static int open_lists(struct policy *policy, struct server *server)
{
	const struct smtpd_settings *s = &server->settings;
	const struct {
		enum policy_stage stage;
		const char *name, *text;
	} lists[] = {
		{STAGE_CLIENT, "smtpd_client_restrictions", s->client_restrictions},
		{STAGE_HELO, "smtpd_helo_restrictions", s->helo_restrictions},
		{STAGE_SENDER, "smtpd_sender_restrictions", s->sender_restrictions},
		{STAGE_RELAY, "smtpd_relay_restrictions", s->relay_restrictions},
		{STAGE_RECIPIENT, "smtpd_recipient_restrictions", s->recipient_restrictions},
		{STAGE_DATA, "smtpd_data_restrictions", s->data_restrictions},
		{STAGE_END_OF_DATA, "smtpd_end_of_data_restrictions", s->end_of_data_restrictions},
		{STAGE_REWRITE, "local_header_rewrite_clients", s->local_header_rewrite_clients},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(lists); i++) {
		struct policy_list *list = &policy->lists[lists[i].stage];
		list->name = memory_dup_cstr(lists[i].name);
		rc = policy_list_parse(policy, server->conf, lists[i].stage,
			span_from_cstr(lists[i].text), list);
	}
	return rc;
}

int policy_open(struct server *server, struct policy **ret_policy)
{
	struct policy *policy = NEW(struct policy);
	struct span rest = span_from_cstr(server->settings.parent_domain_matches), word;

	while (span_token(&rest, " ,\t\r\n", &word))
		if (span_equal(word, SPAN("smtpd_access_maps")))
			policy->access_parent_bare = true;
	int rc = open_classes(policy, server);
	if (rc == 0)
		rc = open_lists(policy, server);
	if (rc == 0 && !policy_list_guards_relay(&policy->lists[STAGE_RELAY], 0) &&
		!policy_list_guards_relay(&policy->lists[STAGE_RECIPIENT], 0)) {
		log_fatal(NULL, "in parameter smtpd_relay_restrictions or "
			"smtpd_recipient_restrictions, specify at least one working instance of: "
			"reject_unauth_destination, defer_unauth_destination, reject, defer, "
			"defer_if_permit or check_relay_domains");
		rc = -EINVAL;
	}
	if (rc != 0)
		policy_close(policy);
	else
		*ret_policy = policy;
	return rc;
}

void policy_close(struct policy *policy)
{
	if (policy == NULL)
		return;
	for (size_t i = 0; i < STAGE_COUNT; i++)
		policy_list_done(&policy->lists[i]);
	for (size_t i = 0; i < policy->class_count; i++)
		policy_list_done(&policy->classes[i]);
	free(policy->classes);
	free(policy);
}
