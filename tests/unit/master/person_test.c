/* Which groups a person's worker may have.
 * SPDX-License-Identifier: ISC */
#include "master/master.h"

#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FREE_UID 54321u /* of no account */
#define FREE_GID 54322u

struct master master;

static char folder[] = "/tmp/tambo-person-XXXXXX";
static struct conf *conf;

static int set_up(void **state)
{
	char path[300], *error = NULL;
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/main.cf", folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "virtual_gid_maps = static:77, proxy:static:78 static:x hash:/etc/static:79\n"
		"mail_spool_directory = %s\n", folder);
	assert_int_equal(fclose(file), 0);
	conf = conf_load(folder, "master", NULL, 0, &error);
	assert_non_null(conf);
	master.first_valid_uid = 500;
	return 0;
}

static int tear_down(void **state)
{
	char path[300];
	(void)state;
	conf_free(conf);
	snprintf(path, sizeof path, "%s/main.cf", folder);
	unlink(path);
	return rmdir(folder);
}

static void never_the_group_of_root(void **state)
{
	(void)state;
	assert_false(person_may_have_gid(conf, FREE_UID, 0));
	assert_false(person_may_have_gid(conf, 0, 0));
	assert_false(person_may_have_gid(conf, FREE_UID, (gid_t)-1));
}

static void an_account_has_its_own_groups(void **state)
{
	struct passwd *person = getpwnam("nobody");
	(void)state;
	if (person == NULL)
		skip();
	assert_true(person_may_have_gid(conf, person->pw_uid, person->pw_gid));
	assert_false(person_may_have_gid(conf, person->pw_uid, FREE_GID));
}

static void groups_of_the_system_are_for_their_members(void **state)
{
	static const char *const names[] = {"shadow", "disk", "kmem", "adm", "sudo", "tty"};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct group *group = getgrnam(names[i]);
		struct passwd *person = getpwnam("nobody");
		if (group == NULL || person == NULL)
			continue;
		assert_false(person_may_have_gid(conf, FREE_UID, group->gr_gid));
		assert_false(person_may_have_gid(conf, person->pw_uid, group->gr_gid));
	}
	/* Numbers that are low, whether they have a name or not. */
	assert_false(person_may_have_gid(conf, FREE_UID, 42));
	assert_false(person_may_have_gid(conf, FREE_UID, 499));
}

static void never_the_group_of_postdrop(void **state)
{
	struct group *group = getgrnam("postdrop");
	(void)state;
	if (group == NULL)
		skip();
	assert_false(person_may_have_gid(conf, FREE_UID, group->gr_gid));
}

static void the_uid_of_virtual_mailboxes_needs_no_account(void **state)
{
	(void)state;
	assert_true(person_may_have_gid(conf, FREE_UID, FREE_GID));
}

static void what_main_cf_names_is_allowed(void **state)
{
	(void)state;
	assert_true(person_may_have_gid(conf, FREE_UID, 77));
	assert_true(person_may_have_gid(conf, FREE_UID, 78));
	assert_false(person_may_have_gid(conf, FREE_UID, 79));
	assert_false(person_may_have_gid(conf, FREE_UID, 7));
}

static void the_group_of_the_spool_while_it_is_needed(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(folder, 0, 88), 0);
	assert_int_equal(chmod(folder, 02775), 0);
	assert_true(person_may_have_gid(conf, FREE_UID, 88));
	/* A spool that everybody may write to needs no group. */
	assert_int_equal(chmod(folder, 01777), 0);
	assert_false(person_may_have_gid(conf, FREE_UID, 88));
	assert_int_equal(chmod(folder, 0755), 0);
	assert_false(person_may_have_gid(conf, FREE_UID, 88));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_the_group_of_root),
		cmocka_unit_test(an_account_has_its_own_groups),
		cmocka_unit_test(groups_of_the_system_are_for_their_members),
		cmocka_unit_test(never_the_group_of_postdrop),
		cmocka_unit_test(the_uid_of_virtual_mailboxes_needs_no_account),
		cmocka_unit_test(what_main_cf_names_is_allowed),
		cmocka_unit_test(the_group_of_the_spool_while_it_is_needed),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
