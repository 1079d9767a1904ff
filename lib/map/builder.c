/* See builder.h.
 * SPDX-License-Identifier: ISC */
#include "map/builder.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "map/lmdb_file.h"
#include "map/map_private.h"

#define ENTRIES_PER_COMMIT 100000u
#define SIZE_FACTOR 16u /* of the file to its text, at worst */
#define SIZE_EXTRA (64u << 20)

struct map_builder {
	char *path, *temporary;
	mode_t mode;
	int locked_fd; /* of the table that is updated, or -1 */
	bool with_nul;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	unsigned uncommitted;
	int failure; /* of LMDB, sticky */
};

static char *format_path(const char *name, const char *suffix)
{
	struct buf path = BUF_INIT(8192);

	buf_append_format(&path, "%s%s", name, suffix);
	return buf_steal(&path);
}

/* LMDB's own codes are negative, those of the system positive. */
static int to_errno(int code)
{
	return code > 0 ? -code : code == MDB_MAP_FULL ? -ENOSPC : -EIO;
}

static int begin(struct map_builder *builder)
{
	int code = mdb_txn_begin(builder->env, NULL, 0, &builder->txn);

	if (code == 0)
		code = mdb_dbi_open(builder->txn, NULL, 0, &builder->dbi);
	return code;
}

static int create_environment(struct map_builder *builder, uint64_t text_size)
{
	int fd = open(builder->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int code;

	if (fd < 0)
		return errno;
	close(fd);
	code = mdb_env_create(&builder->env);
	if (code == 0)
		code = mdb_env_set_mapsize(builder->env,
			(size_t)(text_size * SIZE_FACTOR + SIZE_EXTRA) & ~(size_t)0xfffff);
	if (code == 0) /* nobody else knows the file yet */
		code = mdb_env_open(builder->env, builder->temporary,
			MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600);
	return code != 0 ? code : begin(builder);
}

/* --- update: the old table's entries, under its lock --- */

/* The table may be replaced while we wait for its lock: then the new one is to be locked. */
static int lock_table(const char *path)
{
	for (int attempt = 0; attempt < 100; attempt++) {
		struct stat mine, now;
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX) == 0 && fstat(fd, &mine) == 0 && stat(path, &now) == 0 &&
			mine.st_ino == now.st_ino && mine.st_dev == now.st_dev)
			return fd;
		close(fd);
	}
	return -EAGAIN;
}

static struct span without_nul(struct span s)
{
	return s.len > 0 && s.ptr[s.len - 1] == '\0' ? span_head(s, s.len - 1) : s;
}

static bool copy_entry(void *arg, struct span key, struct span value)
{
	struct map_builder *builder = arg;

	builder->failure = map_builder_put(builder, without_nul(key), without_nul(value), true);
	return builder->failure == 0;
}

static int copy_table(struct map_builder *builder)
{
	struct buf reason = BUF_INIT(200);
	struct lmdb_file *old;
	int copy, result;

	builder->locked_fd = lock_table(builder->path);
	if (builder->locked_fd < 0)
		return builder->locked_fd == -ENOENT ? 0 : builder->locked_fd;
	copy = fcntl(builder->locked_fd, F_DUPFD_CLOEXEC, 0);
	old = copy < 0 ? NULL : lmdb_file_open(copy, &reason);
	result = old == NULL ? -EUCLEAN : lmdb_file_each(old, copy_entry, builder);
	lmdb_file_close(old);
	buf_done(&reason);
	return result != 0 ? result : builder->failure;
}

static uint64_t existing_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

struct map_builder *map_builder_open(
	const char *name, mode_t mode, uint64_t text_size, bool update, char **ret_error)
{
	struct map_builder *builder = NEW(struct map_builder);
	struct buf suffix = BUF_INIT(100), error = BUF_INIT(16384);
	int code;

	buf_append_format(&suffix, ".lmdb.%d.tmp", (int)getpid());
	builder->path = format_path(name, ".lmdb");
	builder->temporary = format_path(name, buf_cstr(&suffix));
	builder->mode = mode;
	builder->locked_fd = -1;
	buf_done(&suffix);
	code = create_environment(builder, text_size + (update ? existing_size(builder->path) : 0));
	if (code != 0)
		buf_append_format(
			&error, "create database %s: %s", builder->temporary, mdb_strerror(code));
	if (code == 0 && update && (code = copy_table(builder)) != 0)
		buf_append_format(&error, "read database %s: %s", builder->path, strerror(-code));
	if (code != 0) {
		*ret_error = buf_steal(&error);
		map_builder_abort(builder);
		builder = NULL;
	}
	buf_done(&error);
	return builder;
}

