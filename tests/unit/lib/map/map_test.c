/* Table types and match lists.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "map/builder.h"
#include "map/map.h"

static char folder[] = "/tmp/tambo-map-XXXXXX";
static struct conf *conf;
static char last_line[LOG_LINE_MAX + 1];

static void keep_line(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)len;
	snprintf(last_line, sizeof last_line, "%s", line);
}

static void write_file(const char *name, const char *text)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void set_up_files(void)
{
	write_file("text", "# c\nplain\tone\nUPPER  two words \n\"a b\"@x  quoted\nlong a,\n   b\n"
			   "bad\nplain again\n");
	write_file("regexp",
		"/^user-([0-9]+)@(.*)$/ u$1@${2}.$$\n!/@/ local\nif /@example\\.com$/\n"
		"/^a/  a-of-example\n!/^b/ not-b\nendif\n/case/i sensitive\n/(/ broken\nx/y/ bad\n"
		"/one/!/two/ one-not-two\n/^dot.*$/ dots\n");
	write_file("pcre", "/^(?<name>x+)(y)?$/ $1-$2\n/evil(a+)+$/ slow\n/(unclosed/ broken\n");
	write_file("cidr",
		"192.0.2.1 host\n!10.0.0.0/7 not-ten\nif 10.0.0.0/8\n10.1.0.0/16 ten-one\n"
		"endif\n2001:db8::/32 six\n[::1] loop\n10.0.0.1/8 bad\n0.0.0.0/0 any\n");
	write_file("passwd", "# people\nanna:{PLAIN}x:1000:1000::/home/anna::userdb_quota=1\n"
			     "Bob@Example.COM:y\nbad line\n");
	write_file("list", "# hosts\na.example\n.b.example, c.example\n");
}

struct row {
	const char *what, *spec, *key, *value; /* NULL: not found; "!": an error */
};

