/* See lmdb_file.h. A page starts with a header of 16 bytes: number (8), pad (2), flags (2), lower
 * (2) and upper (2) bound of the free space; then the offsets of its nodes, 2 bytes each. A node:
 * the low and high half of its data's size (or of a child's page number), flags, key size, key,
 * data. All in the host's byte order. SPDX-License-Identifier: ISC */
#include "map/lmdb_file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "map/map_private.h"
#include "sys/fd.h"

#define PAGE_HEADER 16u
#define NODE_HEADER 8u
#define PAGE_MIN 512u
#define PAGE_MAX 65536u
#define DEPTH_MAX 32u
#define NO_PAGE UINT64_MAX

#define META_MAGIC 0xBEEFC0DEu
#define META_VERSION 1u
/* Offsets within a meta page. */
#define META_AT_MAGIC 16u
#define META_AT_VERSION 20u
#define META_AT_PAGE_SIZE 40u
#define META_AT_MAIN_FLAGS 92u
#define META_AT_MAIN_DEPTH 94u
#define META_AT_MAIN_ROOT 128u
#define META_AT_TRANSACTION 144u
#define META_SIZE 152u

#define PAGE_BRANCH 0x01u
#define PAGE_LEAF 0x02u
#define PAGE_OVERFLOW 0x04u
#define NODE_BIG_DATA 0x01u

struct lmdb_file {
	int fd;
	uint32_t page_size;
	uint64_t page_count;
	uint64_t root;
	unsigned depth;
};

static uint16_t get16(const uint8_t *p)
{
	uint16_t value;

	memcpy(&value, p, sizeof value);
	return value;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof value);
	return value;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof value);
	return value;
}

static int read_at(int fd, uint64_t offset, void *bytes, size_t size)
{
	ssize_t n = fd_read_at(fd, bytes, size, offset);
	return n < 0 ? (int)n : (size_t)n < size ? -EUCLEAN : 0;
}

/* --- the two meta pages: the one with the younger transaction counts --- */

static bool read_meta(struct lmdb_file *file, uint64_t offset, uint64_t *transaction)
{
	uint8_t meta[META_SIZE];

	if (read_at(file->fd, offset, meta, sizeof meta) != 0 ||
		get32(meta + META_AT_MAGIC) != META_MAGIC ||
		get32(meta + META_AT_VERSION) != META_VERSION)
		return false;
	uint32_t size = get32(meta + META_AT_PAGE_SIZE);
	if (size < PAGE_MIN || size > PAGE_MAX || (size & (size - 1)) != 0)
		return false;
	uint64_t number = get64(meta + META_AT_TRANSACTION);
	if (file->page_size != 0 && (size != file->page_size || number <= *transaction))
		return false;
	*transaction = number;
	file->page_size = size;
	file->root = get64(meta + META_AT_MAIN_ROOT);
	file->depth = get16(meta + META_AT_MAIN_DEPTH);
	/* Other orders of keys and several values per key are not what tables use. */
	return (get16(meta + META_AT_MAIN_FLAGS) & 0x7fffu) == 0;
}

struct lmdb_file *lmdb_file_open(int fd_take, struct buf *error)
{
	struct lmdb_file *file = NEW(struct lmdb_file);
	uint64_t transaction = 0;
	struct stat st;

	file->fd = fd_take;
	bool ok = fstat(file->fd, &st) == 0 && read_meta(file, 0, &transaction);
	if (ok) {
		read_meta(file, file->page_size, &transaction);
		file->page_count = (uint64_t)st.st_size / file->page_size;
		ok = file->depth <= DEPTH_MAX &&
		     (file->root == NO_PAGE || file->root < file->page_count);
	}
	if (ok)
		return file;
	buf_append_cstr(error, "it is not an LMDB file, or is damaged");
	lmdb_file_close(file);
	return NULL;
}

void lmdb_file_close(struct lmdb_file *file)
{
	if (file == NULL)
		return;
	close(file->fd);
	free(file);
}

/* --- pages and nodes --- */

struct page {
	uint8_t *bytes;
	size_t count; /* nodes */
	bool is_leaf;
};

static int read_page(const struct lmdb_file *file, uint64_t number, struct page *page)
{
	int result;

	if (number < 2 || number >= file->page_count)
		return -EUCLEAN;
	result = read_at(file->fd, number * file->page_size, page->bytes, file->page_size);
	if (result != 0)
		return result;
	unsigned flags = get16(page->bytes + 10), lower = get16(page->bytes + 12);
	if ((flags & 0xfu) != PAGE_BRANCH && (flags & 0xfu) != PAGE_LEAF)
		return -EUCLEAN;
	if (lower < PAGE_HEADER || lower > file->page_size)
		return -EUCLEAN;
	page->count = (lower - PAGE_HEADER) / 2;
	page->is_leaf = (flags & PAGE_LEAF) != 0;
	return page->count == 0 ? -EUCLEAN : 0;
}

struct node {
	struct span key;
	uint64_t child; /* of a branch */
	uint64_t size;	/* of a leaf's data */
	const uint8_t *data;
	unsigned flags;
};

