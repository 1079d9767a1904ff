/* What the index file says: rows, changes and parse results of any bytes are refused, or are within
 * bounds. Each entry: kind, length of the tail of its key, length of its value (two bytes), both.
 * SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/cache_private.h"
#include "store/index_lmdb_private.h"
#include "store/mailbox.h"

#define ID 1
#define ENTRIES_MAX 64
#define KEY_MAX 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[] = "/tmp/tambo-index-fuzz-XXXXXX";
static struct index *index_of_all;

static void remove_root(void)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "boot", "lock", ""};
	char path[128];
	index_free(index_of_all);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/" INDEX_DIR "/%s", root, names[i]);
		(void)remove(path);
	}
	(void)rmdir(root);
}

/* The folder is what a run before damaged it to: the next one begins with a whole one. */
static void begin(struct index_txn *txn)
{
	if (index_of_all == NULL) {
		CHECK(mkdtemp(root) != NULL);
		index_of_all = index_new(root);
		(void)atexit(remove_root);
	}
	index_of_all->broken = false;
	CHECK(index_begin(index_of_all, true, txn) == 0);
}

static struct span take(struct span *rest, size_t len)
{
	struct span piece = span_head(*rest, len);
	*rest = span_skip(*rest, piece.len);
	return piece;
}

static void put_entry(struct index_txn *txn, struct span *rest)
{
	static const char kinds[] = "BAMNPCX";
	struct span head = take(rest, 4);
	if (head.len < 4)
		return;
	const uint8_t *bytes = (const uint8_t *)head.ptr;
	struct span tail = take(rest, bytes[1] % KEY_MAX);
	struct span value = take(rest, (size_t)bytes[2] << 8 | bytes[3]);
	uint8_t key[5 + KEY_MAX] = {(uint8_t)kinds[bytes[0] % (sizeof(kinds) - 1)], 0, 0, 0, ID};
	memcpy(key + 5, tail.ptr, tail.len);
	MDB_val k = {5 + tail.len, key};
	/* With the right checksum: what stands behind it is not believed either. */
	index_access_put(txn, &k, value.ptr, value.len);
	CHECK(txn->error == 0);
}

static bool see_row(const struct index_row *row, void *arg)
{
	struct index_txn *txn = arg;
	struct span value, piece;
	CHECK(row->keyword_count <= STORE_KEYWORDS_MAX && row->name.len <= 255);
	for (size_t i = 0; i < row->keyword_count; i++)
		CHECK(row->keywords[i] < STORE_KEYWORDS_MAX);
	if (index_get_cache(txn, ID, row->uid, &value))
		for (int kind = 0; kind < CACHE_KINDS; kind++)
			if (cache_get(value, (enum message_cache)kind, &piece))
				CHECK(piece.ptr >= value.ptr && piece.ptr + piece.len <= value.ptr + value.len);
	return true;
}

static bool see_change(uint32_t uid, bool expunged, void *arg)
{
	(void)uid;
	(void)expunged;
	++*(size_t *)arg;
	return true;
}

/* A writer goes on from what it reads. */
static void change_row(struct index_txn *txn)
{
	struct index_folder folder = {.id = ID, .tombstones = UINT32_MAX - 1, .highestmodseq = 9};
	struct index_row row;
	if (!index_get_row(txn, ID, 0, &row))
		return;
	uint16_t keywords[STORE_KEYWORDS_MAX];
	char name[255];
	if (row.keyword_count > 0)
		memcpy(keywords, row.keywords, row.keyword_count * sizeof(uint16_t));
	memcpy(name, row.name.ptr, row.name.len);
	row.keywords = keywords;
	row.name.ptr = name;
	struct index_row old = row;
	index_put_row(txn, &folder, &old, &row, true);
	index_delete_row(txn, &folder, &row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct index_txn txn;
	struct index_folder folder;
	struct span rest = span_new(data, size);
	size_t changes = 0;
	begin(&txn);
	for (size_t i = 0; i < ENTRIES_MAX && rest.len > 0; i++)
		put_entry(&txn, &rest);
	(void)index_get_folder(&txn, SPAN_EMPTY, &folder);
	index_each_change(&txn, ID, 0, see_change, &changes);
	(void)index_find_name(&txn, ID, SPAN("name"));
	index_each_row(&txn, ID, 0, see_row, &txn);
	txn.error = 0;
	change_row(&txn);
	txn.error = 0;
	CHECK(index_wipe(&txn, ID, SIZE_MAX));
	index_abort(&txn);
	return 0;
}
