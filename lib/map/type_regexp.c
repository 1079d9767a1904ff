/* regexp: and pcre: tables, both matched by PCRE2. A regexp: pattern is a POSIX extended
 * expression, nearly all of which mean the same to PCRE2; the difference is that of several
 * alternatives the first that matches is taken and not the longest, which only $1 can show. A table
 * can never hang a process: matching has a limit of steps, and past it the lookup is an error.
 * Forms: /pattern/flags result, !/pattern/flags result, if /pattern/flags ... endif.
 * SPDX-License-Identifier: ISC */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/log.h"
#include "base/memory.h"
#include "map/rules.h"

#define STEPS_MAX 1000000u
#define DEPTH_MAX 10000u
#define HEAP_KIB_MAX 16384u
/* Parentheses within parentheses: compiling recurses, 0.6 KiB a level on top of 30 KiB, and a table
 * that changed is read again on the small stack of a task. */
#define NESTING_MAX 30u
#define GROUPS_MAX 64u /* $1 ... that a result can use */

struct pattern {
	pcre2_code *code;
	uint32_t groups;
	struct pattern *exclude; /* regexp's /pattern/!/exclude/ */
};

struct shared {
	pcre2_compile_context *compile;
	pcre2_match_context *match;
	pcre2_match_data *data; /* one lookup at a time: nothing waits within one */
};

/* For the life of the process. */
static struct shared *get_shared(void)
{
	static struct shared shared;

	if (shared.data != NULL)
		return &shared;
	shared.compile = pcre2_compile_context_create(NULL);
	shared.match = pcre2_match_context_create(NULL);
	pcre2_set_parens_nest_limit(shared.compile, NESTING_MAX);
	pcre2_set_match_limit(shared.match, STEPS_MAX);
	pcre2_set_depth_limit(shared.match, DEPTH_MAX);
	pcre2_set_heap_limit(shared.match, HEAP_KIB_MAX);
	/* A stack of its own: without it compiled code takes 32 KiB of the task's. */
	pcre2_jit_stack_assign(
		shared.match, NULL, pcre2_jit_stack_create(32 * 1024, 1024 * 1024, NULL));
	shared.data = pcre2_match_data_create(GROUPS_MAX, NULL);
	return &shared;
}

/* --- one pattern --- */

static bool flip(uint32_t *options, char flag, bool is_pcre)
{
	switch (flag) {
	case 'i':
		*options ^= PCRE2_CASELESS;
		return true;
	case 'm':
		*options ^= PCRE2_MULTILINE;
		if (!is_pcre) /* REG_NEWLINE: neither does . match a newline then */
			*options ^= PCRE2_DOTALL;
		return true;
	case 's':
		*options ^= PCRE2_DOTALL;
		return is_pcre;
	case 'x':
		*options ^= PCRE2_EXTENDED;
		return is_pcre;
	case 'A':
		*options ^= PCRE2_ANCHORED;
		return is_pcre;
	case 'E':
		*options ^= PCRE2_DOLLAR_ENDONLY;
		return is_pcre;
	case 'U':
		*options ^= PCRE2_UNGREEDY;
		return is_pcre;
	case 'X': /* "extra" checks, which PCRE2 always makes */
		return is_pcre;
	}
	return false;
}

static bool take_flags(struct span *rest, bool is_pcre, uint32_t *ret_options, struct buf *error)
{
	*ret_options = PCRE2_CASELESS | PCRE2_DOTALL | (is_pcre ? 0 : PCRE2_DOLLAR_ENDONLY);
	while (rest->len > 0 && !ascii_is_space(rest->ptr[0]) && rest->ptr[0] != '!') {
		if (!flip(ret_options, rest->ptr[0], is_pcre)) {
			buf_append_format(error, "unknown regexp option \"%c\"", rest->ptr[0]);
			return false;
		}
		*rest = span_skip(*rest, 1);
	}
	return true;
}

