/* Rows of the index. One LMDB table; the first byte of a key says what it is, numbers in keys are
 * big endian so that they sort. A row's key ends in a zero byte: LMDB puts a value right behind its
 * key, and keywords are read in place, so the key's length is even. Before each value stands the
 * CRC-32C of key and value (index_access.c).
 *   B dir             -> struct index_folder         A                -> struct index_head
 *   M id uid 0        -> struct stored_row + keywords + name
 *   N id unique-name  -> uid                         P id uid         -> parse result
 *   C id modseq uid   -> (changed)                   X id modseq uid  -> (expunged)
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/memory.h"
#include "store/filename.h"
#include "store/index_lmdb_private.h"
#include "store/mailbox.h"

#include "store/file_private.h"

#define TOMBSTONES_MAX 20000
#define KEY_MAX 511

struct stored_row {
	uint64_t modseq;
	int64_t internaldate;
	uint64_t size, crlf_size;
	uint32_t flags;
	uint16_t keyword_count;
	uint16_t in_new;
};

/* Made in place: it is too large to be copied for each lookup. */
struct key {
	uint8_t bytes[KEY_MAX];
	size_t len;
};

static void key_u32(struct key *key, uint32_t value)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		key->bytes[key->len++] = (uint8_t)(value >> shift);
}

static uint32_t read_u32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void key_start(struct key *key, char kind, uint32_t id)
{
	key->bytes[0] = (uint8_t)kind;
	key->len = 1;
	key_u32(key, id);
}

static void key_uid(struct key *key, char kind, uint32_t id, uint32_t uid)
{
	key_start(key, kind, id);
	key_u32(key, uid);
}

static void key_row(struct key *key, uint32_t id, uint32_t uid)
{
	key_uid(key, 'M', id, uid);
	key->bytes[key->len++] = 0;
}

static void key_modseq(struct key *key, char kind, uint32_t id, uint64_t modseq, uint32_t uid)
{
	key_start(key, kind, id);
	key_u32(key, (uint32_t)(modseq >> 32));
	key_u32(key, (uint32_t)modseq);
	key_u32(key, uid);
}

static void key_append(struct key *key, struct span bytes)
{
	bytes = span_head(bytes, KEY_MAX - key->len);
	if (bytes.len > 0)
		memcpy(key->bytes + key->len, bytes.ptr, bytes.len);
	key->len += bytes.len;
}

static MDB_val value_of(struct key *key)
{
	return (MDB_val){key->len, key->bytes};
}

static bool get(struct index_txn *txn, struct key *key, MDB_val *ret_value)
{
	MDB_val k = value_of(key);
	return index_access_get(txn, &k, ret_value);
}

static void put(struct index_txn *txn, struct key *key, const void *bytes, size_t len)
{
	MDB_val k = value_of(key);
	index_access_put(txn, &k, bytes, len);
}

static void delete(struct index_txn *txn, struct key *key)
{
	MDB_val k = value_of(key);
	index_access_delete(txn, &k);
}

static void key_folder(struct key *key, struct span dir)
{
	key->bytes[0] = 'B';
	key->len = 1;
	key_append(key, dir);
}

bool index_get_folder(struct index_txn *txn, struct span dir, struct index_folder *ret_folder)
{
	struct key key;
	MDB_val value;
	key_folder(&key, dir);
	if (!get(txn, &key, &value))
		return false;
	if (value.mv_size != sizeof(*ret_folder)) {
		index_fail(txn, MDB_CORRUPTED);
		return false;
	}
	memcpy(ret_folder, value.mv_data, sizeof(*ret_folder));
	return true;
}

void index_put_folder(struct index_txn *txn, struct span dir, const struct index_folder *folder)
{
	struct key key;
	key_folder(&key, dir);
	put(txn, &key, folder, sizeof(*folder));
}

void index_delete_folder(struct index_txn *txn, struct span dir)
{
	struct key key;
	key_folder(&key, dir);
	delete(txn, &key);
}

uint32_t index_new_id(struct index_txn *txn)
{
	txn->dirty = true;
	return ++txn->head.last_id;
}

/* Ascending, so none stands twice, and none above what a mailbox can have. */
static bool are_keywords(const uint16_t *keywords, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (keywords[i] >= STORE_KEYWORDS_MAX || (i > 0 && keywords[i] <= keywords[i - 1]))
			return false;
	return true;
}

