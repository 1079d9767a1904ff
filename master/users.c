/* The accounts that processes run as, and the empty root they live in.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "master/master.h"
#include "queue/layout.h"

static int load_user(enum program_user which)
{
	struct master_user *user = &master.users[which];
	const char *parameter = program_user_parameter(which);
	const char *name = conf_get(master.conf, parameter);
	struct passwd *entry = getpwnam(name);
	user->found = false;
	if (entry == NULL) {
		log_fatal(NULL, "the account \"%s\" (%s) does not exist; `tambo check` tells how to create "
			"what is missing", name, parameter);
		return -ENOENT;
	}
	if (entry->pw_uid == 0) {
		log_fatal(NULL, "%s must not be root", parameter);
		return -EPERM;
	}
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
	snprintf(user->name, sizeof user->name, "%s", entry->pw_name);
	user->found = true;
	return 0;
}

/* Not a file in it, not writable: nothing to find for who lives there. */
static void open_empty_root(void)
{
	if (master.root_fd >= 0)
		return;
	if (mkdir("empty", 0555) < 0 && errno != EEXIST) {
		log_warning(NULL, "%s/empty: %s: processes are not put into an empty root",
			conf_get(master.conf, "queue_directory"), strerror(errno));
		return;
	}
	master.root_fd = open("empty", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (master.root_fd >= 0 &&
		(fchown(master.root_fd, 0, 0) < 0 || fchmod(master.root_fd, 0555) < 0))
		log_warning(NULL, "empty: %s", strerror(errno));
}

/* The queue's folders belong to mail_owner; maildrop lets in the group of postdrop. */
static void make_queue_folders(void)
{
	const struct master_user *mail = &master.users[PROGRAM_MAIL];
	const struct group *drop = getgrnam(conf_get(master.conf, "setgid_group"));
	const char *directory = conf_get(master.conf, "queue_directory");
	struct queue_layout_owner owner = {.uid = mail->uid, .gid = mail->gid,
		.drop_gid = drop == NULL ? mail->gid : drop->gr_gid};
	int error = queue_layout_create(directory, &owner);
	if (error != 0)
		log_warning(NULL, "cannot make the folders of %s: %s", directory, strerror(-error));
}

int users_load(void)
{
	int result = 0;
	master.first_valid_uid = (uid_t)conf_get_int(master.conf, "first_valid_uid");
	if (!master.is_root)
		return 0;
	for (size_t i = 0; i < PROGRAM_USERS; i++) {
		int error = load_user((enum program_user)i);
		if (error != 0)
			result = error;
	}
	open_empty_root();
	if (result == 0)
		make_queue_folders();
	return result;
}