static const struct row rows[] = {
	{"texthash", "texthash:%s/text", "plain", "one"},
	{"keys are folded", "texthash:%s/text", "Upper", "two words"},
	{"quotes protect white space and stay", "texthash:%s/text", "\"a b\"@x", "quoted"},
	{"continuation", "texthash:%s/text", "long", "a,   b"},
	{"a line without value is no entry", "texthash:%s/text", "bad", NULL},
	{"an empty key is never found", "static:x", "", NULL},
	{"a missing file is an error", "texthash:%s/none", "x", "!"},
	{"inline, short form", "inline:{a=1, b=2}", "b", "2"},
	{"inline, blanks around =", "inline:{ a = 1, b = 2 }", "b", "2"},
	{"inline, braces", "inline:{ {a = x, y z}, b=2 }", "A", "x, y z"},
	{"inline, no such key", "inline:{a=1}", "c", NULL},
	{"static", "static:v", "any", "v"},
	{"static in braces", "static:{ v w }", "any", "v w"},
	{"environ", "environ:", "", NULL},
	{"internal", "internal:x", "a", NULL},
	{"fail", "fail:x", "a", "!"},
	{"unionmap", "unionmap:{static:x,inline:{a=y}}", "a", "x,y"},
	{"unionmap, one of two", "unionmap:{static:x, inline:{a=y}}", "b", "x"},
	{"unionmap, an error within", "unionmap:{static:x, fail:y}", "b", "!"},
	{"pipemap", "pipemap:{inline:{a=b}, inline:{b=c}}", "a", "c"},
	{"pipemap ends where nothing is found", "pipemap:{inline:{a=b}, inline:{x=c}}", "a", NULL},
	{"randmap", "randmap:{only}", "a", "only"},
	{"proxy opens the table", "proxy:inline:{a=1}", "a", "1"},
	{"a type that is not supported is an error", "mysql:/etc/x.cf", "a", "!"},
	{"and behind proxy too", "proxy:ldap:/etc/x.cf", "a", "!"},
	{"and within a union", "unionmap:{static:a, pgsql:/etc/x.cf}", "a", "!"},
	{"passwd, unknown", "unix:passwd.byname", "no-such-user", NULL},
	{"group, unknown", "unix:group.byname", "no-such-group", NULL},
	{"passwdfile", "passwdfile:%s/passwd", "anna",
		"{PLAIN}x:1000:1000::/home/anna::userdb_quota=1"},
	{"passwdfile, folded", "passwdfile:%s/passwd", "bob@example.com", "y"},
	{"regexp groups", "regexp:%s/regexp", "user-12@h", "u12@h.$"},
	{"regexp negated", "regexp:%s/regexp", "nobody", "local"},
	{"regexp within if", "regexp:%s/regexp", "Alice@EXAMPLE.com", "a-of-example"},
	{"regexp negated within if", "regexp:%s/regexp", "carl@example.com", "not-b"},
	{"regexp if does not hold", "regexp:%s/regexp", "b@example.com", NULL},
	{"regexp case flag", "regexp:%s/regexp", "x@case", "sensitive"},
	{"regexp case flag, other case", "regexp:%s/regexp", "x@CASE", NULL},
	{"regexp nested too deep is skipped", "regexp:%s/regexp", "@deep", NULL},
	{"regexp two patterns", "regexp:%s/regexp", "@one", "one-not-two"},
	{"regexp two patterns, second holds", "regexp:%s/regexp", "@one two", NULL},
	{"pcre group that did not take part", "pcre:%s/pcre", "xx", "xx-"},
	{"pcre groups", "pcre:%s/pcre", "xy", "x-y"},
	{"cidr host", "cidr:%s/cidr", "192.0.2.1", "host"},
	{"cidr negated", "cidr:%s/cidr", "192.0.2.2", "not-ten"},
	{"cidr within if", "cidr:%s/cidr", "10.1.2.3", "ten-one"},
	{"cidr bad lines are skipped", "cidr:%s/cidr", "10.0.0.1", "any"},
	{"cidr IPv6 is not IPv4", "cidr:%s/cidr", "2001:db8::5", "not-ten"},
	{"cidr a name is no address", "cidr:%s/cidr", "host.example", NULL},
};

static void test_lookups(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char spec[300], *error = NULL;
		struct buf value = BUF_INIT(1000);
		if (strstr(rows[i].spec, "%s") != NULL) {
			const char *at = strstr(rows[i].spec, "%s");
			snprintf(spec, sizeof spec, "%.*s%s%s", (int)(at - rows[i].spec),
				rows[i].spec, folder, at + 2);
		} else {
			snprintf(spec, sizeof spec, "%s", rows[i].spec);
		}
		struct map *map = map_open(conf, spec, MAP_FOLD_FIXED, &error);
		if (map == NULL)
			fail_msg("%s: %s", rows[i].what, error);
		enum map_result result = map_lookup(map, span_from_cstr(rows[i].key), &value);
		enum map_result want = rows[i].value == NULL		 ? MAP_NOT_FOUND
				       : strcmp(rows[i].value, "!") == 0 ? MAP_ERROR
									 : MAP_FOUND;
		if (result != want ||
			(want == MAP_FOUND && strcmp(buf_cstr(&value), rows[i].value) != 0))
			fail_msg("%s: got %d \"%s\"", rows[i].what, result, buf_cstr(&value));
		buf_done(&value);
		map_close(map);
	}
}

static void test_refused(void **state)
{
	static const char *const specs[] = {"nosuchtype:x", "static:", "inline:x", "inline:{x}",
		"inline:{a=b", "unionmap:{}", "unionmap:{nosuch:x}", "pipemap:x", "unix:x",
		"unionmap:{static:a",
		("unionmap:{unionmap:{unionmap:{unionmap:{unionmap:{unionmap:{unionmap:{unionmap:{"
		 "unionmap:{unionmap:{static:x}}}}}}}}}}")};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		char *error = NULL;
		if (map_open(conf, specs[i], 0, &error) != NULL)
			fail_msg("%s was opened", specs[i]);
		assert_true(strlen(error) > 0);
		free(error);
	}
}

