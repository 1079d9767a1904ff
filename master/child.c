/* Between fork and exec. PRIV: here a process loses root: its user, its groups, and every
 * capability except CAP_SYS_CHROOT where it is going to live in an empty root (lib/daemon gives
 * that up before it listens). Its descriptors are those of daemon/control.h and no other.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "master/master.h"

#define ARGUMENTS_MAX 600
#define SAFE_FD 200 /* above all numbers that have a meaning */

struct argument_list {
	const char *items[ARGUMENTS_MAX];
	size_t count;
};

__attribute__((format(printf, 2, 3)))
static void add(struct argument_list *list, const char *format, ...)
{
	char text[4096];
	va_list args;
	if (list->count >= ARGUMENTS_MAX - 1)
		return;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof text)
		_exit(EXIT_FAILURE);
	list->items[list->count++] = memory_dup_cstr(text);
}

/* A line's own overrides hold for its processes and, when they are asked for by its name, for its
 * workers. */
static void add_overrides(struct argument_list *list, const struct service *service)
{
	const struct master_service *line = service->line;
	for (size_t i = 0; line != NULL && i < line->override_count; i++) {
		/* A value may be longer than what add() formats. */
		const struct conf_override *override = &line->overrides[i];
		size_t size = strlen(override->name) + strlen(override->value) + 2;
		char *text = memory_alloc(size);
		snprintf(text, size, "%s=%s", override->name, override->value);
		if (list->count + 2 >= ARGUMENTS_MAX)
			_exit(EXIT_FAILURE);
		list->items[list->count++] = "-o";
		list->items[list->count++] = text;
	}
	if (line != NULL && line->verbose > 0)
		add(list, "-v");
}

static bool wants_empty_root(const struct process_group *group)
{
	return master.root_fd >= 0 && group->role == CONTROL_ROLE_SERVICE &&
		(group->service->program->flags & PROGRAM_CHROOT);
}

static void build_arguments(const struct process_group *group, struct argument_list *list)
{
	static const char kinds[] = {
		[LOG_SINK_STDERR] = 'e', [LOG_SINK_FILE] = 'f', [LOG_SINK_SYSLOG] = 's'};
	const struct service *service = group->service;
	bool is_worker = group->role != CONTROL_ROLE_SERVICE;
	const char *name = service->program->name;
	/* Log tools know the smtpd of a postscreen line, and one queue manager. */
	if (strcmp(name, "postscreen") == 0 || strcmp(name, "oqmgr") == 0)
		name = service->program->room;
	add(list, "%s", program_file(service->program, is_worker));
	add(list, "-n%s", service->name);
	add(list, "-t%s", service->line == NULL ? "unix" : master_type_name(service->line->type));
	add(list, "-c%s", master.config_dir);
	add(list, "-p%s", name);
	add(list, "-k%c", kinds[master.log_kind]);
	if (master.is_root)
		add(list, "-R");
	if (is_worker)
		add(list, "-r%s", group->role == CONTROL_ROLE_COMMAND ? "command" : "worker");
	if (group->tree != NULL)
		add(list, "-d%s", group->tree);
	if (is_worker)
		add(list, "-u%u", (unsigned)group->uid);
	else
		add(list, "-l%zu", service->listener_count);
	if (is_worker || !(service->program->flags & PROGRAM_AT_START))
		add(list, "-i%lld", (long long)conf_get_time(master.conf, "max_idle"));
	if (wants_empty_root(group))
		add(list, "-z");
	if (!is_worker && service->session_limit > 0)
		add(list, "-m%zu", service->session_limit);
	add_overrides(list, service);
	list->items[list->count] = NULL;
}

_Noreturn static void fail(const char *what, int error)
{
	log_fatal(NULL, "%s: %s", what, strerror(error));
	_exit(EXIT_FAILURE);
}

/* First out of the way of the numbers, then into place: a target may be another's source. */
static void place_descriptors(const struct process_group *group, int control_fd, int log_fd)
{
	int targets[CONTROL_LISTEN_FD + SERVICE_LISTENERS_MAX];
	size_t count = CONTROL_LISTEN_FD;
	const struct service *service = group->service;
	targets[CONTROL_FD] = control_fd;
	targets[CONTROL_LOG_FD] = log_fd;
	targets[CONTROL_ROOT_FD] = wants_empty_root(group) ? master.root_fd : -1;
	if (group->role == CONTROL_ROLE_SERVICE)
		for (size_t i = 0; i < service->listener_count; i++)
			targets[count++] = service->listeners[i]->fd;
	for (size_t i = CONTROL_FD; i < count; i++)
		if (targets[i] >= 0 && (targets[i] = fcntl(targets[i], F_DUPFD, SAFE_FD)) < 0)
			fail("cannot place a descriptor", errno);
	for (size_t i = CONTROL_FD; i < count; i++) {
		if (targets[i] < 0)
			close((int)i);
		else if (dup2(targets[i], (int)i) < 0)
			fail("cannot place a descriptor", errno);
	}
	syscall(SYS_close_range, (unsigned)count, ~0U, 0);
}

