/* Opening a user's mail root; see store.h. One struct store for each root in a process: LMDB wants
 * an environment opened once only.
 * SPDX-License-Identifier: ISC */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "store/file_private.h"
#include "store/folder_private.h"

static struct list_node stores = LIST_INIT(stores);
static struct list_node kept_stores = LIST_INIT(kept_stores); /* the last used first */
static size_t kept_count;

#define LOOK_EVERY_MS 1000
#define UIDVALIDITY_FILE "tambo-uidvalidity"

static struct store *find_open(const struct stat *st)
{
	LIST_FOREACH(node, &stores) {
		struct store *store = LIST_ENTRY(node, struct store, node);
		if (store->dev == st->st_dev && store->inode == st->st_ino)
			return store;
	}
	return NULL;
}

/* mkdir -p, but only below a parent that is there or can be made by us. */
static int make_folders(const char *root)
{
	char *path = memory_dup_cstr(root);
	int error = 0;
	for (char *at = path + 1; error == 0; at++) {
		if (*at != '/' && *at != '\0')
			continue;
		char kept = *at;
		*at = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST) {
			error = -errno;
			struct stat st;
			/* A parent that may not be written but is there is fine. */
			if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
				error = 0;
		}
		*at = kept;
		if (kept == '\0')
			break;
	}
	free(path);
	return error;
}

int store_make_maildir(int dir_fd)
{
	static const char *const names[] = {"tmp", "new", "cur"};
	for (size_t i = 0; i < 3; i++)
		if (faccessat(dir_fd, names[i], F_OK, 0) != 0
			&& mkdirat(dir_fd, names[i], 0700) != 0 && errno != EEXIST)
			return -errno;
	return 0;
}

int store_open(const char *root, unsigned flags, struct store **ret_store)
{
	struct stat st;
	if (root[0] != '/')
		return -EINVAL;
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && (flags & STORE_CREATE) != 0) {
		int made = make_folders(root);
		fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return made != 0 ? made : -errno;
	}
	if (fd < 0)
		return -errno;
	int error = fstat(fd, &st) != 0 ? -errno : 0;
	bool missing = error == 0 && faccessat(fd, "cur", F_OK, 0) != 0;
	if (missing && (flags & STORE_CREATE) == 0)
		error = -errno;
	else if (error == 0 && (missing || flags == STORE_REPAIR))
		error = store_make_maildir(fd);
	struct store *store = error == 0 ? find_open(&st) : NULL;
	if (store != NULL || error != 0) {
		(void)close(fd);
		if (store != NULL) {
			store->refs++;
			*ret_store = store;
		}
		return error;
	}
	store = NEW(struct store);
	store->root = memory_dup_cstr(root);
	store->root_fd = fd;
	store->dev = st.st_dev;
	store->inode = st.st_ino;
	store->refs = 1;
	store->looked = task_now();
	list_init(&store->folders);
	list_init(&store->node);
	list_init(&store->kept);
	task_lock_init(&store->tree);
	store->index = index_new(root);
	list_append(&stores, &store->node);
	*ret_store = store;
	return 0;
}

struct store *store_share(struct store *store)
{
	store->refs++;
	return store;
}

void store_close(struct store *store)
{
	if (store == NULL || --store->refs > 0)
		return;
	LIST_FOREACH(node, &store->folders) {
		struct folder *folder = LIST_ENTRY(node, struct folder, node);
		CHECK(folder->refs == 0);
		folder->refs = 1;
		list_remove(&folder->node);
		folder->store = NULL;
		folder_release(folder);
	}
	list_remove(&store->node);
	index_free(store->index);
	file_close(&store->root_fd);
	free(store->root);
	free(store);
}

static void drop_kept(struct store *store)
{
	list_remove(&store->kept);
	kept_count--;
	store_close(store);
}

void store_keep(struct store *store)
{
	if (list_is_empty(&store->kept)) {
		if (kept_count >= STORE_KEPT_MAX)
			drop_kept(LIST_ENTRY(kept_stores.prev, struct store, kept));
		kept_count++;
		store->refs++;
	}
	list_remove(&store->kept);
	list_prepend(&kept_stores, &store->kept);
}

static struct store *find_kept(const char *root)
{
	LIST_FOREACH(node, &kept_stores) {
		struct store *store = LIST_ENTRY(node, struct store, kept);
		if (strcmp(store->root, root) == 0)
			return store;
	}
	return NULL;
}

/* Looked at once a second: in a root that was removed meanwhile the next call fails, one that was
 * moved away is still the same Maildir. */
static bool is_at_root(struct store *store)
{
	struct stat st;
	if (task_self() != NULL && task_now() - store->looked < LOOK_EVERY_MS)
		return true;
	store->looked = task_now();
	return stat(store->root, &st) == 0 && st.st_dev == store->dev && st.st_ino == store->inode;
}

struct store *store_kept(const char *root)
{
	struct store *store = find_kept(root);
	if (store == NULL)
		return NULL;
	if (!is_at_root(store)) {
		drop_kept(store);
		return NULL;
	}
	store_keep(store);
	return store_share(store);
}

void store_forget(const char *root)
{
	struct store *store = find_kept(root);
	if (store != NULL)
		drop_kept(store);
}

const char *store_root(const struct store *store)
{
	return store->root;
}

uint64_t store_device(const struct store *store)
{
	return store->dev;
}

/* The last one given out stands in a file of the root; Dovecot's (hexadecimal) counts too. */
static int read_last(int root_fd, const char *name, bool hex, uint32_t *ret_last)
{
	struct buf text = BUF_INIT(64);
	uint64_t value = 0;
	int error = file_read_present_at(root_fd, name, &text);
	if (error == 0) {
		struct span trimmed = span_trim(buf_span(&text));
		if (!(hex ? span_to_hex_u64(trimmed, &value) : span_to_u64(trimmed, UINT32_MAX, &value))
			|| value > UINT32_MAX - 1000)
			value = 0;
	}
	buf_done(&text);
	*ret_last = (uint32_t)value;
	return error == -ENOENT ? 0 : error;
}

int store_new_uidvalidity(struct store *store, uint32_t wanted, uint32_t *ret_uidvalidity)
{
	uint32_t last = 0, other = 0;
	int error = read_last(store->root_fd, UIDVALIDITY_FILE, false, &last);
	if (error == 0)
		error = read_last(store->root_fd, "dovecot-uidvalidity", true, &other);
	if (error != 0)
		return error;
	uint32_t now = (uint32_t)(file_now_ns() / 1000000000);
	uint32_t value = last >= now ? last + 1 : now;
	if (wanted > last)
		value = wanted;
	if (other >= value)
		value = other + 1;
	struct buf text = BUF_INIT(32);
	buf_append_format(&text, "%u\n", value);
	error = file_replace_at(store->root_fd, UIDVALIDITY_FILE, buf_span(&text));
	buf_done(&text);
	if (error == 0)
		*ret_uidvalidity = value;
	return error;
}
