/* What regexp:, pcre: and cidr: tables have in common: rules in the order of the file, if/endif,
 * '!'. SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAP_RULES_H
#define TAMBO_MAP_RULES_H

#include "map/map_private.h"

enum rule_kind { RULE_MATCH, RULE_IF, RULE_ENDIF };

struct rule {
	enum rule_kind kind;
	bool negated;
	unsigned line;
	size_t end;	 /* of RULE_IF: index of its endif */
	void *condition; /* the type's: what must match; NULL for endif */
	char *result;
};

struct rules {
	struct rule *rules;
	size_t count;
	void (*free_condition)(void *condition);
};

struct rules_parser {
	const char *what; /* "regexp", for messages */
	/* Parses "pattern" of one line (behind "if" and "!"), leaves what follows in *rest. NULL
	 * and a reason in error: the rule is skipped. */
	void *(*parse_condition)(
		const struct map *map, struct span *rest, bool negated, struct buf *error);
	void (*free_condition)(void *condition);
	/* May refuse a result text; NULL: nothing to check. */
	bool (*check_result)(const struct map *map, const struct rule *rule, struct buf *error);
};

/* A line that cannot be used is told in the log and skipped, as Postfix does: a host that switches
 * may carry one, and its mail must flow. NULL and *error (appended to): it cannot be read. */
struct rules *rules_load(
	const struct map *map, int fd, const struct rules_parser *parser, struct buf *error);
void rules_free(struct rules *rules);

enum rule_answer { RULE_NO, RULE_YES, RULE_ERROR };
/* The first rule whose condition (or negated condition) holds: MAP_FOUND and *ret_rule. */
enum map_result rules_find(const struct rules *rules,
	enum rule_answer (*matches)(void *arg, const void *condition), void *arg,
	const struct rule **ret_rule);

#endif
