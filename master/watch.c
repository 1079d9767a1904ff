/* Files that sealed processes have open: tables, certificates, keys. When one changes and has been
 * quiet since the last look, the processes that use it are replaced gently, as Postfix's do
 * themselves when a table has changed.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "master/master.h"

#define WATCHED_MAX 4000

struct identity {
	bool exists;
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
};

struct watched {
	struct list_node node;
	char *path;
	struct process_group *group;
	struct identity used, last; /* when it was opened; at the last look */
};

static struct list_node all = LIST_INIT(all);
static size_t count;

static struct identity look_at(const char *path)
{
	struct stat st;
	struct identity identity;
	memset(&identity, 0, sizeof identity);
	if (stat(path, &st) < 0)
		return identity;
	identity.exists = true;
	identity.device = st.st_dev;
	identity.inode = st.st_ino;
	identity.size = st.st_size;
	identity.modified = st.st_mtim;
	return identity;
}

static bool is_same(const struct identity *a, const struct identity *b)
{
	return a->exists == b->exists && a->device == b->device && a->inode == b->inode &&
		a->size == b->size && a->modified.tv_sec == b->modified.tv_sec &&
		a->modified.tv_nsec == b->modified.tv_nsec;
}

static struct watched *find(const char *path, const struct process_group *group)
{
	LIST_FOREACH(node, &all) {
		struct watched *watched = LIST_ENTRY(node, struct watched, node);
		if (watched->group == group && strcmp(watched->path, path) == 0)
			return watched;
	}
	return NULL;
}

void watch_add(const char *path, struct process *process)
{
	struct process_group *group = process->group;
	/* The others open by themselves what changed. */
	unsigned needed = PROGRAM_CHROOT | PROGRAM_READS_ROOT;
	if (group == NULL || path[0] != '/' || process->role != CONTROL_ROLE_SERVICE ||
		!(process->program->flags & needed))
		return;
	if (find(path, group) != NULL || count == WATCHED_MAX)
		return;
	struct watched *watched = NEW(struct watched);
	watched->path = memory_dup_cstr(path);
	watched->group = group;
	watched->used = watched->last = look_at(path);
	list_append(&all, &watched->node);
	count++;
}

static void forget(struct watched *watched)
{
	list_remove(&watched->node);
	free(watched->path);
	free(watched);
	count--;
}

void watch_check(void)
{
	LIST_FOREACH(node, &all) {
		struct watched *watched = LIST_ENTRY(node, struct watched, node);
		struct identity now = look_at(watched->path);
		bool quiet = is_same(&now, &watched->last);
		bool changed = !is_same(&now, &watched->used);
		watched->last = now;
		/* One that is gone is probably being replaced. */
		if (!changed || !quiet || !now.exists)
			continue;
		log_info(NULL, "table %s has changed -- restarting service %s", watched->path,
			watched->group->service->name);
		watched->used = now;
		group_renew(watched->group);
		group_run(watched->group);
	}
}

void watch_forget_all(void)
{
	LIST_FOREACH(node, &all)
		forget(LIST_ENTRY(node, struct watched, node));
}
