/* A look at the pages that a write is about to copy and change, before LMDB does: it believes the
 * lengths in them, and a wrong one would have it write over memory that is not its own. Reads need
 * none: they fault or find a wrong checksum.
 *
 * Pages are those of LMDB's data version 1: a head of number, flags and bounds, offsets of the
 * nodes that grow upwards, nodes that grow downwards from the end. Numbers are this machine's.
 * SPDX-License-Identifier: ISC */
#include <string.h>

#include "store/index_lmdb_private.h"

#define PAGE_HEAD 16
#define NODE_HEAD 8
#define NODE_KEY_MAX 511
#define DEPTH_MAX 32
#define FREE_PAGES_MAX 4096 /* of the tree of free pages that are looked at */
#define FREE_NUMBERS_MAX 8192 /* free pages whose numbers are looked at: LMDB takes these first */
#define NO_PAGE UINT64_MAX

enum page_flag { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4 };
enum node_flag { NODE_BIG = 1 };

/* Where the first page of a file has what. */
enum meta_offset { META_TREES = 40, META_TREE_SIZE = 48, META_LAST_PAGE = 136, META_NUMBER = 144 };
enum tree_offset { TREE_DEPTH = 6, TREE_ROOT = 40 };
enum tree { TREE_FREE, TREE_MAIN };

struct page {
	uint64_t number;
	uint16_t unused, flags, lower, upper;
};

struct node {
	uint16_t low, high, flags, key_len;
};

struct vet {
	struct index *index;
	uint64_t last_page, root;
	unsigned depth;
	size_t pages_left, numbers_left;
};

static const char *page_at(const struct vet *vet, uint64_t number)
{
	return vet->index->map + number * vet->index->page_size;
}

static unsigned node_count(const char *page)
{
	struct page head;
	memcpy(&head, page, sizeof(head));
	return (head.lower - PAGE_HEAD) / 2U;
}

/* The i-th node of a page that was looked at. */
static const char *node_at(const char *page, unsigned i, struct node *ret_node)
{
	uint16_t offset;
	memcpy(&offset, page + PAGE_HEAD + 2 * i, sizeof(offset));
	memcpy(ret_node, page + offset, sizeof(*ret_node));
	return page + offset;
}

static uint64_t child_of(const struct node *node)
{
	return node->low | (uint64_t)node->high << 16 | (uint64_t)node->flags << 32;
}

static size_t data_size(const struct node *node)
{
	return node->low | (size_t)node->high << 16;
}

/* Its length in the page; 0: none that there could be. */
static size_t node_size(const struct vet *vet, const char *page, uint16_t offset, bool is_leaf)
{
	struct node node;
	size_t room = vet->index->page_size;
	if (offset % 2 != 0 || offset > room - NODE_HEAD)
		return 0;
	memcpy(&node, page + offset, sizeof(node));
	size_t data = !is_leaf ? 0 : node.flags == NODE_BIG ? sizeof(uint64_t) : data_size(&node);
	if (node.key_len > NODE_KEY_MAX || (is_leaf && node.flags > NODE_BIG) || data > room)
		return 0;
	size_t size = NODE_HEAD + node.key_len + data;
	return size > room - offset ? 0 : size + size % 2;
}

/* Head, offsets and lengths; the nodes fill what is used. NULL: damaged. */
static const char *vet_page(const struct vet *vet, uint64_t number, bool is_leaf)
{
	struct index *index = vet->index;
	uint64_t *seen = &index->vetted[number % ARRAY_LEN(index->vetted)];
	if (number < 2 || number > vet->last_page)
		return NULL;
	const char *page = page_at(vet, number);
	struct page head;
	memcpy(&head, page, sizeof(head));
	if (head.flags != (is_leaf ? PAGE_LEAF : PAGE_BRANCH))
		return NULL;
	if (*seen == number)
		return page;
	if (head.number != number || head.lower <= PAGE_HEAD || head.lower % 2 != 0
		|| head.lower > head.upper || head.upper > index->page_size)
		return NULL;
	size_t used = 0;
	for (unsigned i = 0; i < node_count(page); i++) {
		uint16_t offset;
		memcpy(&offset, page + PAGE_HEAD + 2 * i, sizeof(offset));
		size_t size = offset < head.upper ? 0 : node_size(vet, page, offset, is_leaf);
		if (size == 0)
			return NULL;
		used += size;
	}
	if (used != index->page_size - head.upper)
		return NULL;
	*seen = number;
	return page;
}

