/* Match lists (map.h): patterns in order, the first match wins, "!" turns one round.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/memory.h"
#include "map/map_private.h"
#include "map/network.h"
#include "sys/fd.h"

#define PATTERNS_MAX 1000000u
#define FILE_NESTING_MAX 10u

struct pattern {
	bool negated;
	char *text; /* folded; NULL: a map or a network */
	struct map *map;
	struct network network;
};

struct match_list {
	struct conf *conf;
	enum match_kind kind;
	struct pattern *patterns;
	size_t count;
};

static bool add_text(struct match_list *list, struct span text, bool negated, unsigned nesting,
	struct buf *error);

static bool add_file(struct match_list *list, struct span name, bool negated, unsigned nesting,
	struct buf *error)
{
	struct map_source source = {.path = span_dup_cstr(name)};
	struct buf text = BUF_INIT(MAP_TEXT_MAX), plain = BUF_INIT(MAP_TEXT_MAX);
	int fd = nesting >= FILE_NESTING_MAX ? -ELOOP : map_source_open(&source);
	int result = fd < 0 ? fd : fd_read_all(fd, &text);
	struct span rest = buf_span(&text);

	if (fd >= 0)
		close(fd);
	while (result == 0 && rest.ptr != NULL) {
		struct span line = span_trim(span_split(&rest, '\n'));
		if (line.len > 0 && line.ptr[0] == '#')
			continue;
		buf_append(&plain, line);
		buf_append_char(&plain, '\n');
	}
	if (result != 0)
		buf_append_format(error, "open file %s: %s", source.path, strerror(-result));
	bool ok = result == 0 && add_text(list, buf_span(&plain), negated, nesting + 1, error);
	buf_done(&text);
	buf_done(&plain);
	map_source_done(&source);
	return ok;
}

static bool is_map_spec(struct span text, struct buf *error)
{
	size_t colon = span_find_char(text, ':');
	struct network unused;

	if (colon == SIZE_MAX || text.ptr[0] == '[')
		return false;
	if (map_type_is_known(span_head(text, colon)) ||
		map_type_find_absent(span_head(text, colon)) != NULL)
		return true;
	if (network_parse(text, &unused) == NULL)
		return false; /* IPv6 without its brackets */
	buf_append_format(
		error, "unsupported dictionary type: %.*s", SPAN_ARGS(span_head(text, colon)));
	return false;
}

static void keep(struct match_list *list, const struct pattern *pattern)
{
	if ((list->count & (list->count - 1)) == 0)
		list->patterns = memory_resize(list->patterns,
			list->count == 0 ? 1 : list->count * 2, sizeof *list->patterns);
	list->patterns[list->count++] = *pattern;
}

static bool add_network(struct pattern *pattern, struct span text, struct buf *error)
{
	const char *problem = network_parse(text, &pattern->network);
	bool looks_like_one = ascii_is_digit(text.ptr[0]) || text.ptr[0] == '[' ||
			      span_find_char(text, '/') != SIZE_MAX;

	if (problem == NULL || !looks_like_one)
		return problem == NULL;
	buf_append_format(error, "bad network or address \"%.*s\": %s", SPAN_ARGS(text), problem);
	return false;
}

static bool add_pattern(struct match_list *list, struct span text, bool negated, unsigned nesting,
	struct buf *error)
{
	struct pattern pattern = {.negated = negated};

	while (text.len > 0 && text.ptr[0] == '!') {
		pattern.negated = !pattern.negated;
		text = span_trim(span_skip(text, 1));
	}
	if (text.len == 0) {
		buf_append_cstr(error, "no pattern after '!'");
		return false;
	}
	if (text.ptr[0] == '/')
		return add_file(list, text, pattern.negated, nesting, error);
	if (list->count >= PATTERNS_MAX) {
		buf_append_cstr(error, "too many patterns in one list");
		return false;
	}
	if (is_map_spec(text, error)) {
		pattern.map = map_open_nested(list->conf, text, MAP_FOLD_FIXED, 0, error);
		if (pattern.map == NULL)
			return false;
	} else if (error->len == 0 &&
		   (list->kind != MATCH_NETWORK || !add_network(&pattern, text, error)) &&
		   error->len == 0) {
		struct buf folded = BUF_INIT(MAP_KEY_MAX);
		map_fold(text, &folded);
		pattern.text = buf_steal(&folded);
	}
	if (error->len == 0)
		keep(list, &pattern);
	return error->len == 0;
}

