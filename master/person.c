/* May a worker of this uid have this gid? PRIV: a taken-over front could else have one in the group
 * of the password file. Asks the name service, so it is called between fork and exec: master itself
 * never waits.
 * SPDX-License-Identifier: ISC */
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "base/span.h"
#include "master/master.h"

#define GROUPS_MAX 65536   /* the kernel's limit for one process */
#define SYSTEM_GIDS 1000   /* below: groups of the system, such as shadow or disk */

static bool is_group_of(const struct passwd *person, gid_t gid)
{
	static gid_t groups[GROUPS_MAX];
	int count = GROUPS_MAX;
	if (person->pw_gid == gid)
		return true;
	if (getgrouplist(person->pw_name, person->pw_gid, groups, &count) < 0)
		return false;
	for (int i = 0; i < count; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

/* "static:5000" of virtual_gid_maps: what root wrote into main.cf needs no other proof. */
static bool is_configured(struct conf *conf, gid_t gid)
{
	struct span rest = span_from_cstr(conf_get(conf, "virtual_gid_maps")), word;
	while (span_token(&rest, ", \t\r\n", &word)) {
		uint64_t number;
		if (span_starts_with(word, SPAN("proxy:")))
			word = span_skip(word, strlen("proxy:"));
		if (span_starts_with(word, SPAN("static:")) &&
			span_to_u64(span_skip(word, strlen("static:")), UINT32_MAX, &number) &&
			number == gid)
			return true;
	}
	return false;
}

/* A spool such as /var/mail, mode 2775 of group mail: only that group may make files in it. */
static bool is_group_of_spool(struct conf *conf, gid_t gid)
{
	struct stat st;
	const char *spool = conf_get(conf, "mail_spool_directory");
	return spool[0] == '/' && stat(spool, &st) == 0 && st.st_gid == gid &&
		(st.st_mode & S_IWGRP) != 0 && (st.st_mode & S_IWOTH) == 0;
}

bool person_may_have_gid(struct conf *conf, uid_t uid, gid_t gid)
{
	if (gid == 0 || gid == (gid_t)-1)
		return false;
	const struct group *drop = getgrnam(conf_get(conf, "setgid_group"));
	if (drop != NULL && drop->gr_gid == gid)
		return false;
	const struct passwd *person = getpwuid(uid);
	if (person != NULL && is_group_of(person, gid))
		return true;
	if (is_configured(conf, gid) || is_group_of_spool(conf, gid))
		return true;
	/* The uid of virtual mailboxes need not be in any file, nor its gid; then its group is not one
	 * that the system uses. */
	return person == NULL && gid >= master.first_valid_uid &&
		(gid >= SYSTEM_GIDS || getgrgid(gid) == NULL);
}
