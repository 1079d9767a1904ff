/* The file of a message from its creation to its name. That of a first delivery has none at first
 * (O_TMPFILE) and gets its own by linkat: one entry of a folder is made, instead of two made and
 * one removed, and a crash leaves nothing behind. Where a file system or a kernel cannot do that,
 * for what is flushed by itself, and for all others, it has a name in tmp/ and is renamed.
 * SPDX-License-Identifier: ISC */
#include "store/append_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/file_private.h"

/* May files be made without a name? Of the file system that was asked last. */
static struct {
	dev_t device;
	enum { UNTRIED, WORKS, FAILS } state;
} nameless;

static void host_name(struct buf *out)
{
	static char host[65];
	if (host[0] == '\0' && gethostname(host, sizeof(host) - 1) != 0)
		(void)snprintf(host, sizeof(host), "localhost");
	for (const char *at = host; *at != '\0'; at++)
		buf_append_char(out, *at == '/' || *at == ':' || *at == ',' ? '_' : *at);
}

void append_unique_name(struct buf *out)
{
	static unsigned serial;
	int64_t now = file_now_ns();
	buf_append_format(out, "%lld.M%lldP%dQ%u.", (long long)(now / 1000000000),
		(long long)(now / 1000 % 1000000), (int)getpid(), ++serial);
	host_name(out);
}

static void make_tmp_path(struct append *append)
{
	struct buf name = BUF_INIT(255);
	append_unique_name(&name);
	(void)snprintf(append->tmp_path, sizeof(append->tmp_path), "tmp/%s", buf_cstr(&name));
	buf_done(&name);
}

static int link_file(const struct append *append, const char *path)
{
	return linkat(append->fd, "", append->folder->dir_fd, path, AT_EMPTY_PATH) != 0 ? -errno
		: 0;
}

int append_name_file(struct append *append)
{
	if (append->tmp_path[0] != '\0' || !append->is_nameless)
		return 0;
	make_tmp_path(append);
	int error = link_file(append, append->tmp_path);
	/* Someone took tmp/ away. */
	if (error == -ENOENT && nameless.state == WORKS
		&& store_make_maildir(append->folder->dir_fd) == 0)
		error = link_file(append, append->tmp_path);
	if (error != 0)
		append->tmp_path[0] = '\0';
	append->is_nameless = error != 0;
	return error;
}

/* The first one on a file system is named at once, to see whether that can be done: before Linux
 * 6.10 it could not. */
static bool open_nameless(struct append *append)
{
	const struct folder *folder = append->folder;
	if (nameless.device != folder->store->dev)
		nameless.state = UNTRIED;
	if (nameless.state == FAILS)
		return false;
	nameless.device = folder->store->dev;
	append->fd = openat(folder->dir_fd, "new", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	append->is_nameless = append->fd >= 0;
	int error = append->fd < 0 ? -errno : nameless.state == WORKS ? 0
		: append_name_file(append);
	if (error == 0) {
		nameless.state = WORKS;
		return true;
	}
	if (error == -EOPNOTSUPP || error == -EISDIR || error == -EINVAL
		|| (error == -ENOENT && append->fd >= 0))
		nameless.state = FAILS;
	append->is_nameless = false;
	file_close(&append->fd);
	return false;
}

static int create_in_tmp(struct append *append)
{
	append->fd = openat(append->folder->dir_fd, append->tmp_path,
		O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return append->fd >= 0 ? 0 : -errno;
}

int append_open_file(struct append *append)
{
	const struct append_options *options = append->options;
	append->fd = -1;
	/* What may have to take the place of an earlier attempt's file needs a name. */
	if (options->is_delivery && options->first_ms > 0 && open_nameless(append))
		return 0;
	make_tmp_path(append);
	int error = create_in_tmp(append);
	/* Someone took tmp/ away. */
	if (error == -ENOENT && store_make_maildir(append->folder->dir_fd) == 0)
		error = create_in_tmp(append);
	if (error != 0)
		append->tmp_path[0] = '\0';
	return error;
}

int append_rename(struct append *append)
{
	struct buf path = BUF_INIT(300);
	int dir = append->folder->dir_fd, error = 0;
	folder_path(append->options->is_delivery, buf_span(&append->name), &path);
	if (append->is_nameless)
		error = link_file(append, buf_cstr(&path));
	else if (renameat(dir, append->tmp_path, dir, buf_cstr(&path)) != 0)
		error = -errno;
	append->is_renamed = error == 0;
	append->is_nameless = append->is_nameless && error != 0;
	buf_done(&path);
	return error;
}