/* Cuts "/text/" off; a backslash protects the delimiter. */
static bool take_delimited(struct span *rest, struct span *ret_text, struct buf *error)
{
	char delimiter = rest->len > 0 ? rest->ptr[0] : 'x';
	size_t i = 1;

	if (ascii_is_alnum(delimiter) || ascii_is_space(delimiter) || delimiter == '\\') {
		buf_append_cstr(
			error, "expected a pattern between two delimiters such as /pattern/");
		return false;
	}
	while (i < rest->len && rest->ptr[i] != delimiter)
		i += rest->ptr[i] == '\\' ? 2 : 1;
	if (i >= rest->len) {
		buf_append_format(error, "no closing regexp delimiter \"%c\"", delimiter);
		return false;
	}
	*ret_text = span_part(*rest, 1, i - 1);
	*rest = span_skip(*rest, i + 1);
	return true;
}

static void free_pattern(void *condition)
{
	struct pattern *pattern = condition;

	if (pattern == NULL)
		return;
	free_pattern(pattern->exclude);
	pcre2_code_free(pattern->code);
	free(pattern);
}

static struct pattern *compile(struct span text, uint32_t options, struct buf *error)
{
	struct pattern *pattern;
	PCRE2_SIZE at = 0;
	int code = 0;
	pcre2_code *compiled;

	if (!span_is_ascii(text) && span_is_utf8(text))
		options |= PCRE2_UTF;
	compiled = pcre2_compile(
		(PCRE2_SPTR)text.ptr, text.len, options, &code, &at, get_shared()->compile);
	if (compiled == NULL) {
		char message[200] = "";
		pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof message);
		buf_append_format(error, "%s at offset %zu", message, (size_t)at);
		return NULL;
	}
	/* Refused (no memory that may be executed): the interpreter does it. */
	pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);
	pattern = NEW(struct pattern);
	pattern->code = compiled;
	pcre2_pattern_info(compiled, PCRE2_INFO_CAPTURECOUNT, &pattern->groups);
	return pattern;
}

static struct pattern *take_pattern(struct span *rest, bool is_pcre, struct buf *error)
{
	struct span text;
	uint32_t options;

	if (!take_delimited(rest, &text, error) || !take_flags(rest, is_pcre, &options, error))
		return NULL;
	return compile(text, options, error);
}

static void *parse_condition(
	const struct map *map, struct span *rest, bool negated, struct buf *error)
{
	bool is_pcre = map->type == &map_type_pcre;
	struct pattern *pattern = take_pattern(rest, is_pcre, error);

	if (pattern != NULL && rest->len > 0 && rest->ptr[0] == '!') {
		*rest = span_skip(*rest, 1);
		if (!is_pcre && !negated)
			pattern->exclude = take_pattern(rest, is_pcre, error);
		else
			buf_append_cstr(error, "unexpected \"!\" behind the pattern");
		if (pattern->exclude == NULL) {
			free_pattern(pattern);
			return NULL;
		}
	}
	return pattern;
}

/* --- results --- */

/* The next reference in text: "$1", "${1}", "$(1)", or "$$" with number -1. Returns where it
 * starts, or SIZE_MAX; *ret_len is 0 for a '$' that starts none of these. */
static size_t find_reference(struct span text, size_t *ret_len, int *ret_number)
{
	size_t at = span_find_char(text, '$'), i;
	char open;
	int number = 0;

	*ret_len = 0;
	if (at == SIZE_MAX)
		return SIZE_MAX;
	i = at + 1;
	open = i < text.len ? text.ptr[i] : '\0';
	if (open == '$') {
		*ret_number = -1;
		*ret_len = 2;
		return at;
	}
	if (open == '{' || open == '(')
		i++;
	size_t digits = i;
	while (i < text.len && ascii_is_digit(text.ptr[i]) && number < 1000)
		number = number * 10 + (text.ptr[i++] - '0');
	if (i == digits || number == 0)
		return at;
	if ((open == '{' || open == '(') &&
		(i == text.len || text.ptr[i++] != (open == '{' ? '}' : ')')))
		return at;
	*ret_number = number;
	*ret_len = i - at;
	return at;
}