static bool decode_row(uint32_t uid, const MDB_val *value, struct index_row *ret_row)
{
	struct stored_row stored;
	if (value->mv_size < sizeof(stored))
		return false;
	memcpy(&stored, value->mv_data, sizeof(stored));
	size_t keywords_size = stored.keyword_count * sizeof(uint16_t);
	size_t left = value->mv_size - sizeof(stored);
	if (left < keywords_size || left - keywords_size > 255 || stored.in_new > 1)
		return false;
	const char *at = (const char *)value->mv_data + sizeof(stored);
	if (!are_keywords((const uint16_t *)(const void *)at, stored.keyword_count))
		return false;
	*ret_row = (struct index_row){
		.uid = uid, .flags = stored.flags, .modseq = stored.modseq,
		.internaldate = stored.internaldate, .size = stored.size,
		.crlf_size = stored.crlf_size, .in_new = stored.in_new == 1,
		.keyword_count = stored.keyword_count,
		.keywords = (const uint16_t *)(const void *)at,
		.name = {at + keywords_size, left - keywords_size},
	};
	return true;
}

bool index_get_row(struct index_txn *txn, uint32_t id, uint32_t uid, struct index_row *ret_row)
{
	struct key key;
	MDB_val value;
	key_row(&key, id, uid);
	if (!get(txn, &key, &value))
		return false;
	if (!decode_row(uid, &value, ret_row)) {
		index_fail(txn, MDB_CORRUPTED);
		return false;
	}
	return true;
}

/* Visits keys from `from` on while they begin with its first prefix bytes. */
static void each(struct index_txn *txn, struct key *from, size_t prefix,
	bool (*visit)(const MDB_val *key, const MDB_val *value, void *arg), void *arg)
{
	struct index_walk walk;
	MDB_val key = value_of(from), value;
	if (!index_walk_begin(txn, &walk))
		return;
	while (index_walk_next(&walk, &key, &value) && key.mv_size >= prefix
		&& memcmp(key.mv_data, from->bytes, prefix) == 0 && visit(&key, &value, arg))
		;
	index_walk_end(&walk);
}

struct row_visit {
	struct index_txn *txn;
	bool (*visit)(const struct index_row *row, void *arg);
	void *arg;
};

static bool visit_row(const MDB_val *key, const MDB_val *value, void *arg)
{
	struct row_visit *visit = arg;
	struct index_row row;
	if (key->mv_size != 10 ||
		!decode_row(read_u32((const uint8_t *)key->mv_data + 5), value, &row)) {
		index_fail(visit->txn, MDB_CORRUPTED);
		return false;
	}
	return visit->visit(&row, visit->arg);
}

void index_each_row(struct index_txn *txn, uint32_t id, uint32_t from_uid,
	bool (*visit)(const struct index_row *row, void *arg), void *arg)
{
	struct key key;
	struct row_visit row_visit = {txn, visit, arg};
	key_row(&key, id, from_uid);
	each(txn, &key, 5, visit_row, &row_visit);
}

static void key_name(struct key *key, uint32_t id, struct span unique)
{
	key_start(key, 'N', id);
	key_append(key, unique);
}

static uint32_t get_uid(struct index_txn *txn, struct key *key)
{
	MDB_val value;
	uint32_t uid = 0;
	if (get(txn, key, &value) && value.mv_size == sizeof(uid))
		memcpy(&uid, value.mv_data, sizeof(uid));
	return uid;
}

uint32_t index_find_name(struct index_txn *txn, uint32_t id, struct span unique)
{
	struct key key;
	key_name(&key, id, unique);
	return get_uid(txn, &key);
}