static void test_accounts(void **state)
{
	static const struct {
		const char *spec, *start;
	} tables[] = {{"unix:passwd.byname", "root:x:0:0:"}, {"unix:group.byname", "root:x:0:"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		char *error = NULL;
		struct buf out = BUF_INIT(1000);
		struct map *map = map_open(conf, tables[i].spec, 0, &error);
		assert_int_equal(map_lookup(map, SPAN("root"), &out), MAP_FOUND);
		assert_true(span_starts_with(buf_span(&out), span_from_cstr(tables[i].start)));
		map_close(map);
		buf_done(&out);
	}
}

static struct map *open_in_folder(const char *type, const char *name, unsigned flags)
{
	char spec[300], *error = NULL;
	snprintf(spec, sizeof spec, "%s:%s/%s", type, folder, name);
	struct map *map = map_open(conf, spec, flags, &error);
	if (map == NULL)
		fail_msg("%s", error);
	return map;
}

static void expect(struct map *map, const char *key, const char *value)
{
	struct buf out = BUF_INIT(1u << 20);
	enum map_result result = map_lookup(map, span_from_cstr(key), &out);
	assert_int_equal(result, value == NULL ? MAP_NOT_FOUND : MAP_FOUND);
	if (value != NULL)
		assert_string_equal(buf_cstr(&out), value);
	buf_done(&out);
}

static void test_evil_pattern_ends(void **state)
{
	struct map *map = open_in_folder("pcre", "pcre", 0);
	struct buf out = BUF_INIT(100);

	(void)state;
	assert_int_equal(
		map_lookup(map, SPAN("evilaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"), &out),
		MAP_ERROR);
	map_close(map);
	buf_done(&out);
}

static void test_substitution_can_be_refused(void **state)
{
	struct map *map = open_in_folder("regexp", "regexp", MAP_NO_SUBSTITUTE);

	(void)state;
	expect(map, "user-12@h", NULL); /* that rule is gone */
	expect(map, "x@case", "sensitive");
	map_close(map);
}

static struct map_builder *begin(const char *name, bool update)
{
	char path[200], *error = NULL;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	struct map_builder *builder = map_builder_open(path, 0644, 0, update, &error);
	if (builder == NULL)
		fail_msg("%s", error);
	return builder;
}

static void test_indexed(void **state)
{
	char *error = NULL, key[32];
	char *large = memory_zalloc(1, 100001);
	struct map_builder *builder = begin("db", false);

	(void)state;
	memset(large, 'v', 100000);
	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof key, "key%d", i);
		assert_int_equal(map_builder_put(builder, span_from_cstr(key),
					 span_from_cstr(key + 3), false),
			0);
	}
	assert_int_equal(map_builder_put(builder, SPAN("key7"), SPAN("x"), false), -EEXIST);
	assert_int_equal(map_builder_put(builder, SPAN("large"), span_from_cstr(large), false), 0);
	assert_int_equal(
		map_builder_put(builder, span_from_cstr(large), SPAN("x"), false), -ENAMETOOLONG);
	assert_true(map_builder_commit(builder, &error));
	struct map *map = open_in_folder("hash", "db", MAP_FOLD_FIXED);
	for (int i = 0; i < 20000; i += 7) {
		snprintf(key, sizeof key, "KEY%d", i);
		expect(map, key, key + 3);
	}
	expect(map, "large", large);
	expect(map, "key20000", NULL);
	expect(map, "a", NULL);
	expect(map, "zzz", NULL);

	/* A new table is seen (the check is made once a second). */
	builder = begin("db", true);
	map_builder_set_nul(builder, true);
	assert_int_equal(map_builder_put(builder, SPAN("new"), SPAN("1"), false), 0);
	assert_true(map_builder_commit(builder, &error));
	expect(map, "new", NULL);
	usleep(1050000);
	expect(map, "new", "1");
	expect(map, "key5", "5");
	map_close(map);
	free(large);
}