static bool check_result(const struct map *map, const struct rule *rule, struct buf *error)
{
	const struct pattern *pattern = rule->condition;
	struct span rest = span_from_cstr(rule->result);
	size_t at, len;
	int number;

	while ((at = find_reference(rest, &len, &number)) != SIZE_MAX) {
		if (len == 0)
			buf_append_cstr(error, "bad \"$\" in the result: use $1, ${1}, $(1) or $$");
		else if (number > 0 && rule->negated)
			buf_append_cstr(error, "$number is not allowed with a negated match");
		else if (number > 0 && (map->flags & MAP_NO_SUBSTITUTE) != 0)
			buf_append_cstr(error,
				"$number is not allowed in a table that decides about rights");
		else if (number > 0 &&
			 ((uint32_t)number > pattern->groups || number >= (int)GROUPS_MAX))
			buf_append_format(error, "there is no group $%d in the pattern", number);
		if (error->len > 0)
			return false;
		rest = span_skip(rest, at + len);
	}
	return true;
}

static void append_result(struct span text, struct span key, struct buf *out)
{
	const PCRE2_SIZE *groups = pcre2_get_ovector_pointer(get_shared()->data);
	size_t at, len;
	int number;

	while ((at = find_reference(text, &len, &number)) != SIZE_MAX) {
		buf_append(out, span_head(text, at));
		if (number < 0)
			buf_append_char(out, '$');
		else if (groups[2 * number] != PCRE2_UNSET)
			buf_append(out, span_part(key, groups[2 * number],
						groups[2 * number + 1] - groups[2 * number]));
		text = span_skip(text, at + len);
	}
	buf_append(out, text);
}

/* --- tables --- */

static void *load(const struct map *map, int fd, struct buf *error)
{
	struct rules_parser parser = {map->type->name, parse_condition, free_pattern, check_result};
	return rules_load(map, fd, &parser, error);
}

static void unload(void *table)
{
	rules_free(table);
}

struct lookup {
	const struct map *map;
	struct span key;
};

static enum rule_answer match(const struct pattern *pattern, const struct lookup *lookup)
{
	struct shared *shared = get_shared();
	int result = pcre2_match(pattern->code, (PCRE2_SPTR)lookup->key.ptr, lookup->key.len, 0, 0,
		shared->data, shared->match);

	if (result >= 0)
		return RULE_YES;
	/* A key that is not UTF-8 does not match a pattern that is. */
	if (result == PCRE2_ERROR_NOMATCH ||
		(result <= PCRE2_ERROR_UTF8_ERR1 && result >= PCRE2_ERROR_UTF8_ERR21))
		return RULE_NO;
	log_warning(NULL, "%s: matching took too many steps or failed (error %d)",
		lookup->map->spec, result);
	return RULE_ERROR;
}

static enum rule_answer matches(void *arg, const void *condition)
{
	const struct pattern *pattern = condition;
	enum rule_answer answer = match(pattern, arg);

	if (answer == RULE_YES && pattern->exclude != NULL) {
		answer = match(pattern->exclude, arg);
		if (answer == RULE_NO)
			return match(pattern, arg); /* again, for its groups */
		return answer == RULE_YES ? RULE_NO : RULE_ERROR;
	}
	return answer;
}

static enum map_result lookup(struct map *map, struct span key, struct buf *ret_value)
{
	struct lookup question = {map, key};
	const struct rule *rule = NULL;
	enum map_result result = rules_find(map->table, matches, &question, &rule);

	if (result == MAP_FOUND)
		append_result(span_from_cstr(rule->result), key, ret_value);
	return result;
}

#define REGEXP_TYPE(variable, name_)                                                               \
	const struct map_type variable = {.name = (name_),                                         \
		.is_pattern = true,                                                                \
		.suffix = "",                                                                      \
		.load = load,                                                                      \
		.unload = unload,                                                                  \
		.lookup = lookup}

REGEXP_TYPE(map_type_regexp, "regexp");
REGEXP_TYPE(map_type_pcre, "pcre");