void map_builder_set_nul(struct map_builder *builder, bool with_nul)
{
	builder->with_nul = with_nul;
}

static MDB_val to_value(const struct map_builder *builder, struct span bytes, struct buf *room)
{
	buf_append(room, bytes);
	if (builder->with_nul)
		buf_append_char(room, '\0');
	/* LMDB refuses a NULL pointer even for no bytes. */
	buf_cstr(room);
	return (MDB_val){room->len, room->ptr};
}

int map_builder_put(struct map_builder *builder, struct span key, struct span value, bool replace)
{
	struct buf key_room = BUF_INIT(MAP_KEY_MAX), value_room = BUF_INIT(MAP_VALUE_MAX + 1);
	int code = 0;

	if (key.len == 0 || key.len + builder->with_nul > MAP_BUILDER_KEY_MAX)
		return -ENAMETOOLONG;
	if (value.len >= MAP_VALUE_MAX)
		return -EFBIG;
	MDB_val k = to_value(builder, key, &key_room), v = to_value(builder, value, &value_room);
	if (builder->uncommitted >= ENTRIES_PER_COMMIT) {
		code = mdb_txn_commit(builder->txn);
		builder->txn = NULL;
		builder->uncommitted = 0;
		if (code == 0)
			code = begin(builder);
	}
	if (code == 0)
		code = mdb_put(builder->txn, builder->dbi, &k, &v, replace ? 0 : MDB_NOOVERWRITE);
	builder->uncommitted++;
	buf_done(&key_room);
	buf_done(&value_room);
	return code == 0 ? 0 : code == MDB_KEYEXIST ? -EEXIST : to_errno(code);
}

int map_builder_delete(struct map_builder *builder, struct span key)
{
	struct buf room = BUF_INIT(MAP_KEY_MAX);
	int code = MDB_NOTFOUND;

	if (key.len > 0 && key.len + builder->with_nul <= MAP_BUILDER_KEY_MAX) {
		MDB_val k = to_value(builder, key, &room);
		code = mdb_del(builder->txn, builder->dbi, &k, NULL);
	}
	buf_done(&room);
	return code == 0 ? 0 : code == MDB_NOTFOUND ? -ENOENT : to_errno(code);
}

/* --- the end --- */

static void builder_free(struct map_builder *builder)
{
	if (builder->txn != NULL)
		mdb_txn_abort(builder->txn);
	if (builder->env != NULL)
		mdb_env_close(builder->env);
	if (builder->locked_fd >= 0)
		close(builder->locked_fd);
	free(builder->path);
	free(builder->temporary);
	free(builder);
}

void map_builder_abort(struct map_builder *builder)
{
	unlink(builder->temporary);
	builder_free(builder);
}

static int flush_folder(const char *path)
{
	struct span folder = span_from_cstr(path);
	size_t slash = span_find_last_char(folder, '/');
	char *name = slash == SIZE_MAX ? memory_dup_cstr(".")
				       : span_dup_cstr(span_head(folder, slash == 0 ? 1 : slash));
	int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd < 0 || fsync(fd) != 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	free(name);
	return result;
}

static int finish_file(struct map_builder *builder)
{
	mdb_filehandle_t fd = -1;
	int code = mdb_txn_commit(builder->txn);

	builder->txn = NULL;
	if (code == 0)
		code = mdb_env_sync(builder->env, 1);
	if (code == 0)
		code = mdb_env_get_fd(builder->env, &fd);
	if (code == 0 && (fchmod(fd, builder->mode) != 0 || fsync(fd) != 0))
		code = errno;
	if (code == 0 && rename(builder->temporary, builder->path) != 0)
		code = errno;
	return code != 0 ? code : flush_folder(builder->path);
}

bool map_builder_commit(struct map_builder *builder, char **ret_error)
{
	struct buf error = BUF_INIT(16384);
	int code = finish_file(builder);

	if (code != 0) {
		buf_append_format(
			&error, "write database %s: %s", builder->path, mdb_strerror(code));
		*ret_error = buf_steal(&error);
		map_builder_abort(builder);
		return false;
	}
	builder_free(builder);
	return true;
}