static void reset_signals(void)
{
	sigset_t none;
	for (int signo = 1; signo < 32; signo++)
		if (signo != SIGKILL && signo != SIGSTOP)
			signal(signo, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int keep_capability(int capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	memset(data, 0, sizeof data);
	if (capability >= 0) {
		data[0].effective = data[0].permitted = data[0].inheritable = 1U << capability;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	if (capability >= 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0)
		return -errno;
	return 0;
}

static int limit_bounding_set(int keep)
{
	for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (capability != keep && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 &&
			errno != EINVAL)
			return -errno;
	return 0;
}

static int change_user(uid_t uid, gid_t gid, const char *name)
{
	if (uid == 0)
		return -EPERM;
	if (name != NULL ? initgroups(name, gid) < 0 : setgroups(1, &gid) < 0)
		return -errno;
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	return getuid() == uid && geteuid() == uid ? 0 : -EPERM;
}

static void drop_privileges(const struct process_group *group)
{
	const struct service *service = group->service;
	const struct master_user *user = &master.users[service->program->user];
	bool is_worker = group->role != CONTROL_ROLE_SERVICE;
	int capability = -1;
	if (wants_empty_root(group))
		capability = CAP_SYS_CHROOT;
	/* A person's command may be set-uid; it gets what the person's shell would give it. */
	int error = group->role == CONTROL_ROLE_COMMAND ? 0 : limit_bounding_set(capability);
	if (error != 0)
		fail("cannot limit capabilities", -error);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		fail("cannot keep capabilities", errno);
	if (is_worker && !person_may_have_gid(service->conf, group->uid, group->gid)) {
		log_fatal(NULL, "worker of uid %u: gid %u is none of its groups, and virtual_gid_maps does "
			"not name it with static:", (unsigned)group->uid, (unsigned)group->gid);
		_exit(EXIT_FAILURE);
	}
	if (is_worker) {
		struct passwd *person = getpwuid(group->uid);
		error = change_user(group->uid, group->gid, person == NULL ? NULL : person->pw_name);
	} else {
		error = change_user(user->uid, user->gid, user->name);
	}
	if (error != 0)
		fail("cannot change to an unprivileged user", -error);
	error = keep_capability(capability);
	if (error != 0)
		fail("cannot drop capabilities", -error);
}

/* The value of a variable of ours, or nothing. */
static char *environment_entry(const char *name)
{
	const char *value = getenv(name);
	if (value == NULL)
		return NULL;
	size_t size = strlen(name) + strlen(value) + 2;
	char *text = memory_alloc(size);
	snprintf(text, size, "%s=%s", name, value);
	return text;
}

static void build_environment(char *environment[8])
{
	/* What a sanitizer build reads. */
	static const char *const kept[] = {"TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"};
	size_t count = 0;
	environment[count++] = memory_dup_cstr("PATH=/usr/local/bin:/usr/bin:/bin");
	environment[count++] = memory_dup_cstr("LANG=C");
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
		if ((environment[count] = environment_entry(kept[i])) != NULL)
			count++;
	environment[count] = NULL;
}

_Noreturn void child_run(const struct process_group *group, int control_fd, int log_fd)
{
	struct argument_list list = {.count = 0};
	char path[4096];
	char *environment[8];
	build_arguments(group, &list);
	build_environment(environment);
	int n = snprintf(path, sizeof path, "%s/%s", conf_get(master.conf, "daemon_directory"),
		program_file(group->service->program, group->role != CONTROL_ROLE_SERVICE));
	if (n < 0 || (size_t)n >= sizeof path)
		fail("daemon_directory", ENAMETOOLONG);
	if (master.is_root)
		drop_privileges(group);
	reset_signals();
	place_descriptors(group, control_fd, log_fd);
	log_sink_moved(log_fd >= 0 ? CONTROL_LOG_FD : -1);
	execve(path, (char *const *)(uintptr_t)list.items, environment);
	fail(path, errno);
}
