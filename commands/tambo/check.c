/* Is everything there that the server needs? Missing folders are made; what cannot be made is told,
 * with the command that makes it.
 * SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "commands/tambo/tambo.h"
#include "conf/main_cf.h"
#include "conf/master_cf.h"
#include "master/program.h"

struct folder {
	const char *name; /* "": queue_directory itself */
	bool of_owner;    /* of mail_owner; otherwise of root */
	bool of_group;    /* of setgid_group */
	mode_t mode;
};

static const struct folder queue_folders[] = {
	{"", false, false, 0755},
	{"pid", false, false, 0755},
	{"empty", false, false, 0555},
	{"public", true, true, 02710},
	{"private", true, false, 0700},
	{"maildrop", true, true, 01730},
	{"journal", true, false, 0700},
	{"large", true, false, 0700},
	{"ledger", true, false, 0700},
	{"corrupt", true, false, 0700},
};

struct ids {
	uid_t owner;
	gid_t group, setgid;
};

static size_t check_user(struct context *context, enum program_user which)
{
	const char *parameter = program_user_parameter(which);
	const char *name = conf_get(context->conf, parameter);
	struct passwd *entry = getpwnam(name);
	if (entry == NULL) {
		log_fatal(NULL, "the account \"%s\" (%s) does not exist; create it: useradd --system "
			"--user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "
			"%s%s", name, parameter, which == PROGRAM_AUTH ? "--groups shadow " : "", name);
		return 1;
	}
	if (entry->pw_uid == 0) {
		log_fatal(NULL, "%s: \"%s\" must not be root", parameter, name);
		return 1;
	}
	return 0;
}

static size_t check_users(struct context *context)
{
	size_t problems = 0;
	if (!context->is_root)
		return 0;
	for (int i = 0; i < PROGRAM_USERS; i++)
		problems += check_user(context, (enum program_user)i);
	const char *group = conf_get(context->conf, "setgid_group");
	if (getgrnam(group) == NULL) {
		log_fatal(NULL, "the group \"%s\" (setgid_group) does not exist; create it: groupadd "
			"--system %s", group, group);
		problems++;
	}
	return problems;
}

static size_t make_folder(const char *path, mode_t mode, uid_t uid, gid_t gid, bool repair)
{
	struct stat st;
	bool made = mkdir(path, mode) == 0;
	if (!made && errno != EEXIST) {
		log_fatal(NULL, "cannot make the folder %s: %s", path, strerror(errno));
		return 1;
	}
	if (made)
		log_info(NULL, "made the folder %s", path);
	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		log_fatal(NULL, "%s is not a folder", path);
		return 1;
	}
	bool differs = st.st_uid != uid || st.st_gid != gid || (st.st_mode & 07777) != mode;
	if (!differs)
		return 0;
	if (!made && !repair) {
		if (st.st_uid != uid)
			log_warning(NULL, "not owned by uid %u: %s (`tambo set-permissions` mends it)",
				(unsigned)uid, path);
		return 0;
	}
	/* Owner first: chown takes the set-gid bit away. */
	if ((geteuid() == 0 && lchown(path, uid, gid) < 0) || chmod(path, mode) < 0) {
		log_fatal(NULL, "cannot set owner and mode of %s: %s", path, strerror(errno));
		return 1;
	}
	return 0;
}

/* /var/lib may be missing above /var/lib/tambo. */
static void make_parents(const char *path)
{
	char part[4096];
	for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		int n = snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
		if (n > 0 && (size_t)n < sizeof part)
			(void)mkdir(part, 0755); /* what is wrong shows when the last one is made */
	}
}

static struct ids find_ids(struct context *context)
{
	struct ids ids = {.owner = geteuid(), .group = getegid(), .setgid = getegid()};
	if (!context->is_root)
		return ids;
	struct passwd *owner = getpwnam(conf_get(context->conf, "mail_owner"));
	struct group *setgid = getgrnam(conf_get(context->conf, "setgid_group"));
	if (owner != NULL) {
		ids.owner = owner->pw_uid;
		ids.group = owner->pw_gid;
	}
	if (setgid != NULL)
		ids.setgid = setgid->gr_gid;
	return ids;
}

/* What could not be used is kept there until somebody has looked at it. */
static void tell_corrupt(const char *queue)
{
	char path[4096];
	size_t count = 0;
	snprintf(path, sizeof path, "%s/corrupt", queue);
	DIR *folder = opendir(path);
	struct dirent *entry;
	while (folder != NULL && (entry = readdir(folder)) != NULL)
		count += entry->d_name[0] != '.';
	if (folder != NULL)
		closedir(folder);
	if (count > 0)
		log_warning(NULL,
			"%s holds what is left of %zu damaged message%s; remove it when it is of no use",
			path, count, count == 1 ? "" : "s");
}

size_t check_folders(struct context *context, bool repair)
{
	size_t problems = 0;
	struct ids ids = find_ids(context);
	const char *queue = conf_get(context->conf, "queue_directory");
	const char *data = conf_get(context->conf, "data_directory");
	uid_t root = context->is_root ? 0 : ids.owner;
	gid_t root_group = context->is_root ? 0 : ids.group;
	make_parents(queue);
	for (size_t i = 0; i < sizeof queue_folders / sizeof queue_folders[0]; i++) {
		const struct folder *folder = &queue_folders[i];
		char path[4096];
		snprintf(path, sizeof path, "%s%s%s", queue, folder->name[0] == '\0' ? "" : "/",
			folder->name);
		gid_t group = folder->of_group ? ids.setgid : folder->of_owner ? ids.group : root_group;
		problems += make_folder(
			path, folder->mode, folder->of_owner ? ids.owner : root, group, repair);
	}
	tell_corrupt(queue);
	make_parents(data);
	return problems + make_folder(data, 0700, ids.owner, ids.group, repair);
}