static void test_missing_database_names_postmap(void **state)
{
	struct map *map;
	struct buf out = BUF_INIT(100);

	(void)state;
	last_line[0] = '\0';
	map = open_in_folder("hash", "text", 0);
	assert_int_equal(map_lookup(map, SPAN("plain"), &out), MAP_ERROR);
	assert_non_null(strstr(last_line, "run \"postmap hash:"));
	map_close(map);
}

static void test_damaged_database(void **state)
{
	struct map *map;
	struct buf out = BUF_INIT(100);

	(void)state;
	write_file("broken.lmdb", "this is not a database");
	map = open_in_folder("lmdb", "broken", 0);
	assert_int_equal(map_lookup(map, SPAN("plain"), &out), MAP_ERROR);
	map_close(map);
}

static const struct {
	const char *what, *patterns;
	enum match_kind kind;
	const char *key;
	enum map_result result;
} matches[] = {
	{"a domain", "a.b, c.d", MATCH_DOMAIN, "C.D", MAP_FOUND},
	{"a subdomain is another", "a.b", MATCH_DOMAIN, "x.a.b", MAP_NOT_FOUND},
	{"a dot means subdomains", ".a.b", MATCH_DOMAIN, "x.a.b", MAP_FOUND},
	{"a dot does not mean itself", ".a.b", MATCH_DOMAIN, "a.b", MAP_NOT_FOUND},
	{"tree: a subdomain", "a.b", MATCH_DOMAIN_TREE, "x.a.b", MAP_FOUND},
	{"tree: not a longer label", "a.b", MATCH_DOMAIN_TREE, "xa.b", MAP_NOT_FOUND},
	{"the first match wins", "!x.a.b, .a.b", MATCH_DOMAIN, "x.a.b", MAP_NOT_FOUND},
	{"behind a not", "!x.a.b, .a.b", MATCH_DOMAIN, "y.a.b", MAP_FOUND},
	{"a table", "inline:{a.b=x}", MATCH_DOMAIN, "a.b", MAP_FOUND},
	{"a table's parent with a dot", "inline:{.a.b=x}", MATCH_DOMAIN, "x.a.b", MAP_FOUND},
	{"a table's parent, tree", "inline:{a.b=x}", MATCH_DOMAIN_TREE, "y.x.a.b", MAP_FOUND},
	{"a table's error", "a.b, fail:x, c.d", MATCH_DOMAIN, "c.d", MAP_ERROR},
	{"a type that is not supported", "a.b, mysql:/x, c.d", MATCH_DOMAIN, "c.d", MAP_ERROR},
	{"a match before the error", "a.b, fail:x", MATCH_DOMAIN, "a.b", MAP_FOUND},
	{"a network", "127.0.0.0/8 10.1.0.0/16", MATCH_NETWORK, "10.1.2.3", MAP_FOUND},
	{"not the network", "127.0.0.0/8 10.1.0.0/16", MATCH_NETWORK, "10.2.2.3", MAP_NOT_FOUND},
	{"a network with an odd prefix", "192.0.2.128/25", MATCH_NETWORK, "192.0.2.127",
		MAP_NOT_FOUND},
	{"IPv6", "[::1]/128 [2001:db8::]/32", MATCH_NETWORK, "2001:db8::9", MAP_FOUND},
	{"IPv6, brackets around all", "[2001:db8::/32]", MATCH_NETWORK, "2001:db8::9", MAP_FOUND},
	{"IPv6 without brackets", "2001:db8::/32", MATCH_NETWORK, "2001:db8::9", MAP_FOUND},
	{"an address", "192.0.2.1", MATCH_NETWORK, "192.0.2.1", MAP_FOUND},
	{"an address that is excluded", "!192.0.2.1, 192.0.2.0/24", MATCH_NETWORK, "192.0.2.1",
		MAP_NOT_FOUND},
	{"everything", "0.0.0.0/0", MATCH_NETWORK, "8.8.8.8", MAP_FOUND},
	{"strings", "One two", MATCH_STRING, "one", MAP_FOUND},
	{"nothing matches an empty list", "", MATCH_DOMAIN, "a", MAP_NOT_FOUND},
};

