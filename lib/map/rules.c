/* See rules.h.
 * SPDX-License-Identifier: ISC */
#include "map/rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/log.h"
#include "base/memory.h"
#include "conf/lines.h"
#include "sys/fd.h"

#define IF_DEPTH_MAX 100u

struct parsing {
	const struct map *map;
	const struct rules_parser *parser;
	struct rules *rules;
	size_t open[IF_DEPTH_MAX]; /* indexes of RULE_IF without endif so far */
	size_t depth;
};

static struct rule *add_rule(struct parsing *p, const struct rule *rule)
{
	struct rules *rules = p->rules;

	/* Grows by doubling: rules come by the hundred thousand. */
	if ((rules->count & (rules->count - 1)) == 0)
		rules->rules = memory_resize(rules->rules, rules->count == 0 ? 1 : rules->count * 2,
			sizeof *rules->rules);
	rules->rules[rules->count] = *rule;
	return &rules->rules[rules->count++];
}

static void skip_line(const struct parsing *p, unsigned line, const char *why)
{
	log_warning(NULL, "%s map %s, line %u: %s: skipping this rule", p->parser->what,
		p->map->source.path, line, why);
}

static bool take_keyword(struct span *rest, const char *keyword)
{
	struct span word = span_from_cstr(keyword);

	if (!span_starts_with_nocase(*rest, word) ||
		(rest->len > word.len && ascii_is_alnum(rest->ptr[word.len])))
		return false;
	*rest = span_trim(span_skip(*rest, word.len));
	return true;
}

static bool take_not(struct span *rest)
{
	bool negated = false;

	while (rest->len > 0 && (rest->ptr[0] == '!' || ascii_is_space(rest->ptr[0]))) {
		negated = negated != (rest->ptr[0] == '!');
		*rest = span_skip(*rest, 1);
	}
	return negated;
}

static void take_endif(struct parsing *p, struct span rest, unsigned line)
{
	struct rule rule = {.kind = RULE_ENDIF, .line = line};

	if (p->depth == 0) {
		skip_line(p, line, "endif without its if");
		return;
	}
	if (rest.len > 0)
		log_warning(NULL, "%s map %s, line %u: ignoring extra text after endif",
			p->parser->what, p->map->source.path, line);
	p->rules->rules[p->open[--p->depth]].end = p->rules->count;
	add_rule(p, &rule);
}

static bool take_result(struct parsing *p, struct rule *rule, struct span rest, struct buf *error)
{
	rest = span_trim(rest);
	if (rule->kind == RULE_IF) {
		if (rest.len > 0)
			log_warning(NULL, "%s map %s, line %u: ignoring extra text after the if",
				p->parser->what, p->map->source.path, rule->line);
		return true;
	}
	if (rest.len == 0)
		log_warning(NULL, "%s map %s, line %u: no result text: using empty string",
			p->parser->what, p->map->source.path, rule->line);
	rule->result = span_dup_cstr(rest);
	return p->parser->check_result == NULL || p->parser->check_result(p->map, rule, error);
}

static void take_rule(struct parsing *p, struct span rest, unsigned line, struct buf *error)
{
	struct rule rule = {.line = line};

	if (take_keyword(&rest, "endif")) {
		take_endif(p, rest, line);
		return;
	}
	if (take_keyword(&rest, "if"))
		rule.kind = RULE_IF;
	rule.negated = take_not(&rest);
	rule.condition = p->parser->parse_condition(p->map, &rest, rule.negated, error);
	if (rule.condition != NULL && rule.kind == RULE_IF && p->depth == IF_DEPTH_MAX)
		buf_append_cstr(error, "too many nested ifs");
	else if (rule.condition != NULL && take_result(p, &rule, rest, error)) {
		if (rule.kind == RULE_IF)
			p->open[p->depth++] = p->rules->count;
		add_rule(p, &rule);
		return;
	}
	if (rule.condition != NULL)
		p->parser->free_condition(rule.condition);
	free(rule.result);
	skip_line(p, line, buf_cstr(error));
}

static struct rules *rules_parse(
	const struct map *map, struct span text, const struct rules_parser *parser)
{
	struct parsing p = {.map = map, .parser = parser, .rules = NEW(struct rules)};
	struct buf line = BUF_INIT(MAP_LINE_MAX), error = BUF_INIT(1000);
	struct lines lines;

	p.rules->free_condition = parser->free_condition;
	lines_init(&lines, text);
	while (lines_next(&lines, &line)) {
		buf_reset(&error);
		if (p.rules->count >= MAP_RULES_MAX)
			skip_line(&p, lines.first, "too many rules");
		else if (line.overflow || memchr(line.ptr, '\0', line.len) != NULL)
			skip_line(&p, lines.first, "the line is too long or has a NUL byte");
		else
			take_rule(&p, span_trim(buf_span(&line)), lines.first, &error);
	}
	while (p.depth > 0) {
		struct rule *open = &p.rules->rules[p.open[--p.depth]];
		open->end = p.rules->count;
		log_warning(NULL, "%s map %s, line %u: if has no matching endif", parser->what,
			map->source.path, open->line);
	}
	buf_done(&line);
	buf_done(&error);
	return p.rules;
}

struct rules *rules_load(
	const struct map *map, int fd, const struct rules_parser *parser, struct buf *error)
{
	struct buf text = BUF_INIT(MAP_TEXT_MAX);
	struct rules *rules = NULL;
	int result = fd_read_all(fd, &text);
	if (result == 0)
		rules = rules_parse(map, buf_span(&text), parser);
	else
		buf_append_format(error, "read %s: %s", map->source.path, strerror(-result));
	buf_done(&text);
	return rules;
}

void rules_free(struct rules *rules)
{
	if (rules == NULL)
		return;
	for (size_t i = 0; i < rules->count; i++) {
		if (rules->rules[i].condition != NULL)
			rules->free_condition(rules->rules[i].condition);
		free(rules->rules[i].result);
	}
	free(rules->rules);
	free(rules);
}

enum map_result rules_find(const struct rules *rules,
	enum rule_answer (*matches)(void *arg, const void *condition), void *arg,
	const struct rule **ret_rule)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->rules[i];
		if (rule->kind == RULE_ENDIF)
			continue;
		enum rule_answer answer = matches(arg, rule->condition);
		if (answer == RULE_ERROR)
			return MAP_ERROR;
		bool holds = (answer == RULE_YES) != rule->negated;
		if (rule->kind == RULE_IF) {
			if (!holds)
				i = rule->end;
		} else if (holds) {
			*ret_rule = rule;
			return MAP_FOUND;
		}
	}
	return MAP_NOT_FOUND;
}
