/* main.cf as a service sees it: lines, last wins, defaults, typed reads.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "conf/conf.h"
#include "conf/master_cf.h"
#include "conf/parameter.h"
#include "base/log.h"

static char last_line[LOG_LINE_MAX + 1];

static void keep_line(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)len;
	snprintf(last_line, sizeof last_line, "%s", line);
}

static struct conf *parse(const char *text)
{
	char *error = NULL;
	struct conf *conf = conf_parse("/etc/x", "svc", span_from_cstr(text), &error);

	if (conf == NULL)
		fail_msg("%s", error);
	return conf;
}

static const struct {
	const char *what, *text, *name, *value;
} values[] = {
	{"a value", "relayhost = x\n", "relayhost", "x"},
	{"no space around =", "relayhost=x", "relayhost", "x"},
	{"the last one wins", "relayhost = x\nrelayhost = y\n", "relayhost", "y"},
	{"empty differs from unset", "smtpd_banner =\n", "smtpd_banner", ""},
	{"continuation", "relayhost = a,\n  b\n", "relayhost", "a,  b"},
	{"a comment does not end a line", "relayhost = a,\n# c\n\n\tb\n", "relayhost", "a,\tb"},
	{"# within a value is data", "relayhost = a # b\n", "relayhost", "a # b"},
	{"CR LF line ends", "relayhost = a\r\nrelay_domains = b\r\n", "relayhost", "a"},
	{"a default", "", "smtpd_tls_security_level", ""},
	{"a default that refers to another", "smtpd_tls_cert_file = /c", "smtpd_tls_key_file",
		"/c"},
	{"ours follow smtpd's", "smtpd_tls_cert_file = /c", "imapd_tls_key_file", "/c"},
	{"a user's own name", "mine = 1\nrelayhost = $mine", "relayhost", "1"},
	{"a default by rule", "default_destination_concurrency_limit = 7",
		"fast_destination_concurrency_limit", "7"},
	{"a row goes before a rule", "", "local_destination_concurrency_limit", "2"},
	{"mydomain of myhostname", "myhostname = a.b.c", "mydomain", "b.c"},
	{"mydomain of a name without a dot", "myhostname = a", "mydomain", "localdomain"},
	{"service_name", "relayhost = $service_name", "relayhost", "svc"},
	{"syslog_name", "", "syslog_name", "postfix"},
	{"syslog_name of an instance", "multi_instance_name = two", "syslog_name", "two"},
	{"compatibility level 0", "", "append_dot_mydomain", "yes"},
	{"compatibility level 3.6", "compatibility_level = 3.6", "append_dot_mydomain", "no"},
	{"an old name still counts", "virtual_maps = hash:/x", "virtual_alias_maps", "hash:/x"},
	{"the daemon's own names stay", "", "forward_path",
		"$home/.forward${recipient_delimiter}${extension}, $home/.forward"},
};

static void test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct conf *conf = parse(values[i].text);
		const char *value = conf_get(conf, values[i].name);
		if (value == NULL || strcmp(value, values[i].value) != 0)
			fail_msg(
				"%s: got \"%s\"", values[i].what, value == NULL ? "(null)" : value);
		conf_free(conf);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *what, *text, *error;
	} rows[] = {
		{"no =", "relayhost\n", "/etc/x/main.cf, line 1: missing '=' after attribute name"},
		{"two words", "a = b\n\nx y = z\n", "/etc/x/main.cf, line 3: missing '='"},
		{"no name", "= z\n", "/etc/x/main.cf, line 1: missing attribute name"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *error = NULL;
		assert_null(conf_parse("/etc/x", "", span_from_cstr(rows[i].text), &error));
		if (strncmp(error, rows[i].error, strlen(rows[i].error)) != 0)
			fail_msg("%s: got %s", rows[i].what, error);
		free(error);
	}
}

static void test_leading_white_space_is_told(void **state)
{
	(void)state;
	last_line[0] = '\0';
	struct conf *conf = parse("# c\n relayhost = x\n");
	assert_non_null(strstr(last_line, "must not start with whitespace"));
	assert_false(conf_is_set(conf, "relayhost"));
	conf_free(conf);
}

static void test_unknown_name(void **state)
{
	(void)state;
	struct conf *conf = parse("");
	assert_null(conf_get(conf, "no_such_thing"));
	conf_free(conf);
}

struct settings {
	const char *banner;
	bool wrapper;
	int64_t limit, timeout, size, hours;
};

static const struct setting settings[] = {
	SETTING("smtpd_banner", SETTING_STRING, settings, banner),
	SETTING("%s_tls_wrappermode", SETTING_BOOL, settings, wrapper),
	SETTING("smtpd_soft_error_limit", SETTING_INT, settings, limit),
	SETTING("smtpd_error_sleep_time", SETTING_TIME, settings, timeout),
	SETTING("journal_inline_limit", SETTING_INT, settings, size),
	SETTING("delay_warning_time", SETTING_TIME, settings, hours),
};

static void test_settings(void **state)
{
	struct settings s = {0};
	struct conf *conf = parse("myhostname = h.x\nimapd_tls_wrappermode = Yes\n"
				  "smtpd_error_sleep_time = 2m\ndelay_warning_time = 4\n");

	(void)state;
	assert_int_equal(settings_read(conf, settings, ARRAY_LEN(settings), "imapd", &s), 0);
	assert_string_equal(s.banner, "h.x ESMTP Postfix");
	assert_true(s.wrapper);
	assert_int_equal(s.limit, 10);
	assert_int_equal(s.timeout, 120000);
	assert_int_equal(s.size, 256 << 10);
	assert_int_equal(s.hours, 4 * 3600 * 1000);
	conf_free(conf);
}

static void test_unusable_values(void **state)
{
	static const char *const texts[] = {"smtpd_tls_wrappermode = maybe",
		"smtpd_soft_error_limit = x", "smtpd_soft_error_limit = -1",
		"smtpd_error_sleep_time = 3y", "smtpd_banner = ${x"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct settings s = {0};
		struct conf *conf = parse(texts[i]);
		assert_int_not_equal(
			settings_read(conf, settings, ARRAY_LEN(settings), "smtpd", &s), 0);
		assert_int_equal(conf_error_count(conf), 1);
		assert_non_null(strstr(last_line, "/etc/x/main.cf, line 1: "));
		if (i < 4) /* the default is used */
			assert_true(!s.wrapper && s.limit == 10 && s.timeout == 1000);
		conf_free(conf);
	}
}

