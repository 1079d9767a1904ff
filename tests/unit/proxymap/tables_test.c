/* Which tables proxymap serves, and what it answers.
 * SPDX-License-Identifier: ISC */
#include "proxymap/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "map/map.h"
#include "proxymap/settings.h"
#include "service/limits.h"

static char folder[] = "/tmp/tambo-proxymap-XXXXXX";
static struct conf *conf;
static struct tables *tables;

static const char main_cf[] =
	"virtual_alias_maps = proxy:inline:{a=1}, inline:{secret=1}, proxy:regexp:$config_directory/re\n"
	"relay_domains = example.com, unionmap:{proxy:inline:{u=2}, static:other}\n"
	"smtpd_recipient_restrictions = permit_mynetworks\n"
	"  { check_client_access { proxy:inline:{c=3} } } check_sender_access proxy:inline:{a=1}\n"
	"transport_maps = ldap:/none/x proxy:texthash:$config_directory/none proxy:nonsense:x\n";

static void write_file(const char *name, const char *text)
{
	char path[300];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
	char *error = NULL;
	(void)state;
	assert_non_null(mkdtemp(folder));
	write_file("main.cf", main_cf);
	write_file("re", "/^(x.*)/ $1\n");
	conf = conf_load(folder, "proxymap", NULL, 0, &error);
	assert_non_null(conf);
	tables = tables_new(conf);
	assert_int_equal(settings_read_tables(conf, tables), 0);
	return 0;
}

static int tear_down(void **state)
{
	char path[300];
	(void)state;
	tables_free(tables);
	conf_free(conf);
	snprintf(path, sizeof path, "%s/main.cf", folder);
	unlink(path);
	snprintf(path, sizeof path, "%s/re", folder);
	unlink(path);
	return rmdir(folder);
}

static const struct {
	const char *what, *table;
	uint32_t flags;
	const char *key;
	uint32_t status;
	const char *text; /* the value, or a part of the error */
} rows[] = {
	{"a table behind proxy:", "inline:{a=1}", 0, "a", PROXYMAP_FOUND, "1"},
	{"the key is folded when asked for", "inline:{a=1}", MAP_FOLD_FIXED, "A", PROXYMAP_FOUND, "1"},
	{"and only then", "inline:{a=1}", 0, "A", PROXYMAP_NOT_FOUND, ""},
	{"not found", "inline:{a=1}", 0, "b", PROXYMAP_NOT_FOUND, ""},
	{"an empty key", "inline:{a=1}", 0, "", PROXYMAP_NOT_FOUND, ""},
	{"within a union", "inline:{u=2}", 0, "u", PROXYMAP_FOUND, "2"},
	{"within braces of a restriction", "inline:{c=3}", 0, "c", PROXYMAP_FOUND, "3"},
	{"a table without proxy: is not served", "inline:{secret=1}", 0, "secret", PROXYMAP_ERROR,
		"is not named with proxy:"},
	{"nor one that nobody named", "texthash:/etc/shadow", 0, "root", PROXYMAP_ERROR,
		"is not named with proxy:"},
	{"nor one with the prefix", "proxy:inline:{a=1}", 0, "a", PROXYMAP_ERROR,
		"is not named with proxy:"},
	{"nor no table", "", 0, "a", PROXYMAP_ERROR, "is not named with proxy:"},
	{"a file that is not there is an error", "texthash:%s/none", 0, "a", PROXYMAP_ERROR,
		"No such file"},
	{"a type that blocks needs no proxy:", "ldap:/none/x", 0, "a", PROXYMAP_ERROR,
		"unsupported dictionary type: ldap"},
	{"an unknown type is an error", "nonsense:x", 0, "a", PROXYMAP_ERROR,
		"unsupported dictionary type: nonsense"},
	{"a pattern", "regexp:%s/re", 0, "xyz", PROXYMAP_FOUND, "xyz"},
	{"refuses substitution where it is unsafe", "regexp:%s/re", MAP_NO_SUBSTITUTE, "xyz",
		PROXYMAP_NOT_FOUND, ""},
	{"accounts of the host", "unix:passwd.byname", 0, "root", PROXYMAP_FOUND, "root:"},
	{"and no other", "unix:passwd.byname", 0, "no-such-user", PROXYMAP_NOT_FOUND, ""},
};

static void what_is_answered(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf value = BUF_INIT(PROXYMAP_VALUE_MAX), error = BUF_INIT(LIMIT_TEXT);
		char table[300];
		const char *at = strstr(rows[i].table, "%s");
		if (at != NULL)
			snprintf(table, sizeof table, "%.*s%s%s", (int)(at - rows[i].table), rows[i].table,
				folder, at + 2);
		else
			snprintf(table, sizeof table, "%s", rows[i].table);
		struct map_question question = {
			span_from_cstr(table), rows[i].flags, span_from_cstr(rows[i].key)};
		struct map_answer answer;
		tables_ask(tables, &question, &value, &error, &answer);
		struct span text = answer.status == PROXYMAP_FOUND ? answer.value : answer.error;
		if (answer.status != rows[i].status ||
			span_find(text, span_from_cstr(rows[i].text)) == SIZE_MAX)
			fail_msg("%s: status %u, \"%.*s\"", rows[i].what, answer.status, SPAN_ARGS(text));
		buf_done(&value);
		buf_done(&error);
	}
}

static void a_value_that_is_too_long_is_an_error(void **state)
{
	struct buf value = BUF_INIT(2), error = BUF_INIT(LIMIT_TEXT);
	struct map_question question = {SPAN("unix:passwd.byname"), 0, SPAN("root")};
	struct map_answer answer;
	(void)state;
	tables_ask(tables, &question, &value, &error, &answer);
	assert_int_equal(answer.status, PROXYMAP_ERROR);
	assert_int_equal(answer.value.len, 0);
	/* And spoils nothing for the next. */
	question = (struct map_question){SPAN("inline:{a=1}"), 0, SPAN("a")};
	tables_ask(tables, &question, &value, &error, &answer);
	assert_int_equal(answer.status, PROXYMAP_FOUND);
	buf_done(&value);
	buf_done(&error);
}

static void a_table_that_is_named_twice_is_one(void **state)
{
	size_t before = tables_count(tables);
	(void)state;
	tables_add(tables, SPAN("inline:{a=1}"));
	tables_add(tables, SPAN(" inline:{a=1} "));
	assert_int_equal(tables_count(tables), before);
}

static void there_are_not_more_than_the_limit(void **state)
{
	struct tables *many = tables_new(conf);
	(void)state;
	for (int i = 0; i < TABLES_MAX + 10; i++) {
		char spec[40];
		snprintf(spec, sizeof spec, "static:%d", i);
		tables_add(many, span_from_cstr(spec));
	}
	assert_int_equal(tables_count(many), TABLES_MAX);
	tables_free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_answered),
		cmocka_unit_test(a_value_that_is_too_long_is_an_error),
		cmocka_unit_test(a_table_that_is_named_twice_is_one),
		cmocka_unit_test(there_are_not_more_than_the_limit),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
