/* Closes the walls: no_new_privs, then Landlock by raw system calls (no library in Debian 12 knows
 * them; the ABI is asked for, newer walls are used where the kernel has them), then seccomp.
 * SPDX-License-Identifier: ISC */
#include "sys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/sandbox_private.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

/* Newer than Debian 12's header: ABI 2, 3, 4, 5 and 6. */
#define ACCESS_REFER (1ULL << 13)
#define ACCESS_TRUNCATE (1ULL << 14)
#define ACCESS_IOCTL_DEV (1ULL << 15)
#define NET_BIND_TCP (1ULL << 0)
#define NET_CONNECT_TCP (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)

struct ruleset {
	uint64_t files, network, scoped;
};

#define ACCESS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ACCESS_ABI1 ((1ULL << 13) - 1) /* everything of the first version */
#define ACCESS_ON_FILE                                                                             \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |   \
		ACCESS_TRUNCATE)

static uint64_t handled_files(int abi)
{
	uint64_t files = ACCESS_ABI1;
	if (abi >= 2)
		files |= ACCESS_REFER;
	if (abi >= 3)
		files |= ACCESS_TRUNCATE;
	if (abi >= 5)
		files |= ACCESS_IOCTL_DEV;
	return files;
}

static size_t ruleset_size(int abi)
{
	if (abi >= 6)
		return sizeof(struct ruleset);
	return abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

static int allow_folder(int ruleset_fd, const struct sandbox_folder *folder, uint64_t handled)
{
	int fd = open(folder->path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return 0;
	/* EXECUTE lets PAM and NSS modules be mapped; execve() is refused by seccomp. */
	uint64_t access = ACCESS_READ | LANDLOCK_ACCESS_FS_EXECUTE;
	if (folder->write)
		access = handled & ~(LANDLOCK_ACCESS_FS_EXECUTE | ACCESS_IOCTL_DEV |
			LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK);
	struct stat st;
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		access &= ACCESS_ON_FILE;
	struct landlock_path_beneath_attr rule = {
		.allowed_access = access & handled,
		.parent_fd = fd,
	};
	long result = syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	int error = result < 0 ? -errno : 0;
	close(fd);
	return error;
}

static int landlock_enter(const struct sandbox *sandbox, const char **ret_warning)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	/* The first version refuses to rename between folders, which a queue and a Maildir live by. */
	if (abi < 2) {
		*ret_warning = "this kernel has no Landlock, or an old one: files are guarded by uid and "
			"chroot only";
		return 0;
	}
	struct ruleset ruleset = {
		.files = handled_files((int)abi),
		.network = (sandbox->allow & SANDBOX_CONNECT) ? 0 : NET_BIND_TCP | NET_CONNECT_TCP,
		.scoped = (sandbox->allow & SANDBOX_LOCAL) ? SCOPE_SIGNAL
							   : SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL,
	};
	int fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, ruleset_size((int)abi), 0);
	if (fd < 0)
		return -errno;
	int error = 0;
	for (size_t i = 0; i < sandbox->folder_count && error == 0; i++)
		error = allow_folder(fd, &sandbox->folders[i], ruleset.files);
	if (error == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		error = -errno;
	close(fd);
	return error;
}

int sandbox_enter(const struct sandbox *sandbox, const char **ret_warning)
{
	*ret_warning = NULL;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	int error = sandbox->any_folder ? 0 : landlock_enter(sandbox, ret_warning);
#ifndef TAMBO_SANITIZED /* sanitizers use calls of their own, also at exit */
	if (error == 0)
		error = sandbox_seccomp(sandbox->allow);
#endif
	return error;
}

bool sandbox_is_sanitized(void)
{
#ifdef TAMBO_SANITIZED
	return true;
#else
	return false;
#endif
}