static void test_every_default_is_usable(void **state)
{
	size_t count;
	const struct parameter *const *rows = parameter_sorted(&count);
	struct conf *conf = parse("");

	(void)state;
	assert_true(count > 800);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && strcmp(rows[i - 1]->name, rows[i]->name) == 0)
			fail_msg("%s stands in the tables twice", rows[i]->name);
		const char *name = rows[i]->name;
		assert_non_null(conf_get(conf, name));
		if (rows[i]->type == PARAMETER_BOOL)
			conf_get_bool(conf, name);
		else if (rows[i]->type == PARAMETER_TIME)
			conf_get_time(conf, name);
		else if (rows[i]->type == PARAMETER_INT || rows[i]->type == PARAMETER_SIZE)
			conf_get_int(conf, name);
		if (conf_error_count(conf) != 0)
			fail_msg("%s", last_line);
	}
	conf_free(conf);
}

struct told {
	size_t warnings, errors;
	char last[500];
};

static void keep_told(void *arg, bool is_error, const char *text)
{
	struct told *told = arg;
	told->warnings += !is_error;
	told->errors += is_error;
	snprintf(told->last, sizeof told->last, "%s", text);
}

static void test_check(void **state)
{
	static const struct {
		const char *what, *text;
		size_t warnings, errors;
	} rows[] = {
		{"nothing to say", "relayhost = x\nmine = 1\nmydestination = $mine\n", 0, 0},
		{"a name that nothing refers to", "mine = 1\n", 1, 0},
		{"a class of restrictions", "smtpd_restriction_classes = mine\nmine = reject\n", 0,
			0},
		{"an old name that a default refers to", "virtual_maps = x\n", 0, 0},
		{"a bad number", "smtpd_soft_error_limit = many\n", 0, 1},
		{"a bad time by rule", "x_destination_rate_delay = 1q\n", 0, 1},
		{"a bad word", "maildir_sync = never\n", 0, 1},
		{"a reference without an end", "relayhost = ${x\n", 0, 1},
		{"a name that a service refers to", "of_service = x\n", 0, 0},
		{"a restriction that is not there yet",
			"smtpd_recipient_restrictions = check_policy_service unix:private/x\n", 0, 1},
		{"one behind a name", "mine = reject_rbl_client rbl.example, permit\n"
			"smtpd_client_restrictions = permit_mynetworks $mine\n", 0, 1},
		{"one in a class", "smtpd_restriction_classes = mine\nmine = reject_unverified_sender\n",
			0, 1},
		{"one that is there", "smtpd_relay_restrictions = reject_unauth_destination\n", 0, 0},
	};
	static const char services[] = "a unix - - n - - smtp -o relayhost=$of_service\n";
	char *error = NULL;
	struct master_cf *master_cf = master_cf_parse(span_from_cstr(services), "m", &error);

	(void)state;
	assert_non_null(master_cf);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct told told = {0};
		struct conf *conf = parse(rows[i].text);
		size_t errors = conf_check(conf, master_cf, keep_told, &told);
		if (errors != rows[i].errors || told.errors != errors ||
			told.warnings != rows[i].warnings)
			fail_msg("%s: %zu warnings, %zu errors: %s", rows[i].what, told.warnings,
				errors, told.last);
		conf_free(conf);
	}
	master_cf_free(master_cf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_leading_white_space_is_told),
		cmocka_unit_test(test_unknown_name),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_unusable_values),
		cmocka_unit_test(test_every_default_is_usable),
		cmocka_unit_test(test_check),
	};
	log_set_sink(keep_line);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