static bool get_node(
	const struct lmdb_file *file, const struct page *page, size_t index, struct node *ret_node)
{
	size_t at = get16(page->bytes + PAGE_HEADER + 2 * index);

	if (at < PAGE_HEADER || at + NODE_HEADER > file->page_size)
		return false;
	const uint8_t *node = page->bytes + at;
	uint64_t low = get16(node), high = get16(node + 2);
	size_t key_size = get16(node + 6), left = file->page_size - at - NODE_HEADER;
	if (key_size > left)
		return false;
	ret_node->flags = get16(node + 4);
	ret_node->key = span_new(node + NODE_HEADER, key_size);
	ret_node->child = low | high << 16 | (uint64_t)ret_node->flags << 32;
	ret_node->size = low | high << 16;
	ret_node->data = node + NODE_HEADER + key_size;
	if (!page->is_leaf)
		return true;
	if ((ret_node->flags & ~NODE_BIG_DATA) != 0)
		return false;
	return (ret_node->flags & NODE_BIG_DATA) != 0 ? left - key_size >= 8
						      : left - key_size >= ret_node->size;
}

static int append_data(const struct lmdb_file *file, const struct node *node, struct buf *out)
{
	char *room;

	if (node->size > MAP_VALUE_MAX)
		return -EUCLEAN;
	if ((node->flags & NODE_BIG_DATA) == 0) {
		buf_append_bytes(out, node->data, node->size);
		return 0;
	}
	uint64_t number = get64(node->data);
	if (number < 2 || number >= file->page_count)
		return -EUCLEAN;
	room = buf_reserve(out, node->size);
	if (room == NULL)
		return -EFBIG;
	int result = read_at(file->fd, number * file->page_size + PAGE_HEADER, room, node->size);
	if (result == 0)
		out->len += node->size;
	return result;
}

/* The last node of a branch whose key is not above key (the first node's key counts as lowest), or
 * of a leaf the one with that key. SIZE_MAX: none; SIZE_MAX - 1: damaged. */
static size_t find_node(const struct lmdb_file *file, const struct page *page, struct span key)
{
	size_t low = page->is_leaf ? 0 : 1, high = page->count;
	struct node node;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (!get_node(file, page, middle, &node))
			return SIZE_MAX - 1;
		int order = span_compare(key, node.key);
		if (order == 0)
			return middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return page->is_leaf ? SIZE_MAX : low - 1;
}

static int search(struct lmdb_file *file, struct page *page, struct span key, struct buf *out)
{
	uint64_t number = file->root;

	for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
		struct node node;
		int result = read_page(file, number, page);
		if (result != 0)
			return result;
		size_t index = find_node(file, page, key);
		if (index == SIZE_MAX)
			return 0;
		if (index == SIZE_MAX - 1 || !get_node(file, page, index, &node))
			return -EUCLEAN;
		if (page->is_leaf) {
			result = append_data(file, &node, out);
			return result == 0 ? 1 : result;
		}
		number = node.child;
	}
	return -EUCLEAN;
}

int lmdb_file_get(struct lmdb_file *file, struct span key, struct buf *ret_value)
{
	struct page page;
	int result;

	if (file->root == NO_PAGE)
		return 0;
	page.bytes = memory_alloc(file->page_size);
	result = search(file, &page, key, ret_value);
	free(page.bytes);
	return result;
}

/* --- all entries --- */

struct walk {
	struct lmdb_file *file;
	bool (*visit)(void *arg, struct span key, struct span value);
	void *arg;
	uint64_t pages; /* visited: a damaged file must not lead in circles */
	bool stopped;
};

static int walk_page(struct walk *walk, uint64_t number, unsigned depth);

static int walk_node(struct walk *walk, const struct page *page, size_t index, unsigned depth)
{
	struct buf value = BUF_INIT(MAP_VALUE_MAX + 1);
	struct node node;
	int result;

	if (!get_node(walk->file, page, index, &node))
		return -EUCLEAN;
	if (!page->is_leaf)
		return walk_page(walk, node.child, depth + 1);
	result = append_data(walk->file, &node, &value);
	if (result == 0 && !walk->visit(walk->arg, node.key, buf_span(&value)))
		walk->stopped = true;
	buf_done(&value);
	return result;
}

static int walk_page(struct walk *walk, uint64_t number, unsigned depth)
{
	struct page page;
	int result;

	if (depth >= DEPTH_MAX || ++walk->pages > walk->file->page_count)
		return -EUCLEAN;
	page.bytes = memory_alloc(walk->file->page_size);
	result = read_page(walk->file, number, &page);
	for (size_t i = 0; result == 0 && !walk->stopped && i < page.count; i++)
		result = walk_node(walk, &page, i, depth);
	free(page.bytes);
	return result;
}

int lmdb_file_each(struct lmdb_file *file,
	bool (*visit)(void *arg, struct span key, struct span value), void *arg)
{
	struct walk walk = {.file = file, .visit = visit, .arg = arg};

	return file->root == NO_PAGE ? 0 : walk_page(&walk, file->root, 0);
}
