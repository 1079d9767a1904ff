/* The tables of master: names of programs, who may ask for whom, which files of root.
 * SPDX-License-Identifier: ISC */
#include "master/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const postfix_names[] = {
	"anvil", "bounce", "cleanup", "discard", "dnsblog", "error", "flush", "lmtp", "local",
	"nbdb_reindexd", "oqmgr", "pickup", "pipe", "postlogd", "postscreen", "proxymap", "qmgr",
	"qmqpd", "scache", "showq", "smtp", "smtpd", "spawn", "tlsmgr", "tlsproxy", "trivial-rewrite",
	"verify", "virtual",
};

static void every_name_of_postfix_is_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof postfix_names / sizeof postfix_names[0]; i++) {
		const struct program *program = program_find(postfix_names[i]);
		assert_non_null(program);
		/* What runs nothing says why. */
		if (program->room == NULL)
			assert_non_null(program->note);
	}
	assert_null(program_find("sh"));
	assert_null(program_find(""));
	assert_null(program_find("../smtpd"));
}

static void rooms_and_names_are_whole(void **state)
{
	(void)state;
	for (size_t i = 0; program_at(i) != NULL; i++) {
		const struct program *program = program_at(i);
		assert_ptr_equal(program_find(program->name), program); /* none twice */
		assert_in_range(program->user, 0, PROGRAM_USERS - 1);
		if (program->room != NULL)
			assert_non_null(program_find(program->room));
		assert_false(program->room == NULL && !program->built_in &&
			!(program->flags & PROGRAM_MISSING));
	}
}

static void network_processes_live_in_an_empty_root(void **state)
{
	static const char *const names[] = {"smtpd", "smtp", "imapd", "pop3d", "postscreen", "lmtpd"};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		assert_true(program_find(names[i])->flags & PROGRAM_CHROOT);
		assert_int_equal(program_find(names[i])->user, PROGRAM_NET);
	}
}

static const struct {
	const char *name, *asker, *target;
	bool allowed;
} connect_cases[] = {
	{"smtpd hands mail to cleanup", "smtpd", "cleanup", true},
	{"smtpd asks auth", "smtpd", "auth", true},
	{"smtpd does not reach the queue manager", "smtpd", "qmgr", false},
	{"smtpd does not reach local", "smtpd", "local", false},
	{"smtpd does not reach another smtpd", "smtpd", "smtpd", false},
	{"an IMAP front asks auth", "imapd", "auth", true},
	{"an IMAP front has its clients counted", "imapd", "anvil", true},
	{"a POP3 front has its clients counted", "pop3d", "anvil", true},
	{"an IMAP front sends no mail", "imapd", "cleanup", false},
	{"a POP3 front does not reach IMAP", "pop3d", "imapd", false},
	{"smtp reaches no queue", "smtp", "qmgr", false},
	{"smtp reaches no cleanup", "smtp", "cleanup", false},
	{"qmgr asks for deliveries", "qmgr", "local", true},
	{"cleanup tells qmgr", "cleanup", "qmgr", true},
	{"cleanup does not deliver", "cleanup", "local", false},
	{"auth hands in no mail", "auth", "cleanup", false},
	{"an unknown room gets nothing", "sh", "cleanup", false},
};

static void who_may_ask_for_whom(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof connect_cases / sizeof connect_cases[0]; i++)
		if (program_may_connect(connect_cases[i].asker, connect_cases[i].target) !=
			connect_cases[i].allowed)
			fail_msg("%s", connect_cases[i].name);
}

static void workers_are_for_auth_and_local(void **state)
{
	static const char *const rooms[] = {"smtpd", "cleanup", "qmgr", "smtp", "local", "auth",
		"imapd", "pop3d", "proxymap", "anvil"};
	(void)state;
	for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
		bool auth = strcmp(rooms[i], "auth") == 0, local = strcmp(rooms[i], "local") == 0;
		assert_int_equal(program_may_have_worker(rooms[i], "imapd", false), auth);
		assert_int_equal(program_may_have_worker(rooms[i], "pop3d", false), auth);
		assert_int_equal(program_may_have_worker(rooms[i], "local", false), local);
		assert_int_equal(program_may_have_worker(rooms[i], "local", true), local);
		assert_false(program_may_have_worker(rooms[i], "imapd", true));
		assert_false(program_may_have_worker(rooms[i], "smtpd", false));
	}
}

static void rooms_that_have_workers_have_a_program_for_them(void **state)
{
	(void)state;
	for (size_t i = 0; program_at(i) != NULL; i++) {
		const struct program *program = program_at(i);
		const char *room = program->room == NULL ? "" : program->room;
		bool has_workers = program_may_have_worker("auth", room, false) ||
			program_may_have_worker("local", room, false);
		const char *file = program_file(program, true);
		assert_ptr_equal(program_file(program, false), program->room);
		if (!has_workers && program->room != NULL)
			assert_null(file);
		else if (has_workers)
			assert_non_null(file);
	}
	assert_string_equal(program_file(program_find("imapd"), true), "imapd-worker");
	assert_string_equal(program_file(program_find("virtual"), true), "local-worker");
}

static void files_of_root_by_parameter(void **state)
{
	(void)state;
	assert_true(program_may_read("smtpd", "smtpd_tls_key_file"));
	assert_true(program_may_read("imapd", "imapd_tls_key_file"));
	assert_true(program_may_read("smtp", "smtp_sasl_password_maps"));
	assert_true(program_may_read("auth", "auth_user_maps"));
	assert_false(program_may_read("smtpd", "auth_user_maps"));
	assert_false(program_may_read("smtpd", "smtp_sasl_password_maps"));
	assert_false(program_may_read("imapd", "auth_user_maps"));
	assert_false(program_may_read("smtpd", "alias_maps"));
	assert_false(program_may_read("smtpd", "smtpd_tls"));
	assert_false(program_may_read("smtpd", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_of_postfix_is_known),
		cmocka_unit_test(rooms_and_names_are_whole),
		cmocka_unit_test(network_processes_live_in_an_empty_root),
		cmocka_unit_test(who_may_ask_for_whom),
		cmocka_unit_test(workers_are_for_auth_and_local),
		cmocka_unit_test(rooms_that_have_workers_have_a_program_for_them),
		cmocka_unit_test(files_of_root_by_parameter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
