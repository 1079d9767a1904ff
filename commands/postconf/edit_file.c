/* See edit_file.h.
 * SPDX-License-Identifier: ISC */
#include "commands/postconf/edit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/memory.h"
#include "commands/common/stderr_log.h"
#include "commands/common/table_command.h"
#include "sys/fd.h"

#define FILE_MAX (8u << 20)
#define LOCK_ATTEMPTS 100

struct edit *edit_list_add(struct edit_list *list)
{
	list->edits = memory_resize(list->edits, list->count + 1, sizeof *list->edits);
	list->edits[list->count] = (struct edit){0};
	return &list->edits[list->count++];
}

void edit_list_done(struct edit_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->edits[i].key);
		free(list->edits[i].text);
	}
	free(list->edits);
}

/* --- the text --- */

static struct edit *find_edit(struct edit_list *list, struct span line)
{
	struct buf key = BUF_INIT(65536);
	struct edit *found = NULL;

	if (list->get_key(line, &key)) {
		for (size_t i = 0; i < list->count; i++) {
			if (span_equal(buf_span(&key), span_from_cstr(list->edits[i].key)))
				found = &list->edits[i]; /* the last request for a key counts */
		}
	}
	buf_done(&key);
	return found;
}

static bool is_blank_or_comment(struct span line)
{
	line = span_trim(line);
	return line.len == 0 || line.ptr[0] == '#' ||
	       (ascii_is_space(line.ptr[0]) && line.len == 1);
}

static void append_line(struct span line, bool newline, struct buf *out)
{
	buf_append(out, line);
	if (newline)
		buf_append_char(out, '\n');
}

static void start_entry(struct edit_list *list, struct edit *edit, struct buf *out)
{
	if (++edit->hits == 2)
		log_warning(NULL, "%s: multiple entries for \"%s\"", list->path, edit->key);
	if (edit->text != NULL)
		append_line(span_from_cstr(edit->text), true, out);
}

/* text: the file. Appends the changed file to out. Pure. */
static void edit_apply(struct edit_list *list, struct span text, struct buf *out)
{
	struct edit *edit = NULL; /* of the entry we are in */

	while (text.len > 0) {
		size_t at = span_find_char(text, '\n');
		bool newline = at != SIZE_MAX;
		struct span line = span_head(text, newline ? at : text.len);
		text = span_skip(text, line.len + newline);
		if (is_blank_or_comment(line)) {
			append_line(line, newline, out);
			continue;
		}
		if (!ascii_is_space(line.ptr[0])) {
			edit = find_edit(list, line);
			if (edit != NULL)
				start_entry(list, edit, out);
		}
		if (edit != NULL && edit->comment)
			buf_append_char(out, '#');
		if (edit == NULL || edit->comment)
			append_line(line, newline, out);
	}
	for (size_t i = 0; i < list->count; i++) {
		edit = &list->edits[i];
		if (edit->hits > 0 || !edit->append)
			continue;
		if (out->len > 0 && out->ptr[out->len - 1] != '\n')
			buf_append_char(out, '\n');
		append_line(span_from_cstr(edit->text), true, out);
	}
}

/* --- the file --- */

/* The name is Postfix's, so that its tools and ours keep out of each other's way. Whoever held the
 * lock before us may have renamed the file away: then the lock we have is worth nothing. */
static int open_locked(const char *path)
{
	for (int attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
		struct stat mine, there;
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX) == 0 && fstat(fd, &mine) == 0 && stat(path, &there) == 0 &&
			mine.st_ino == there.st_ino && mine.st_dev == there.st_dev)
			return fd;
		close(fd);
	}
	return -EAGAIN;
}

static int replace_content(int fd, struct span text)
{
	if (ftruncate(fd, 0) != 0)
		return -errno;
	return fd_write_all(fd, text);
}

static int flush_folder(const char *path)
{
	struct span text = span_from_cstr(path);
	char *folder = span_dup_cstr(span_head(text, span_find_last_char(text, '/')));
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd < 0 || fsync(fd) != 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	free(folder);
	return result;
}

static int replace(const char *path, const char *temporary, int fd, struct span text)
{
	struct stat st;
	int result = stat(path, &st) != 0 ? -errno : replace_content(fd, text);

	if (result == 0 && geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) != 0)
		result = -errno;
	if (result == 0 && fchmod(fd, st.st_mode & 07777) != 0)
		result = -errno;
	if (result == 0 && fsync(fd) != 0)
		result = -errno;
	if (result == 0 && rename(temporary, path) != 0)
		result = -errno;
	return result != 0 ? result : flush_folder(path);
}

void edit_file(struct edit_list *list)
{
	struct buf temporary = BUF_INIT(8192), text = BUF_INIT(FILE_MAX), out = BUF_INIT(FILE_MAX);
	int fd, result;

	buf_append_format(&temporary, "%s.tmp", list->path);
	fd = open_locked(buf_cstr(&temporary));
	if (fd < 0)
		stderr_log_die("open %s: %s", buf_cstr(&temporary), strerror(-fd));
	result = table_command_read_file(list->path, &text);
	if (result == 0) {
		edit_apply(list, buf_span(&text), &out);
		result = out.overflow
				 ? -EFBIG
				 : replace(list->path, buf_cstr(&temporary), fd, buf_span(&out));
	}
	if (result != 0) {
		unlink(buf_cstr(&temporary));
		stderr_log_die("edit %s: %s", list->path, strerror(-result));
	}
	close(fd);
	buf_done(&temporary);
	buf_done(&text);
	buf_done(&out);
}
