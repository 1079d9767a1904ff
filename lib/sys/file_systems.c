/* See file_systems.h. proc_pid_mountinfo(5).
 * SPDX-License-Identifier: ISC */
#include "sys/file_systems.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/span.h"

#define LINE_SIZE 8192
#define SYSTEMS_MAX 512

/* What holds no file that outlives the machine's memory. */
static const char *const without_files[] = {"proc", "sysfs", "tmpfs", "ramfs", "devtmpfs", "devpts",
	"cgroup", "cgroup2", "mqueue", "debugfs", "tracefs", "securityfs", "bpf", "pstore", "configfs",
	"hugetlbfs", "fusectl", "binfmt_misc", "nsfs", "autofs", "rpc_pipefs", "selinuxfs", "efivarfs",
	"squashfs", "iso9660", "erofs", "nfsd", "fuse.gvfsd-fuse", "fuse.portal", "fuse.lxcfs"};
/* Opening may wait for another machine or a process. */
static const char *const may_hang[] = {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "afs"};

static bool is_one_of(struct span type, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (span_equal(type, span_from_cstr(names[i])))
			return true;
	return false;
}

/* In place: space, tab, newline and backslash stand as three octal digits. */
static void decode_path(char *path)
{
	char *to = path;
	for (const char *at = path; *at != '\0'; at++) {
		if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] != '\0' && at[3] != '\0') {
			*to++ = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
			at += 3;
		} else {
			*to++ = *at;
		}
	}
	*to = '\0';
}

static void add(struct file_systems *systems, char *path)
{
	decode_path(path);
	int fd = systems->count == SYSTEMS_MAX
			 ? -1
			 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		systems->complete = false;
		return;
	}
	systems->fds = memory_resize(systems->fds, systems->count + 1, sizeof *systems->fds);
	systems->fds[systems->count++] = fd;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static void take_line(struct file_systems *systems, char *line)
{
	struct span rest = span_from_cstr(line), word, path = SPAN_EMPTY, type = SPAN_EMPTY;
	for (size_t i = 0; span_token(&rest, " ", &word); i++) {
		if (i == 4)
			path = word;
		if (i > 5 && span_equal(word, SPAN("-"))) {
			(void)span_token(&rest, " ", &type);
			break;
		}
	}
	if (path.len == 0 || type.len == 0 ||
		is_one_of(type, without_files, sizeof without_files / sizeof without_files[0]))
		return;
	if (is_one_of(type, may_hang, sizeof may_hang / sizeof may_hang[0]) ||
		span_starts_with(type, SPAN("fuse."))) {
		systems->complete = false;
		return;
	}
	char *text = span_dup_cstr(path);
	add(systems, text);
	free(text);
}

void file_systems_open(struct file_systems *ret_systems)
{
	char line[LINE_SIZE];
	*ret_systems = (struct file_systems){.complete = true};
	FILE *list = fopen("/proc/self/mountinfo", "re");
	if (list == NULL)
		ret_systems->complete = false;
	while (list != NULL && fgets(line, sizeof line, list) != NULL) {
		if (strchr(line, '\n') == NULL)
			ret_systems->complete = false;
		take_line(ret_systems, line);
	}
	if (list != NULL)
		fclose(list);
}

void file_systems_close(struct file_systems *systems)
{
	for (size_t i = 0; i < systems->count; i++)
		close(systems->fds[i]);
	free(systems->fds);
	*systems = (struct file_systems){.complete = false};
}

int file_systems_flush(const struct file_systems *systems)
{
	int error = systems->complete ? 0 : -ENOTSUP;
	for (size_t i = 0; i < systems->count; i++)
		if (syncfs(systems->fds[i]) < 0 && error == 0)
			error = -errno;
	return error;
}