static int compare_key(const char *at, const struct node *node, const MDB_val *key)
{
	size_t common = node->key_len < key->mv_size ? node->key_len : key->mv_size;
	int order = memcmp(at + NODE_HEAD, key->mv_data, common);
	return order != 0 ? order : (node->key_len > key->mv_size) - (node->key_len < key->mv_size);
}

/* The last child whose key is not above it; the first one's key counts as the lowest. */
static unsigned find_child(const char *page, const MDB_val *key)
{
	unsigned low = 1, high = node_count(page);
	while (low < high) {
		struct node node;
		unsigned middle = (low + high) / 2;
		const char *at = node_at(page, middle, &node);
		if (compare_key(at, &node, key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low - 1;
}

/* A value in pages of its own has as many as its length asks for. */
static const char *vet_big(const struct vet *vet, const char *at, const struct node *node)
{
	struct page head;
	uint64_t number;
	uint32_t pages;
	memcpy(&number, at + NODE_HEAD + node->key_len, sizeof(number));
	if (number < 2 || number > vet->last_page)
		return NULL;
	const char *page = page_at(vet, number);
	memcpy(&head, page, sizeof(head));
	memcpy(&pages, &head.lower, sizeof(pages));
	uint64_t wanted = (PAGE_HEAD + data_size(node) - 1) / vet->index->page_size + 1;
	if (head.number != number || head.flags != PAGE_OVERFLOW || pages != wanted
		|| pages > vet->last_page - number + 1)
		return NULL;
	return page + PAGE_HEAD;
}

/* Has it values in pages of their own? */
static bool has_big(const char *page)
{
	for (unsigned i = 0; i < node_count(page); i++) {
		struct node node;
		(void)node_at(page, i, &node);
		if (node.flags == NODE_BIG)
			return true;
	}
	return false;
}

static bool vet_leaf(const struct vet *vet, const char *page, const MDB_val *key)
{
	unsigned low = 0, high = node_count(page);
	while (low < high) {
		struct node node;
		unsigned middle = (low + high) / 2;
		const char *at = node_at(page, middle, &node);
		int order = compare_key(at, &node, key);
		if (order == 0)
			return node.flags != NODE_BIG || vet_big(vet, at, &node) != NULL;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return true;
}

/* What the i-th node of a page begins with. */
static MDB_val key_of(const char *page, unsigned i)
{
	struct node node;
	const char *at = node_at(page, i, &node);
	return (MDB_val){node.key_len, (void *)(uintptr_t)(at + NODE_HEAD)};
}

static bool is_below(const MDB_val *a, const MDB_val *b)
{
	size_t common = a->mv_size < b->mv_size ? a->mv_size : b->mv_size;
	int order = memcmp(a->mv_data, b->mv_data, common);
	return order != 0 ? order < 0 : a->mv_size < b->mv_size;
}

static bool is_in_range(const struct vetted_range *range, const MDB_val *key)
{
	return range->leaf != NULL && (range->low.mv_data == NULL || !is_below(key, &range->low))
		&& (range->high.mv_data == NULL || is_below(key, &range->high));
}

/* The pages on the way to key, and next to it those that a page that has become too small is joined
 * with. What lies between the same two keys has the same way. */
static bool vet_path(const struct vet *vet, const MDB_val *key, struct vetted_range *ret_range)
{
	struct vetted_range range = {0};
	uint64_t number = vet->root;
	for (unsigned level = 1; level < vet->depth; level++) {
		const char *page = vet_page(vet, number, false);
		if (page == NULL)
			return false;
		unsigned i = find_child(page, key), count = node_count(page);
		unsigned next = i > 0 ? i - 1 : i + 1;
		struct node node;
		if (next < count) {
			(void)node_at(page, next, &node);
			if (vet_page(vet, child_of(&node), level + 1 == vet->depth) == NULL)
				return false;
		}
		(void)node_at(page, i, &node);
		number = child_of(&node);
		if (i > 0)
			range.low = key_of(page, i);
		if (i + 1 < count)
			range.high = key_of(page, i + 1);
	}
	range.leaf = vet_page(vet, number, true);
	range.has_big = range.leaf != NULL && has_big(range.leaf);
	*ret_range = range;
	return range.leaf != NULL;
}

/* A list of page numbers: their count, then they, descending. */
static bool vet_list(struct vet *vet, const char *bytes, size_t size)
{
	uint64_t count, number, last = vet->last_page + 1;
	if (size < sizeof(count))
		return false;
	memcpy(&count, bytes, sizeof(count));
	if (count > size / sizeof(number) - 1)
		return false;
	if (vet->numbers_left == 0)
		return true;
	vet->numbers_left -= count < vet->numbers_left ? count : vet->numbers_left;
	for (size_t i = 1; i <= count; i++) {
		memcpy(&number, bytes + i * sizeof(number), sizeof(number));
		if (number < 2 || number >= last)
			return false;
		last = number;
	}
	return true;
}

static bool vet_lists(struct vet *vet, const char *page)
{
	for (unsigned i = 0; i < node_count(page); i++) {
		struct node node;
		const char *at = node_at(page, i, &node);
		const char *data = node.flags == NODE_BIG ? vet_big(vet, at, &node)
			: at + NODE_HEAD + node.key_len;
		if (data == NULL || node.key_len != sizeof(uint64_t)
			|| !vet_list(vet, data, data_size(&node)))
			return false;
	}
	return true;
}

/* All of the tree of free pages, the oldest first. */
static bool vet_free_tree(struct vet *vet, uint64_t number, unsigned level)
{
	bool is_leaf = level == vet->depth;
	const char *page = vet_page(vet, number, is_leaf);
	if (page == NULL || vet->pages_left-- == 0)
		return false;
	if (is_leaf)
		return vet_lists(vet, page);
	for (unsigned i = 0; i < node_count(page); i++) {
		struct node node;
		(void)node_at(page, i, &node);
		if (!vet_free_tree(vet, child_of(&node), level + 1))
			return false;
	}
	return true;
}

/* The tree as it was committed last: a writer begins with its pages. */
static bool find_tree(struct vet *vet, uint64_t number, enum tree tree)
{
	const struct index *index = vet->index;
	const char *meta = index->map + (number & 1) * index->page_size;
	const char *at = meta + META_TREES + (size_t)tree * META_TREE_SIZE;
	uint64_t written;
	uint16_t depth;
	memcpy(&written, meta + META_NUMBER, sizeof(written));
	memcpy(&vet->last_page, meta + META_LAST_PAGE, sizeof(vet->last_page));
	memcpy(&depth, at + TREE_DEPTH, sizeof(depth));
	memcpy(&vet->root, at + TREE_ROOT, sizeof(vet->root));
	vet->depth = depth;
	return written == number && vet->depth <= DEPTH_MAX
		&& vet->last_page < index->map_size / index->page_size
		&& (vet->root == NO_PAGE) == (vet->depth == 0);
}

bool index_vet_writing(struct index *index, uint64_t number)
{
	struct vet vet = {
		.index = index, .pages_left = FREE_PAGES_MAX, .numbers_left = FREE_NUMBERS_MAX};
	memset(index->vetted, 0, sizeof(index->vetted));
	memset(index->vetted_ranges, 0, sizeof(index->vetted_ranges));
	if (index->map == NULL)
		return true; /* nothing was written yet */
	return find_tree(&vet, number, TREE_FREE)
		&& (vet.root == NO_PAGE || vet_free_tree(&vet, vet.root, 1));
}

bool index_vet_key(struct index *index, uint64_t number, const MDB_val *key)
{
	struct vet vet = {.index = index};
	const unsigned char *kind = key->mv_data;
	struct vetted_range *range = &index->vetted_ranges[*kind % ARRAY_LEN(index->vetted_ranges)];
	if (index->map == NULL || (is_in_range(range, key) && !range->has_big))
		return true;
	if (!find_tree(&vet, number, TREE_MAIN))
		return false;
	if (vet.root == NO_PAGE)
		return true;
	return (is_in_range(range, key) || vet_path(&vet, key, range))
		&& (!range->has_big || vet_leaf(&vet, range->leaf, key));
}
