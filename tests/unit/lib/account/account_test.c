/* The account resolver: one answer for delivery and login.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "account/account.h"
#include "base/check.h"

struct fixture {
	char dir[64];
	struct conf *conf;
	struct route *route;
	struct accounts *accounts;
};

static void write_text(const char *dir, const char *name, const char *text)
{
	char path[200];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char text[2000], *error = NULL;
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/tambo-account-XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	(void)snprintf(text, sizeof(text),
		"myhostname = mail.example.test\nmydomain = example.test\nmyorigin = example.test\n"
		"mydestination = example.test\nhome_mailbox = Mail/\nrecipient_delimiter = +\n"
		"auth_user_maps = passwdfile:%s/users system\n"
		"virtual_mailbox_domains = virtual.test\nvirtual_mailbox_base = /var/vmail\n"
		"virtual_mailbox_maps = inline:{ ann@virtual.test=virtual.test/ann/ box@virtual.test=box "
		"up@virtual.test=../../etc/ low@virtual.test=low/ }\n"
		"virtual_uid_maps = inline:{ low@virtual.test=5 @virtual.test=5000 }\n"
		"virtual_gid_maps = static:5000\n", f->dir);
	write_text(f->dir, "main.cf", text);
	write_text(f->dir, "users",
		"bob:{PLAIN}secret:1001:1002:Bob:/home/bob:/bin/sh:\n"
		"carl:{PLAIN}x:1003:1003::/home/carl::userdb_mail=maildir:~/M:INDEX=x nologin\n"
		"mb@example.test:{PLAIN}x:1004:1004::/home/mb::userdb_mail=mbox:/var/mail/mb\n"
		"super:{PLAIN}x:0:0::/root::\n"
		"homeless:{PLAIN}x:1005:1005::::\n"
		"escape:{PLAIN}x:1005:1005::/home/../etc::\n"
		"ann@virtual.test:{PLAIN}annsecret::::::\n");
	f->conf = conf_load(f->dir, "test", NULL, 0, &error);
	assert_non_null(f->conf);
	f->route = route_open(f->conf, &error);
	assert_non_null(f->route);
	f->accounts = accounts_open(f->conf, f->route, &error);
	assert_non_null(f->accounts);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char path[200];
	accounts_close(f->accounts);
	route_close(f->route);
	conf_free(f->conf);
	(void)snprintf(path, sizeof(path), "%s/main.cf", f->dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/users", f->dir);
	(void)unlink(path);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

enum asked { LOGIN, USER, VIRTUAL };

static const struct {
	const char *name;
	enum asked by;
	const char *key;
	enum account_status status;
	const char *canonical, *mailbox;
	bool maildir;
	const char *password;
	uid_t uid;
} cases[] = {
	{"a name of the table", LOGIN, "bob", ACCOUNT_FOUND, "bob", "/home/bob/Mail", true,
		"{PLAIN}secret", 1001},
	{"the same with the local domain", LOGIN, "bob@example.test", ACCOUNT_FOUND, "bob",
		"/home/bob/Mail", true, "{PLAIN}secret", 1001},
	{"another case", LOGIN, "BOB", ACCOUNT_FOUND, "bob", "/home/bob/Mail", true,
		"{PLAIN}secret", 1001},
	{"delivery finds the same", USER, "bob", ACCOUNT_FOUND, "bob", "/home/bob/Mail", true,
		"{PLAIN}secret", 1001},
	{"userdb_mail with options", LOGIN, "carl", ACCOUNT_FOUND, "carl", "/home/carl/M", true,
		"{PLAIN}x", 1003},
	{"an address as name, mbox", LOGIN, "mb@example.test", ACCOUNT_FOUND, "mb@example.test",
		"/var/mail/mb", false, "{PLAIN}x", 1004},
	{"delivery finds it by myorigin", USER, "mb", ACCOUNT_FOUND, "mb@example.test",
		"/var/mail/mb", false, "{PLAIN}x", 1004},
	{"uid 0 of a table", LOGIN, "super", ACCOUNT_UNUSABLE, NULL, NULL, false, NULL, 0},
	{"root of the system", USER, "root", ACCOUNT_UNUSABLE, NULL, NULL, false, NULL, 0},
	{"no home", LOGIN, "homeless", ACCOUNT_UNUSABLE, NULL, NULL, false, NULL, 0},
	{"a path that climbs", LOGIN, "escape", ACCOUNT_UNUSABLE, NULL, NULL, false, NULL, 0},
	{"nobody of that name", LOGIN, "nosuchuser1", ACCOUNT_NOT_FOUND, NULL, NULL, false, NULL, 0},
	{"a slash", USER, "a/b", ACCOUNT_NOT_FOUND, NULL, NULL, false, NULL, 0},
	{"dots", USER, "..", ACCOUNT_NOT_FOUND, NULL, NULL, false, NULL, 0},
	{"empty", LOGIN, "", ACCOUNT_NOT_FOUND, NULL, NULL, false, NULL, 0},
	{"a system account", USER, "daemon", ACCOUNT_FOUND, "daemon", "/usr/sbin/Mail", true, "", 1},
	{"virtual with password", LOGIN, "ann@virtual.test", ACCOUNT_FOUND, "ann@virtual.test",
		"/var/vmail/virtual.test/ann", true, "{PLAIN}annsecret", 5000},
	{"virtual with extension", VIRTUAL, "Ann+work@virtual.test", ACCOUNT_FOUND,
		"ann@virtual.test", "/var/vmail/virtual.test/ann", true, "", 5000},
	{"virtual without password", LOGIN, "box@virtual.test", ACCOUNT_NOT_FOUND, NULL, NULL, false,
		NULL, 0},
	{"virtual mbox", VIRTUAL, "box@virtual.test", ACCOUNT_FOUND, "box@virtual.test",
		"/var/vmail/box", false, "", 5000},
	{"virtual path that climbs", VIRTUAL, "up@virtual.test", ACCOUNT_UNUSABLE, NULL, NULL, false,
		NULL, 0},
	{"below virtual_minimum_uid", VIRTUAL, "low@virtual.test", ACCOUNT_UNUSABLE, NULL, NULL,
		false, NULL, 0},
	{"no such virtual mailbox", VIRTUAL, "no@virtual.test", ACCOUNT_NOT_FOUND, NULL, NULL, false,
		NULL, 0},
	{"a local user in a virtual domain", LOGIN, "bob@virtual.test", ACCOUNT_NOT_FOUND, NULL, NULL,
		false, NULL, 0},
};

static void resolves(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct account account;
		struct span key = span_from_cstr(cases[i].key);
		account_init(&account);
		enum account_status status = cases[i].by == LOGIN
			? account_by_login(f->accounts, key, &account)
			: cases[i].by == USER ? account_by_user(f->accounts, key, &account)
			: account_by_virtual_address(f->accounts, key, &account);
		if (status != cases[i].status)
			fail_msg("%s: status %d, %s", cases[i].name, (int)status,
				buf_cstr(&account.problem));
		if (status == ACCOUNT_FOUND) {
			print_message("%s\n", cases[i].name);
			assert_string_equal(buf_cstr(&account.name), cases[i].canonical);
			assert_string_equal(buf_cstr(&account.mailbox), cases[i].mailbox);
			assert_int_equal(account.maildir, cases[i].maildir);
			assert_string_equal(buf_cstr(&account.password), cases[i].password);
			if (geteuid() == 0)
				assert_int_equal(account.uid, cases[i].uid);
		}
		account_done(&account);
	}
}

static void extra_fields(void **state)
{
	struct span value;
	(void)state;
	assert_true(account_extra(SPAN("a=1 nologin userdb_mail=maildir:/x"), "userdb_mail", &value));
	assert_true(span_equal(value, SPAN("maildir:/x")));
	assert_true(account_extra(SPAN("a=1 nologin"), "nologin", &value));
	assert_int_equal(value.len, 0);
	assert_false(account_extra(SPAN("anologin nologinx"), "nologin", &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(resolves, setup, teardown),
		cmocka_unit_test(extra_fields),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
