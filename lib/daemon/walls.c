/* Turns a room's rights into walls. PRIV: a process that master started as root comes here with an
 * unprivileged uid and, when it lives in an empty root, with CAP_SYS_CHROOT alone; that is used
 * once and given up before the first byte of a stranger is read.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "daemon/daemon_private.h"
#include "sys/file_access.h"
#include "sys/sandbox.h"

#define FOLDERS_MAX 128

struct folder_list {
	struct sandbox_folder items[FOLDERS_MAX];
	size_t count;
};

static unsigned rights_now(void)
{
	const struct daemon_spec *spec = daemon_state.spec;
	return daemon_role() == DAEMON_COMMAND ? spec->command_rights : spec->rights;
}

/* Faces the network, opens nothing: also where chroot is not to be had. */
static bool is_sealed(void)
{
	return daemon_state.spec->chroot;
}

static int enter_empty_root(void)
{
	if (!daemon_state.arguments.empty_root)
		return 0;
	int error = 0;
	/* LeakSanitizer reads /proc, and would find nothing in an empty root. */
	if (!sandbox_is_sanitized() &&
		(fchdir(CONTROL_ROOT_FD) < 0 || chroot(".") < 0 || chdir("/") < 0))
		error = -errno;
	close(CONTROL_ROOT_FD);
	return error;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];
	memset(none, 0, sizeof none);
	/* Without the ambient set (old kernels) there is nothing to clear. */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

static void add_folder(struct folder_list *list, const char *path, bool write)
{
	if (path == NULL || path[0] == '\0' || list->count == FOLDERS_MAX)
		return;
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].write == write && strcmp(list->items[i].path, path) == 0)
			return;
	list->items[list->count++] = (struct sandbox_folder){memory_dup_cstr(path), write};
}

/* Tables are replaced by renaming a new file into their folder, so the folder is
 * what is allowed. */
static void add_table_folders(struct folder_list *list)
{
	for (size_t i = 0; i < file_watched_count(); i++) {
		char *path = memory_dup_cstr(file_watched_at(i));
		add_folder(list, dirname(path), false);
		free(path);
	}
}

/* What is not there yet will be made within what is. */
static void add_tree(struct folder_list *list, const char *path)
{
	char *existing = memory_dup_cstr(path);
	char *up = existing;
	while (access(up, F_OK) != 0 && errno == ENOENT && strcmp(up, "/") != 0)
		up = dirname(up);
	add_folder(list, up, true);
	free(existing);
}

/* "/" among them: Landlock has nothing to do. */
static bool reaches_all(const struct folder_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].write && strcmp(list->items[i].path, "/") == 0)
			return true;
	return false;
}

static void add_worker_folders(struct folder_list *list)
{
	const char *tree = daemon_state.arguments.tree;
	struct span rest = span_from_cstr(conf_get(daemon_state.conf, "worker_extra_folders")), word;
	add_tree(list, tree == NULL ? "/" : tree);
	while (span_token(&rest, ", \t\r\n", &word)) {
		char *path = span_dup_cstr(word);
		add_tree(list, path);
		free(path);
	}
}

static void collect_folders(unsigned rights, struct folder_list *list)
{
	static const char *const system_folders[] = {
		"/etc", "/usr", "/lib", "/lib64", "/bin", "/var/lib/extrausers", "/run/systemd/userdb",
		"/run/systemd/resolve", "/run/nscd", "/run/resolvconf", "/proc", "/dev/random",
		"/dev/urandom",
	};
	if (is_sealed() && sandbox_is_sanitized())
		add_folder(list, "/proc", false);
	if (is_sealed())
		return;
	for (size_t i = 0; i < sizeof system_folders / sizeof system_folders[0]; i++)
		add_folder(list, system_folders[i], false);
	add_folder(list, "/dev/null", true);
	add_folder(list, daemon_state.arguments.config_dir, false);
	add_table_folders(list);
	if (rights & DAEMON_QUEUE)
		add_folder(list, conf_get(daemon_state.conf, "queue_directory"), true);
	if (rights & DAEMON_DATA)
		add_folder(list, conf_get(daemon_state.conf, "data_directory"), true);
	if (rights & DAEMON_FILES)
		add_worker_folders(list);
}

static unsigned calls_allowed(unsigned rights)
{
	unsigned allow = 0;
	if (rights & DAEMON_NETWORK_OUT)
		allow |= SANDBOX_CONNECT;
	if (rights & (DAEMON_QUEUE | DAEMON_DATA | DAEMON_FILES))
		allow |= SANDBOX_OPEN | SANDBOX_CHANGE;
	if (rights & DAEMON_PASSWORDS)
		allow |= SANDBOX_OPEN | SANDBOX_LOCAL;
	if (!is_sealed() && !daemon_is_worker())
		allow |= SANDBOX_OPEN | SANDBOX_LOCAL;
	return allow;
}

static int enter_sandbox(unsigned rights)
{
	struct folder_list list = {.count = 0};
	const char *warning = NULL;
	collect_folders(rights, &list);
	struct sandbox sandbox = {
		.allow = calls_allowed(rights),
		.any_folder = reaches_all(&list),
		.folders = list.items,
		.folder_count = list.count,
	};
	int error = sandbox_enter(&sandbox, &warning);
	if (warning != NULL)
		log_debug(NULL, "%s", warning); /* master says it once for all */
	for (size_t i = 0; i < list.count; i++)
		free((void *)(uintptr_t)list.items[i].path);
	return error;
}

int walls_close(void)
{
	unsigned rights = rights_now();
	if (is_sealed())
		file_access_seal();
	int error = is_sealed() ? enter_empty_root() : 0;
	if (error != 0)
		log_fatal(NULL, "cannot enter the empty root directory: %s", strerror(-error));
	if (error == 0 && (error = drop_capabilities()) != 0)
		log_fatal(NULL, "cannot drop capabilities: %s", strerror(-error));
	if (error == 0 && !(rights & DAEMON_EXEC) && (error = enter_sandbox(rights)) != 0)
		log_fatal(NULL, "cannot close the sandbox: %s", strerror(-error));
	return error;
}
