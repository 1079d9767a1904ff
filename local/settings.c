/* The parameters of `local`, and what is opened before the sandbox closes.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "local/local.h"
#include "map/map.h"
#include "service/delivery_log.h"

struct local_process local;

static const struct setting table[] = {
	SETTING("myhostname", SETTING_STRING, local_settings, myhostname),
	SETTING("myorigin", SETTING_STRING, local_settings, myorigin),
	SETTING("recipient_delimiter", SETTING_STRING, local_settings, recipient_delimiter),
	SETTING("alias_maps", SETTING_STRING, local_settings, alias_maps),
	SETTING("default_privs", SETTING_STRING, local_settings, default_privs),
	SETTING("mailbox_command_maps", SETTING_STRING, local_settings, mailbox_command_maps),
	SETTING("local_command_shell", SETTING_STRING, local_settings, command_shell),
	SETTING("allow_mail_to_commands", SETTING_STRING, local_settings, mail_commands),
	SETTING("allow_mail_to_files", SETTING_STRING, local_settings, mail_files),
	SETTING("mailbox_delivery_lock", SETTING_STRING, local_settings, mailbox_lock),
	SETTING("virtual_mailbox_lock", SETTING_STRING, local_settings, virtual_lock),
	SETTING("maildir_sync", SETTING_STRING, local_settings, maildir_sync),
	SETTING("prepend_delivered_header", SETTING_STRING, local_settings, prepend_delivered),
	SETTING("fallback_transport", SETTING_STRING, local_settings, fallback_transport),
	SETTING("mailbox_transport", SETTING_STRING, local_settings, mailbox_transport),
	SETTING("command_expansion_filter", SETTING_STRING, local_settings, command_filter),
	SETTING("require_home_directory", SETTING_BOOL, local_settings, require_home),
	SETTING("strict_mailbox_ownership", SETTING_BOOL, local_settings, strict_ownership),
	SETTING("mailbox_size_limit", SETTING_INT, local_settings, mailbox_size_limit),
	SETTING("virtual_mailbox_limit", SETTING_INT, local_settings, virtual_mailbox_limit),
	SETTING("deliver_lock_attempts", SETTING_INT, local_settings, lock_attempts),
	SETTING("deliver_lock_delay", SETTING_TIME, local_settings, lock_delay),
	SETTING("stale_lock_time", SETTING_TIME, local_settings, stale_lock),
	SETTING("command_time_limit", SETTING_TIME, local_settings, command_time_limit),
	SETTING("maildir_checkpoint_interval", SETTING_TIME, local_settings, checkpoint_interval),
};

static int fail(char *error)
{
	log_fatal(NULL, "%s", error == NULL ? "cannot open the tables" : error);
	free(error);
	return -EINVAL;
}

/* Who runs commands and writes files of aliases. */
static int find_default_privs(void)
{
	if (accounts_single_user(local.accounts)) {
		local.default_uid = geteuid();
		local.default_gid = getegid();
		local.has_default = true;
		return 0;
	}
	const struct passwd *person = getpwnam(local.settings.default_privs);
	if (person == NULL) {
		log_warning(NULL,
			"default_privs: unknown user %s: commands and files in aliases are deferred",
			local.settings.default_privs);
		return 0;
	}
	if (person->pw_uid == 0) {
		log_fatal(NULL, "default_privs: user %s is the superuser", local.settings.default_privs);
		return -EINVAL;
	}
	local.default_uid = person->pw_uid;
	local.default_gid = person->pw_gid;
	local.has_default = true;
	return 0;
}

/* A spool such as /var/mail, mode 2775 of group mail: only that group may make files in it. */
static void find_spool(struct conf *conf)
{
	struct stat st;
	struct span path = span_from_cstr(conf_get(conf, "mail_spool_directory"));
	while (path.len > 1 && path.ptr[path.len - 1] == '/')
		path.len--;
	buf_init(&local.spool, 4096);
	buf_append(&local.spool, path);
	if (!local.spool.overflow && stat(buf_cstr(&local.spool), &st) == 0
		&& (st.st_mode & S_IWGRP) != 0 && (st.st_mode & S_IWOTH) == 0)
		local.spool_gid = st.st_gid;
}

/* These hold $name that only a delivery can expand. */
static void read_templates(struct conf *conf)
{
	local.settings.forward_path = conf_get_raw(conf, "forward_path");
	local.settings.luser_relay = conf_get_raw(conf, "luser_relay");
	local.settings.mailbox_command = conf_get_raw(conf, "mailbox_command");
}

static int open_tables(struct conf *conf)
{
	char *error = NULL;
	local.aliases = map_list_open(
		conf, local.settings.alias_maps, MAP_FOLD_FIXED | MAP_NO_SUBSTITUTE, &error);
	if (local.aliases == NULL)
		return fail(error);
	local.mailbox_commands =
		map_list_open(conf, local.settings.mailbox_command_maps, MAP_FOLD_FIXED, &error);
	if (local.mailbox_commands == NULL)
		return fail(error);
	local.route = route_open(conf, &error);
	if (local.route == NULL)
		return fail(error);
	local.accounts = accounts_open(conf, local.route, &error);
	if (local.accounts == NULL)
		return fail(error);
	if (local.settings.mailbox_transport[0] != '\0' || local.settings.fallback_transport[0] != '\0')
		log_warning(NULL, "mailbox_transport and fallback_transport are not supported yet");
	local.cleanup = daemon_pool_new("cleanup", 10);
	find_spool(conf);
	return find_default_privs();
}

int local_prepare(struct conf *conf)
{
	int error = settings_read(conf, table, ARRAY_LEN(table), NULL, &local.settings);
	if (error != 0)
		return error;
	read_templates(conf);
	delivery_log_soft_bounce = conf_get_bool(conf, "soft_bounce");
	return open_tables(conf);
}
