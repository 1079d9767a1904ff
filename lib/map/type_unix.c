/* unix:passwd.byname and unix:group.byname: the entry's line. The file comes first, because a
 * confined process can be given the file but not the name service; only an unconfined process asks
 * getpwnam for what the file does not hold. A confined one on a host whose nsswitch.conf names more
 * than files must not say "no such user": it asks the proxy, or answers with an error.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "map/map_private.h"
#include "map/passwdfile.h"
#include "map/proxy.h"
#include "sys/fd.h"
#include "task/task.h"

#define ENTRY_MAX (1u << 20) /* of getpwnam_r's buffer: groups can be long */

struct accounts {
	struct map_memory *memory; /* key: name, value: the whole line */
	bool is_group;
	bool more_than_files;
};

/* True when a line such as "passwd: files sss" names a source that a file does not hold. */
static bool names_more(struct span text, struct span database)
{
	while (text.ptr != NULL) {
		struct span line = span_split(&text, '\n'), word;
		size_t comment = span_find_char(line, '#');
		line = span_trim(span_head(line, comment == SIZE_MAX ? line.len : comment));
		if (!span_starts_with(line, database) || line.len == database.len ||
			line.ptr[database.len] != ':')
			continue;
		line = span_skip(line, database.len + 1);
		while (span_token(&line, " \t", &word)) {
			/* systemd adds only root, nobody and transient users of services. */
			if (!span_equal(word, SPAN("files")) && !span_equal(word, SPAN("compat")) &&
				!span_equal(word, SPAN("systemd")) && word.ptr[0] != '[')
				return true;
		}
	}
	return false;
}

static bool host_has_more(bool is_group)
{
	struct buf text = BUF_INIT(1u << 16);
	int fd = open("/etc/nsswitch.conf", O_RDONLY | O_CLOEXEC);
	bool more = fd >= 0 && fd_read_all(fd, &text) == 0 &&
		    names_more(buf_span(&text), is_group ? SPAN("group") : SPAN("passwd"));

	if (fd >= 0)
		close(fd);
	buf_done(&text);
	return more;
}

static bool read_accounts(struct map *map, struct accounts *accounts);

static bool open_unix(struct map *map, struct buf *error)
{
	struct accounts *accounts;
	bool is_group = strcmp(map->name, "group.byname") == 0;

	if (!is_group && strcmp(map->name, "passwd.byname") != 0) {
		buf_append_format(
			error, "unknown table: %s (passwd.byname or group.byname)", map->spec);
		return false;
	}
	accounts = NEW(struct accounts);
	accounts->is_group = is_group;
	accounts->more_than_files = host_has_more(is_group);
	map->table = accounts;
	map->source.path = memory_dup_cstr(is_group ? "/etc/group" : "/etc/passwd");
	/* Now, while a process that will be sealed can; what fails is tried again at a lookup. */
	read_accounts(map, accounts);
	return true;
}

static void close_unix(struct map *map)
{
	struct accounts *accounts = map->table;

	if (accounts != NULL)
		map_memory_free(accounts->memory);
	free(accounts);
}

/* --- the file --- */

static void keep_account(void *arg, struct span name, struct span rest, unsigned line)
{
	(void)line;
	/* name and rest are neighbours in one line. */
	map_memory_put(arg, name, span_new(name.ptr, name.len + 1 + rest.len));
}

static void ignore_line(void *arg, unsigned line, const char *text)
{
	(void)arg;
	(void)line;
	(void)text;
}

static bool read_accounts(struct map *map, struct accounts *accounts)
{
	struct map_memory *memory = map_memory_new();
	struct map_text_visitor visitor = {memory, keep_account, ignore_line};
	struct buf text = BUF_INIT(MAP_TEXT_MAX);
	int fd = map_source_open(&map->source);
	bool ok = fd >= 0 && fd_read_all(fd, &text) == 0;

	if (ok)
		passwdfile_parse(buf_span(&text), &visitor);
	if (fd >= 0)
		close(fd);
	if (ok) {
		map_memory_free(accounts->memory);
		accounts->memory = memory;
	} else {
		map_memory_free(memory);
	}
	buf_done(&text);
	return ok;
}

/* --- the name service --- */

struct question {
	const char *name;
	bool is_group;
	struct buf *answer;
	enum map_result result;
};

static int ask_group(struct question *q, char *room)
{
	struct group entry, *found = NULL;
	int error = getgrnam_r(q->name, &entry, room, ENTRY_MAX, &found);

	if (found == NULL)
		return error;
	buf_append_format(q->answer, "%s:%s:%u:", found->gr_name, found->gr_passwd, found->gr_gid);
	for (size_t i = 0; found->gr_mem[i] != NULL; i++)
		buf_append_format(q->answer, "%s%s", i == 0 ? "" : ",", found->gr_mem[i]);
	return -1;
}

static int ask_passwd(struct question *q, char *room)
{
	struct passwd entry, *found = NULL;
	int error = getpwnam_r(q->name, &entry, room, ENTRY_MAX, &found);

	if (found == NULL)
		return error;
	buf_append_format(q->answer, "%s:%s:%u:%u:%s:%s:%s", found->pw_name, found->pw_passwd,
		found->pw_uid, found->pw_gid, found->pw_gecos, found->pw_dir, found->pw_shell);
	return -1;
}

/* In a thread: a name service may ask the network. */
static void ask(void *arg)
{
	struct question *q = arg;
	char *room = memory_alloc(ENTRY_MAX);
	int error = q->is_group ? ask_group(q, room) : ask_passwd(q, room);

	free(room);
	if (error == -1)
		q->result = MAP_FOUND;
	else if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF ||
		 error == EPERM)
		q->result = MAP_NOT_FOUND; /* the ways of getpwnam(3) to say so */
	else
		q->result = MAP_ERROR;
}

static enum map_result ask_name_service(
	const struct accounts *accounts, struct span key, struct buf *ret_value)
{
	char *name = span_dup_cstr(key);
	struct question q = {name, accounts->is_group, ret_value, MAP_ERROR};

	task_offload(ask, &q);
	free(name);
	return q.result;
}

static enum map_result lookup_unix(struct map *map, struct span key, struct buf *ret_value)
{
	struct accounts *accounts = map->table;
	struct span line;

	if (memchr(key.ptr, '\0', key.len) != NULL || span_find_char(key, ':') != SIZE_MAX)
		return MAP_NOT_FOUND;
	if (accounts->memory == NULL || map_source_changed(&map->source)) {
		if (!read_accounts(map, accounts) && accounts->memory == NULL)
			return MAP_ERROR;
	}
	if (map_memory_get(accounts->memory, key, &line)) {
		buf_append(ret_value, line);
		return MAP_FOUND;
	}
	if (!accounts->more_than_files)
		return MAP_NOT_FOUND;
	return map_has_opener() ? map_ask_proxy(map, key, ret_value)
				: ask_name_service(accounts, key, ret_value);
}

const struct map_type map_type_unix = {
	.name = "unix", .open = open_unix, .close = close_unix, .lookup = lookup_unix};