uint64_t index_row_sum(uint32_t uid, uint64_t modseq)
{
	/* Numbers that differ in a bit give sums that differ in half of them (splitmix64). */
	uint64_t x = modseq * 0x9e3779b97f4a7c15 + uid;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static void count_row(struct index_folder *folder, const struct index_row *row, uint32_t by)
{
	uint64_t sum = index_row_sum(row->uid, row->modseq);
	folder->sum += by == 1 ? sum : 0 - sum;
	/* by is 1, or the all-ones that subtracts one. */
	folder->exists += by;
	if ((row->flags & MESSAGE_SEEN) == 0)
		folder->unseen += by;
	if ((row->flags & MESSAGE_DELETED) != 0)
		folder->deleted += by;
	if ((row->flags & MESSAGE_RECENT) != 0)
		folder->recent += by;
	if (row->crlf_size == FILENAME_UNKNOWN)
		folder->unsized += by;
	else if (by == 1)
		folder->size += row->crlf_size;
	else
		folder->size -= row->crlf_size;
}

static struct span unique_of(struct span name)
{
	struct filename filename;
	return filename_parse(name, &filename) ? filename.unique : name;
}

static void store_row(struct index_txn *txn, uint32_t id, const struct index_row *row)
{
	struct stored_row stored = {.modseq = row->modseq, .internaldate = row->internaldate,
		.size = row->size, .crlf_size = row->crlf_size, .flags = row->flags,
		.keyword_count = row->keyword_count, .in_new = row->in_new};
	size_t keywords_size = row->keyword_count * sizeof(uint16_t);
	struct key key;
	struct buf value = BUF_INIT(sizeof(stored) + STORE_KEYWORDS_MAX * sizeof(uint16_t) + 256);
	buf_append_bytes(&value, &stored, sizeof(stored));
	if (keywords_size > 0)
		buf_append_bytes(&value, row->keywords, keywords_size);
	buf_append(&value, row->name);
	CHECK(!value.overflow);
	key_row(&key, id, row->uid);
	put(txn, &key, value.ptr, value.len);
	buf_done(&value);
}

void index_put_row(struct index_txn *txn, struct index_folder *folder, const struct index_row *old,
	struct index_row *row, bool touch)
{
	struct key unique, old_unique, key;
	bool new_name = true;
	key_name(&unique, folder->id, unique_of(row->name));
	if (old != NULL) {
		/* Keys first: what old points to may move with the first change. */
		key_name(&old_unique, folder->id, unique_of(old->name));
		new_name = old_unique.len != unique.len
			|| memcmp(old_unique.bytes, unique.bytes, unique.len) != 0;
		count_row(folder, old, UINT32_MAX);
		if (touch) {
			key_modseq(&key, 'C', folder->id, old->modseq, old->uid);
			delete(txn, &key);
		}
		if (new_name)
			delete(txn, &old_unique);
	}
	if (new_name)
		put(txn, &unique, &row->uid, sizeof(row->uid));
	if (touch) {
		row->modseq = folder->highestmodseq;
		key_modseq(&key, 'C', folder->id, row->modseq, row->uid);
		put(txn, &key, NULL, 0);
	}
	count_row(folder, row, 1);
	store_row(txn, folder->id, row);
}

static bool take_first(const MDB_val *key, const MDB_val *value, void *arg)
{
	struct key *first = arg;
	(void)value;
	first->len = key->mv_size <= KEY_MAX ? key->mv_size : 0;
	memcpy(first->bytes, key->mv_data, first->len);
	return false;
}

static void trim_tombstones(struct index_txn *txn, struct index_folder *folder)
{
	while (folder->tombstones > TOMBSTONES_MAX && txn->error == 0) {
		struct key from, first = {{0}, 0};
		key_start(&from, 'X', folder->id);
		each(txn, &from, 5, take_first, &first);
		if (first.len != 17) {
			folder->tombstones = 0;
			return;
		}
		folder->floor = (uint64_t)read_u32(first.bytes + 5) << 32 | read_u32(first.bytes + 9);
		delete(txn, &first);
		folder->tombstones--;
	}
}

struct gone {
	uint32_t uid;
	uint64_t modseq;
	size_t name_at, name_len; /* in names */
};

struct going {
	char kind; /* of the keys that are deleted now */
	uint32_t id;
	const struct gone *rows;
	const char *names;
	struct key key;
};

static void make_key(size_t i, MDB_val *key, MDB_val *expected, void *arg)
{
	struct going *going = arg;
	const struct gone *row = &going->rows[i];
	switch (going->kind) {
	case 'N':
		key_name(&going->key, going->id, span_new(going->names + row->name_at, row->name_len));
		/* It may be another message's by now. */
		*expected = (MDB_val){sizeof(row->uid), (void *)(uintptr_t)&row->uid};
		break;
	case 'C':
		key_modseq(&going->key, 'C', going->id, row->modseq, row->uid);
		break;
	case 'P':
		key_uid(&going->key, 'P', going->id, row->uid);
		break;
	default:
		key_row(&going->key, going->id, row->uid);
	}
	*key = value_of(&going->key);
}

static size_t find_gone(struct index_txn *txn, struct index_folder *folder, const uint32_t *uids,
	size_t count, struct gone *gone, struct buf *names)
{
	size_t found = 0;
	for (size_t i = 0; i < count; i++) {
		struct index_row row;
		if (!index_get_row(txn, folder->id, uids[i], &row))
			continue;
		struct span unique = unique_of(row.name);
		gone[found++] = (struct gone){row.uid, row.modseq, names->len, unique.len};
		buf_append(names, unique);
		count_row(folder, &row, UINT32_MAX);
	}
	return found;
}

void index_delete_rows(struct index_txn *txn, struct index_folder *folder, const uint32_t *uids,
	size_t count)
{
	static const char kinds[] = "NCPM";
	struct gone *gone = memory_zalloc(count + 1, sizeof(*gone));
	struct buf names = BUF_INIT(count * KEY_MAX + 1);
	count = find_gone(txn, folder, uids, count, gone, &names);
	struct going going = {.id = folder->id, .rows = gone, .names = names.len == 0 ? "" : names.ptr};
	struct index_keys keys = {count, make_key, &going};
	for (size_t i = 0; i < sizeof(kinds) - 1; i++) {
		going.kind = kinds[i];
		index_access_delete_many(txn, &keys);
	}
	for (size_t i = 0; i < count; i++) {
		key_modseq(&going.key, 'X', folder->id, folder->highestmodseq, gone[i].uid);
		put(txn, &going.key, NULL, 0);
	}
	folder->tombstones += (uint32_t)count;
	trim_tombstones(txn, folder);
	buf_done(&names);
	free(gone);
}

void index_delete_row(struct index_txn *txn, struct index_folder *folder,
	const struct index_row *row)
{
	uint32_t uid = row->uid;
	index_delete_rows(txn, folder, &uid, 1);
}

bool index_wipe(struct index_txn *txn, uint32_t id, size_t limit)
{
	static const char kinds[] = "MNPCX";
	size_t done = 0;
	for (size_t i = 0; i < sizeof(kinds) - 1; i++) {
		for (;;) {
			struct key from, first = {{0}, 0};
			key_start(&from, kinds[i], id);
			each(txn, &from, 5, take_first, &first);
			if (first.len == 0)
				break;
			if (done++ >= limit || txn->error != 0)
				return false;
			delete(txn, &first);
		}
	}
	return txn->error == 0;
}

void index_next_modseq(struct index_folder *folder)
{
	/* Microseconds of the wall clock: what an index built anew counts from is above everything that
	 * the lost one had told. */
	uint64_t now = (uint64_t)(file_now_ns() / 1000);
	folder->highestmodseq = now > folder->highestmodseq ? now : folder->highestmodseq + 1;
}

struct change_visit {
	bool (*visit)(uint32_t uid, bool expunged, void *arg);
	void *arg;
	bool expunged;
};

static bool visit_change(const MDB_val *key, const MDB_val *value, void *arg)
{
	struct change_visit *visit = arg;
	(void)value;
	if (key->mv_size != 17)
		return true;
	return visit->visit(read_u32((const uint8_t *)key->mv_data + 13), visit->expunged, visit->arg);
}

void index_each_change(struct index_txn *txn, uint32_t id, uint64_t after_modseq,
	bool (*visit)(uint32_t uid, bool expunged, void *arg), void *arg)
{
	struct change_visit change = {visit, arg, true};
	struct key key;
	key_modseq(&key, 'X', id, after_modseq, UINT32_MAX);
	each(txn, &key, 5, visit_change, &change);
	change.expunged = false;
	key_modseq(&key, 'C', id, after_modseq, UINT32_MAX);
	each(txn, &key, 5, visit_change, &change);
}

bool index_get_cache(struct index_txn *txn, uint32_t id, uint32_t uid, struct span *ret_value)
{
	struct key key;
	MDB_val value;
	key_uid(&key, 'P', id, uid);
	if (!get(txn, &key, &value))
		return false;
	*ret_value = span_new(value.mv_data, value.mv_size);
	return true;
}

void index_put_cache(struct index_txn *txn, uint32_t id, uint32_t uid, struct span value)
{
	struct key key;
	key_uid(&key, 'P', id, uid);
	put(txn, &key, value.ptr, value.len);
}
