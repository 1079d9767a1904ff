/* Lookup tables (Postfix's "type:name"). A lookup error is never "not found": callers turn it into
 * a temporary failure. Opened before the sandbox closes; file tables notice that their file changed
 * and reopen it. Types that can block (proxy, SQL) are asked through a channel; file types answer
 * in place.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAP_MAP_H
#define TAMBO_MAP_MAP_H

#include "base/buf.h"
#include "conf/conf.h"

struct map;

enum map_result { MAP_FOUND, MAP_NOT_FOUND, MAP_ERROR };

enum map_flag {
	MAP_FOLD_FIXED = 1,    /* fixed-string types: lower-case the key (the usual case) */
	MAP_NO_SUBSTITUTE = 2, /* regexp/pcre: refuse $1 in results (security-sensitive tables) */
	MAP_QUIET = 4, /* no log line when the file is not there: the caller asks map_problem */
};

/* spec: "type:name" ("name" alone gets default_database_type). NULL and *ret_error (free it) when
 * the type is unknown or the table is unusable in syntax; a missing file opens and answers
 * MAP_ERROR to each lookup, as Postfix does. */
struct map *map_open(struct conf *conf, const char *spec, unsigned flags, char **ret_error);
void map_close(struct map *map);
/* Appends the value to ret_value. An empty key is never found. */
enum map_result map_lookup(struct map *map, struct span key, struct buf *ret_value);
/* True for regexp, pcre, cidr ...: asked once with the whole key, no partial keys. */
bool map_is_pattern(const struct map *map);
const char *map_spec(const struct map *map);
/* False while the table cannot be asked; map_problem then says why ("open database ...: ..."). */
bool map_is_available(const struct map *map);
const char *map_problem(struct map *map);

/* Visits all entries; visit answers false to stop. 0, -ENOTSUP for a type that cannot list them, or
 * -errno. */
typedef bool map_visit_fn(void *arg, struct span key, struct span value);
int map_each(struct map *map, map_visit_fn *visit, void *arg);

/* The case folding of keys: ASCII, and all of Unicode for UTF-8. */
void map_fold(struct span text, struct buf *out);

/* Table types this build knows, in the order of the alphabet; NULL past the last. */
const char *map_type_name_at(size_t index);
bool map_type_is_known(struct span name);

/* How a confined process opens a table's file that it cannot open by path: fd or -errno. lib/daemon
 * gives one; it may wait. */
void map_set_opener(int (*open_file)(const char *path));
/* Who answers for tables that this process cannot ask itself: "proxy:" of a file it cannot read,
 * types that block, "unix:" beyond /etc/passwd in a confined process. It may wait. flags: enum
 * map_flag without MAP_QUIET. Without one such a lookup is MAP_ERROR. */
typedef enum map_result map_ask_fn(
	const char *spec, unsigned flags, struct span key, struct buf *ret_value);
void map_set_proxy(map_ask_fn *ask);
/* True for a type that no daemon asks in place, because an answer can take long: ldap, mysql ... */
bool map_type_is_remote(struct span name);

/* Parts of "{ a, { b c }, d }" or of a list: separated by commas and white space, braces protect.
 * False at the end; *ret_problem is set (static text) for a brace without its other. Outer braces
 * of a part stay. */
bool map_next_part(struct span *rest, struct span *ret_part, const char **ret_problem);
/* Without one pair of outer braces, trimmed. */
struct span map_strip_braces(struct span part);

/* "type:a, type:b": asked in order, the first hit wins. "" gives a list without maps. */
struct map_list;
struct map_list *map_list_open(
	struct conf *conf, const char *specs, unsigned flags, char **ret_error);
void map_list_close(struct map_list *list);
bool map_list_is_empty(const struct map_list *list);
enum map_result map_list_lookup(struct map_list *list, struct span key, struct buf *ret_value);
size_t map_list_count(const struct map_list *list);
struct map *map_list_at(struct map_list *list, size_t index);

/* Match lists (mydestination, mynetworks, relay_domains ...): patterns, "/file", "type:table", "!"
 * in order, the first match wins. */
struct match_list;
enum match_kind {
	MATCH_DOMAIN,	   /* exact, or ".parent" matches subdomains */
	MATCH_DOMAIN_TREE, /* "parent" matches its subdomains too (parent_domain_matches_subdomains)
			    */
	MATCH_NETWORK,	   /* 10.0.0.0/8, [::1]/128, single addresses, host names do not occur */
	MATCH_STRING,
};
struct match_list *match_list_open(
	struct conf *conf, const char *patterns, enum match_kind kind, char **ret_error);
void match_list_close(struct match_list *list);
/* key: a domain, or an address as text. MAP_FOUND: matches. */
enum map_result match_list_check(struct match_list *list, struct span key);

#endif
