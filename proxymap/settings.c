/* See settings.h. The value is the concatenation of many parameters: access lists, table lists,
 * address lists. Most of its words are no tables.
 * SPDX-License-Identifier: ISC */
#include "proxymap/settings.h"

#include <errno.h>

#include "base/log.h"
#include "map/map.h"

#define NESTING_MAX 8

static bool is_remote(struct span word)
{
	size_t colon = span_find_char(word, ':');
	return colon != SIZE_MAX && map_type_is_remote(span_head(word, colon));
}

/* Words in braces: "{ check_client_access proxy:... }", "unionmap:{proxy:..., proxy:...}". */
static struct span inside_of(struct span word)
{
	static const char *const combined[] = {"unionmap:", "pipemap:"};
	for (size_t i = 0; i < sizeof combined / sizeof combined[0]; i++)
		if (span_starts_with(word, span_from_cstr(combined[i])))
			return map_strip_braces(span_skip(word, strlen(combined[i])));
	return word.len > 0 && word.ptr[0] == '{' ? map_strip_braces(word) : SPAN_EMPTY;
}

static void read_words(struct tables *tables, struct span rest, unsigned nesting)
{
	struct span word;
	const char *problem = NULL;
	while (map_next_part(&rest, &word, &problem)) {
		struct span inside = inside_of(word);
		if (span_starts_with(word, SPAN("proxy:")))
			tables_add(tables, span_skip(word, strlen("proxy:")));
		else if (is_remote(word))
			tables_add(tables, word);
		else if (inside.len > 0 && inside.len < word.len && nesting < NESTING_MAX)
			read_words(tables, inside, nesting + 1);
	}
	if (problem != NULL)
		log_warning(NULL, "proxy_read_maps: %s: the tables behind it are not served", problem);
}

int settings_read_tables(struct conf *conf, struct tables *tables)
{
	read_words(tables, span_from_cstr(conf_get(conf, "proxy_read_maps")), 0);
	/* Confined processes ask these for accounts that stand in no file. */
	tables_add(tables, SPAN("unix:passwd.byname"));
	tables_add(tables, SPAN("unix:group.byname"));
	return conf_error_count(conf) > 0 ? -EINVAL : 0;
}