static void test_match_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(matches); i++) {
		char *error = NULL;
		struct match_list *list =
			match_list_open(conf, matches[i].patterns, matches[i].kind, &error);
		if (list == NULL)
			fail_msg("%s: %s", matches[i].what, error);
		if (match_list_check(list, span_from_cstr(matches[i].key)) != matches[i].result)
			fail_msg("%s", matches[i].what);
		match_list_close(list);
	}
}

static void test_match_list_of_a_file(void **state)
{
	char path[200], *error = NULL;

	(void)state;
	snprintf(path, sizeof path, "!c.example, %s/list", folder);
	struct match_list *list = match_list_open(conf, path, MATCH_DOMAIN, &error);
	assert_non_null(list);
	assert_int_equal(match_list_check(list, SPAN("a.example")), MAP_FOUND);
	assert_int_equal(match_list_check(list, SPAN("x.b.example")), MAP_FOUND);
	assert_int_equal(match_list_check(list, SPAN("c.example")), MAP_NOT_FOUND);
	match_list_close(list);
	static const char *const bad[] = {
		"/no/such/file", "10.0.0.1/8", "10.0.0.0/33", "a, !", "foo:bar"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (match_list_open(conf, bad[i], MATCH_NETWORK, &error) != NULL)
			fail_msg("accepted: %s", bad[i]);
		free(error);
	}
}

static void test_map_lists(void **state)
{
	char *error = NULL;
	struct buf out = BUF_INIT(100);
	struct map_list *list =
		map_list_open(conf, "inline:{a=1}, unionmap:{static:x, static:y}", 0, &error);

	(void)state;
	assert_int_equal(map_list_count(list), 2);
	assert_int_equal(map_list_lookup(list, SPAN("a"), &out), MAP_FOUND);
	assert_string_equal(buf_cstr(&out), "1");
	buf_reset(&out);
	assert_int_equal(map_list_lookup(list, SPAN("b"), &out), MAP_FOUND);
	assert_string_equal(buf_cstr(&out), "x,y");
	map_list_close(list);
	list = map_list_open(conf, "", 0, &error);
	assert_true(map_list_is_empty(list));
	map_list_close(list);
	assert_null(map_list_open(conf, "static:a, nosuch:b", 0, &error));
	free(error);
	buf_done(&out);
}

static int set_up(void **state)
{
	char *error = NULL;
	(void)state;
	log_set_sink(keep_line);
	conf = conf_parse("/etc/x", "", SPAN("compatibility_level = 3.6"), &error);
	if (mkdtemp(folder) == NULL)
		return 1;
	set_up_files();
	return conf == NULL;
}

static int tear_down(void **state)
{
	char command[300];
	(void)state;
	conf_free(conf);
	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	return system(command);
}

/* --- behind proxy --- */

static char asked[300];
static unsigned asked_flags;

static enum map_result answer_as_proxy(
	const char *spec, unsigned flags, struct span key, struct buf *ret_value)
{
	snprintf(asked, sizeof asked, "%s %.*s", spec, SPAN_ARGS(key));
	asked_flags = flags;
	if (span_equal(key, SPAN("outage")))
		return MAP_ERROR;
	if (!span_equal(key, SPAN("there")))
		return MAP_NOT_FOUND;
	buf_append_cstr(ret_value, "from there");
	return MAP_FOUND;
}