/* --- commands --- */

/* Set-gid: what lets everybody hand in mail and see the list of it, and nobody read others'
 * mail. */
static size_t check_command(struct context *context, const char *name, gid_t group, bool repair)
{
	char path[4096];
	struct stat st;
	int n = snprintf(
		path, sizeof path, "%s/%s", conf_get(context->conf, "command_directory"), name);
	if (n < 0 || (size_t)n >= sizeof path || lstat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
		log_warning(NULL, "%s is not a file", path);
		return 0;
	}
	if (st.st_uid == 0 && st.st_gid == group && (st.st_mode & 07777) == 02755)
		return 0;
	if (!repair) {
		log_warning(NULL, "not set-gid or not owner+group+world executable: %s (`tambo "
			"set-permissions` mends it)", path);
		return 0;
	}
	/* Owner first: chown takes the set-gid bit away. */
	if (lchown(path, 0, group) < 0 || chmod(path, 02755) < 0) {
		log_fatal(NULL, "cannot set owner and mode of %s: %s", path, strerror(errno));
		return 1;
	}
	return 0;
}

size_t check_commands(struct context *context, bool repair)
{
	static const char *const names[] = {"postdrop", "postqueue"};
	struct group *group = getgrnam(conf_get(context->conf, "setgid_group"));
	size_t problems = 0;
	/* An ordinary user's instance is that user's alone. */
	if (!context->is_root)
		return 0;
	if (group == NULL) {
		log_fatal(NULL, "the group \"%s\" (setgid_group) does not exist",
			conf_get(context->conf, "setgid_group"));
		return 1;
	}
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		problems += check_command(context, names[i], group->gr_gid, repair);
	return problems;
}

/* --- parameters --- */

static void tell(void *arg, bool is_error, const char *text)
{
	(void)arg;
	/* What makes a value unusable is in the log line before. */
	if (is_error)
		log_error(NULL, "%s", text);
	else
		log_warning(NULL, "%s", text);
}

/* Each unusable, unused or unsupported setting, also those of -o. */
static size_t check_parameters(struct context *context)
{
	char *error = NULL;
	struct master_cf *master_cf = master_cf_load(context->config_dir, &error);
	size_t errors = conf_check(context->conf, master_cf, tell, NULL);

	free(error); /* check_services tells it */
	master_cf_free(master_cf);
	return errors;
}

/* --- master.cf --- */

static bool is_second(const struct master_cf *master_cf, const struct master_service *line,
	const char *room)
{
	for (const struct master_service *other = master_cf->services; other < line; other++) {
		const struct program *program = program_find(other->program);
		if (program != NULL && program->room != NULL && !program->built_in &&
			strcmp(program->room, room) == 0)
			return true;
	}
	return false;
}

static void check_program_file(
	struct context *context, const struct master_service *line, const char *file)
{
	char path[4096];
	if (file == NULL)
		return;
	snprintf(path, sizeof path, "%s/%s", conf_get(context->conf, "daemon_directory"), file);
	if (access(path, X_OK) < 0)
		log_warning(NULL, "service %s: %s: %s", line->name, path, strerror(errno));
}

static void check_service(struct context *context, const struct master_cf *master_cf,
	const struct master_service *line)
{
	const struct program *program = program_find(line->program);
	if (program == NULL) {
		log_warning(NULL, "%s/master.cf, line %u: service %s: unknown program \"%s\": left out",
			context->config_dir, line->line, line->name, line->program);
		return;
	}
	if (program->flags & PROGRAM_MISSING) {
		log_warning(NULL, "%s/master.cf, line %u: service %s: %s is %s: left out",
			context->config_dir, line->line, line->name, line->program, program->note);
		return;
	}
	if (program->note != NULL && context->tell)
		log_info(NULL, "service %s/%s: %s is %s", line->name, master_type_name(line->type),
			line->program, program->note);
	bool second = (program->flags & PROGRAM_SINGLE) && is_second(master_cf, line, program->room);
	if (line->override_count > 0 && (program->built_in || second))
		log_warning(NULL, "%s/master.cf, line %u: service %s: its -o settings are not used: %s",
			context->config_dir, line->line, line->name, second
			? "one process serves all such lines, with the settings of the first"
			: "what it does is built in, and takes those of main.cf");
	if (program->room == NULL || program->built_in)
		return;
	if (line->chroot == 'y' && !(program->flags & PROGRAM_CHROOT) && context->tell)
		log_info(NULL, "service %s/%s: %s does not run in a chroot: its sandbox names what it may "
			"open", line->name, master_type_name(line->type), line->program);
	check_program_file(context, line, program_file(program, false));
	check_program_file(context, line, program_file(program, true));
}

static size_t check_services(struct context *context)
{
	char *error = NULL;
	struct master_cf *master_cf = master_cf_load(context->config_dir, &error);
	if (master_cf == NULL) {
		log_fatal(NULL, "%s", error);
		free(error);
		return 1;
	}
	for (size_t i = 0; i < master_cf->count; i++)
		check_service(context, master_cf, &master_cf->services[i]);
	master_cf_free(master_cf);
	return 0;
}

size_t check_all(struct context *context)
{
	size_t problems = check_users(context);
	problems += check_parameters(context);
	problems += check_services(context);
	if (problems == 0)
		problems += check_folders(context, false);
	if (problems == 0 && context->tell)
		problems += check_commands(context, false);
	return problems;
}
