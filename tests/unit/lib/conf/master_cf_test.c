/* master.cf: columns, arguments, overrides and errors.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/check.h"
#include "conf/master_cf.h"

static const char sample[] =
	"# a comment\n"
	"smtp inet n - y - - smtpd\n"
	"submission inet n - n - 10 smtpd -v -v\n"
	"  -o syslog_name=postfix/$service_name -D\n"
	"# within\n"
	"  -o { smtpd_client_restrictions = permit_sasl_authenticated, reject }\n"
	"flush unix n - - 1000? 0 flush\n"
	"maildrop unix - n n - - pipe -o x=y\n"
	"  flags=DRhu user=vmail argv={ /usr/bin/x } { a b } -o no=override\n"
	"smtp inet n - n - 7 smtpd -oa=b\n";

static void test_services(void **state)
{
	char *error = NULL;
	struct master_cf *m = master_cf_parse(span_from_cstr(sample), "master.cf", &error);

	(void)state;
	assert_non_null(m);
	assert_int_equal(m->count, 4);

	const struct master_service *smtp = master_cf_find(m, "smtp", MASTER_INET);
	assert_int_equal(smtp->process_limit, 7);
	assert_int_equal(smtp->chroot, 'n');
	assert_string_equal(smtp->overrides[0].name, "a");
	assert_string_equal(smtp->overrides[0].value, "b");
	assert_false(smtp->is_private);
	assert_true(smtp->unprivileged);

	const struct master_service *submission = master_cf_find(m, "submission", MASTER_INET);
	assert_int_equal(submission->verbose, 2);
	assert_true(submission->debug);
	assert_int_equal(submission->override_count, 2);
	assert_string_equal(submission->overrides[0].value, "postfix/$service_name");
	assert_string_equal(submission->overrides[1].name, "smtpd_client_restrictions");
	assert_string_equal(submission->overrides[1].value, "permit_sasl_authenticated, reject");
	assert_int_equal(submission->line, 3);

	const struct master_service *flush = master_cf_find(m, "flush", MASTER_UNIX);
	assert_int_equal(flush->wakeup, 1000);
	assert_true(flush->wakeup_if_used);
	assert_int_equal(flush->process_limit, 0);
	assert_false(flush->is_private);

	const struct master_service *maildrop = master_cf_find(m, "maildrop", MASTER_UNIX);
	assert_false(maildrop->unprivileged);
	assert_true(maildrop->is_private);
	assert_int_equal(maildrop->override_count, 1);
	assert_int_equal(maildrop->operands, 2);
	assert_string_equal(maildrop->args[2], "flags=DRhu");
	assert_int_equal(maildrop->process_limit, -1);
	assert_null(maildrop->args[maildrop->arg_count]);
	assert_null(master_cf_find(m, "smtp", MASTER_UNIX));
	master_cf_free(m);
}

static void test_refused(void **state)
{
	static const struct {
		const char *what, *text;
	} rows[] = {
		{"too few columns", "smtp inet n - y - -\n"},
		{"an unknown type", "smtp tcp n - y - - smtpd\n"},
		{"a bad flag", "smtp inet n - yes - - smtpd\n"},
		{"a bad limit", "smtp inet n - y - many smtpd\n"},
		{"a bad wakeup", "smtp inet n - y x - smtpd\n"},
		{"a private inet service", "smtp inet y - y - - smtpd\n"},
		{"a program with a path", "smtp inet n - y - - /bin/sh\n"},
		{"an override without =", "smtp inet n - y - - smtpd -o x\n"},
		{"an override at the end", "smtp inet n - y - - smtpd -o\n"},
		{"an open brace", "smtp inet n - y - - smtpd -o { x = y\n"},
		{"text behind a brace", "smtp inet n - y - - smtpd -o {x=y}z\n"},
		{"white space first", " smtp inet n - y - - smtpd\n"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *error = NULL;
		if (master_cf_parse(span_from_cstr(rows[i].text), "/x/master.cf", &error) != NULL)
			fail_msg("%s: accepted", rows[i].what);
		assert_true(strncmp(error, "/x/master.cf, line 1: ", 22) == 0);
		free(error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