static const struct {
	const char *what, *spec, *key;
	enum map_result result;
	const char *value, *asked;
} proxy_rows[] = {
	{"a table that can be read here is", "proxy:inline:{there=here}", "there", MAP_FOUND, "here",
		""},
	{"and answers alone", "proxy:inline:{a=1}", "there", MAP_NOT_FOUND, "", ""},
	{"a file that cannot be read is asked there", "proxy:texthash:/none/x", "there", MAP_FOUND,
		"from there", "texthash:/none/x there"},
	{"nothing is found there", "proxy:texthash:/none/x", "b", MAP_NOT_FOUND, "",
		"texthash:/none/x b"},
	{"an outage there is an error", "proxy:texthash:/none/x", "outage", MAP_ERROR, "",
		"texthash:/none/x outage"},
	{"without proxy: a missing file is an error", "texthash:/none/x", "there", MAP_ERROR, "", ""},
	{"a type that blocks is asked there", "ldap:/none/x", "there", MAP_FOUND, "from there",
		"ldap:/none/x there"},
	{"and behind proxy: once", "proxy:ldap:/none/x", "there", MAP_FOUND, "from there",
		"ldap:/none/x there"},
	{"a union with one member unread is asked whole", "proxy:unionmap:{static:a, texthash:/none/x}",
		"there", MAP_FOUND, "from there", "unionmap:{static:a, texthash:/none/x} there"},
	{"a union within which proxy: stands", "unionmap:{static:a, proxy:texthash:/none/x}", "there",
		MAP_FOUND, "a,from there", "texthash:/none/x there"},
};

static void test_behind_proxy(void **state)
{
	(void)state;
	map_set_proxy(answer_as_proxy);
	for (size_t i = 0; i < ARRAY_LEN(proxy_rows); i++) {
		struct buf value = BUF_INIT(1000);
		char *error = NULL;
		struct map *map = map_open(conf, proxy_rows[i].spec, MAP_NO_SUBSTITUTE, &error);
		asked[0] = '\0';
		if (map == NULL)
			fail_msg("%s: %s", proxy_rows[i].what, error);
		if (map_lookup(map, span_from_cstr(proxy_rows[i].key), &value) != proxy_rows[i].result ||
			strcmp(buf_cstr(&value), proxy_rows[i].value) != 0 ||
			strcmp(asked, proxy_rows[i].asked) != 0)
			fail_msg("%s: value \"%s\", asked \"%s\"", proxy_rows[i].what,
				buf_cstr(&value), asked);
		if (asked[0] != '\0')
			assert_int_equal(asked_flags, MAP_NO_SUBSTITUTE);
		map_close(map);
		buf_done(&value);
	}
	map_set_proxy(NULL);
}

/* Partial keys must not be tried on a pattern, whoever reads it. */
static void test_a_pattern_behind_proxy_is_one(void **state)
{
	char *error = NULL;
	(void)state;
	map_set_proxy(answer_as_proxy);
	struct map *map = map_open(conf, "proxy:regexp:/none/x", 0, &error);
	assert_true(map_is_pattern(map));
	map_close(map);
	map = map_open(conf, "proxy:texthash:/none/x", 0, &error);
	assert_false(map_is_pattern(map));
	map_close(map);
	map_set_proxy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookups),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_accounts),
		cmocka_unit_test(test_evil_pattern_ends),
		cmocka_unit_test(test_substitution_can_be_refused),
		cmocka_unit_test(test_indexed),
		cmocka_unit_test(test_missing_database_names_postmap),
		cmocka_unit_test(test_damaged_database),
		cmocka_unit_test(test_match_lists),
		cmocka_unit_test(test_match_list_of_a_file),
		cmocka_unit_test(test_map_lists),
		cmocka_unit_test(test_behind_proxy),
		cmocka_unit_test(test_a_pattern_behind_proxy_is_one),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