static bool add_text(struct match_list *list, struct span text, bool negated, unsigned nesting,
	struct buf *error)
{
	const char *problem = NULL;
	struct span part;

	while (map_next_part(&text, &part, &problem)) {
		if (!add_pattern(list, map_strip_braces(part), negated, nesting, error))
			return false;
	}
	if (problem != NULL)
		buf_append_cstr(error, problem);
	return problem == NULL;
}

struct match_list *match_list_open(
	struct conf *conf, const char *patterns, enum match_kind kind, char **ret_error)
{
	struct match_list *list = NEW(struct match_list);
	struct buf error = BUF_INIT(16384);

	list->conf = conf;
	list->kind = kind;
	if (!add_text(list, span_from_cstr(patterns), false, 0, &error)) {
		*ret_error = buf_steal(&error);
		match_list_close(list);
		list = NULL;
	}
	buf_done(&error);
	return list;
}

void match_list_close(struct match_list *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->count; i++) {
		free(list->patterns[i].text);
		map_close(list->patterns[i].map);
	}
	free(list->patterns);
	free(list);
}

/* --- matching --- */

/* The next parent domain of a name: "example.com" of "a.example.com"; false at the top. */
static bool next_parent(struct span *name)
{
	size_t dot = span_find_char(*name, '.');

	if (dot == SIZE_MAX || dot + 1 >= name->len)
		return false;
	*name = span_skip(*name, dot + 1);
	return true;
}

static enum map_result ask_map(struct map *map, struct span key)
{
	struct buf value = BUF_INIT(MAP_VALUE_MAX);
	enum map_result result = map_lookup(map, key, &value);

	buf_done(&value);
	return result;
}

static enum map_result match_map(const struct match_list *list, struct map *map, struct span key)
{
	bool tree = list->kind == MATCH_DOMAIN_TREE;
	enum map_result result = ask_map(map, key);
	struct span parent = key;
	struct network unused;

	if (result != MAP_NOT_FOUND || map_is_pattern(map) || key.len == 0)
		return result;
	if ((list->kind != MATCH_DOMAIN && !tree) || network_parse_address(key, &unused))
		return result;
	while (result == MAP_NOT_FOUND && next_parent(&parent)) {
		/* With its dot where a parent alone means only itself. */
		struct span name = tree ? parent : span_new(parent.ptr - 1, parent.len + 1);
		result = ask_map(map, name);
	}
	return result;
}

static bool match_text(const struct match_list *list, struct span pattern, struct span key)
{
	struct network unused;

	if (span_equal(pattern, key))
		return true;
	if (list->kind == MATCH_STRING || list->kind == MATCH_NETWORK ||
		network_parse_address(key, &unused))
		return false;
	if (pattern.len > 0 && pattern.ptr[0] == '.')
		return key.len > pattern.len && span_ends_with(key, pattern);
	return list->kind == MATCH_DOMAIN_TREE && key.len > pattern.len + 1 &&
	       span_ends_with(key, pattern) && key.ptr[key.len - pattern.len - 1] == '.';
}

enum map_result match_list_check(struct match_list *list, struct span key)
{
	struct buf folded = BUF_INIT(MAP_KEY_MAX * 4);
	enum map_result answer = MAP_NOT_FOUND;
	struct network address;
	bool is_address = network_parse_address(key, &address);

	if (key.len > MAP_KEY_MAX)
		return MAP_NOT_FOUND;
	map_fold(key, &folded);
	for (size_t i = 0; i < list->count; i++) {
		const struct pattern *pattern = &list->patterns[i];
		enum map_result result = MAP_NOT_FOUND;
		if (pattern->map != NULL)
			result = match_map(list, pattern->map, buf_span(&folded));
		else if (pattern->text != NULL)
			result = match_text(list, span_from_cstr(pattern->text), buf_span(&folded))
					 ? MAP_FOUND
					 : MAP_NOT_FOUND;
		else if (is_address && network_contains(&pattern->network, &address))
			result = MAP_FOUND;
		if (result == MAP_NOT_FOUND)
			continue;
		answer = result == MAP_FOUND && pattern->negated ? MAP_NOT_FOUND : result;
		break;
	}
	buf_done(&folded);
	return answer;
}
