/* Reading and writing LMDB's pages, which may be damaged at any moment: a fault on them (a file
 * that was cut, a number of a page that is none) and a failed assertion of LMDB become errors, and
 * a value is believed only with its checksum.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "store/index_lmdb_private.h"
#include "sys/guard.h"

/* Offsets within a page have 16 bits: that far behind the map its pages may point. */
#define BEHIND_MAP 65536

struct guarded {
	struct index_call *call;
	void (*body)(struct index_call *call);
};

static void run(void *arg)
{
	struct guarded *guarded = arg;
	guarded->body(guarded->call);
}

int index_guard(struct index_call *call, void (*body)(struct index_call *call), bool *ret_fault)
{
	const struct index *index = call->index;
	struct guarded guarded = {call, body};
	const char *from = call->writes ? index->map : NULL;
	size_t len = !call->writes ? SIZE_MAX : from == NULL ? 0 : index->map_size + BEHIND_MAP;
	bool good = guard_run(from, len, run, &guarded);
	if (ret_fault != NULL)
		*ret_fault = !good;
	return good ? call->error : MDB_CORRUPTED;
}

void index_fail(struct index_txn *txn, int error)
{
	struct index *index = txn->index;
	if (txn->error != 0)
		return;
	bool no_room = error == ENOSPC || error == EDQUOT || error == EROFS || error == EFBIG;
	txn->error = no_room && index->in_memory ? -error : -EIO;
	if (no_room)
		index->no_room = true;
	else
		index->broken = true;
}

uint32_t index_checksum(const MDB_val *key, const void *bytes, size_t len)
{
	return crc32c(crc32c(0, key->mv_data, key->mv_size), bytes, len);
}

/* Takes the checksum off the value. */
static int check(const MDB_val *key, MDB_val *value)
{
	uint32_t sum;
	if (value->mv_size < sizeof(sum))
		return MDB_CORRUPTED;
	memcpy(&sum, value->mv_data, sizeof(sum));
	value->mv_data = (char *)value->mv_data + sizeof(sum);
	value->mv_size -= sizeof(sum);
	return index_checksum(key, value->mv_data, value->mv_size) == sum ? 0 : MDB_CORRUPTED;
}

static int compare(const MDB_val *a, const MDB_val *b)
{
	int order = memcmp(a->mv_data, b->mv_data, a->mv_size < b->mv_size ? a->mv_size : b->mv_size);
	return order != 0 ? order : (a->mv_size > b->mv_size) - (a->mv_size < b->mv_size);
}

/* A damaged page may lead to the wrong leaf: the key is absent only when it would stand between its
 * neighbours. */
static int check_absence(struct index_call *call)
{
	MDB_cursor *cursor;
	MDB_val key = call->key, value;
	int error = mdb_cursor_open(call->txn, call->index->dbi, &cursor);
	if (error != 0)
		return error;
	bool good = true;
	error = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	if (error == 0)
		good = compare(&key, &call->key) > 0;
	if (error == 0 || error == MDB_NOTFOUND)
		error = mdb_cursor_get(cursor, &key, &value, error == 0 ? MDB_PREV : MDB_LAST);
	if (error == 0)
		good = good && compare(&key, &call->key) < 0;
	mdb_cursor_close(cursor);
	return !good ? MDB_CORRUPTED : error != 0 ? error : MDB_NOTFOUND;
}

static void run_get(struct index_call *call)
{
	call->error = mdb_get(call->txn, call->index->dbi, &call->key, &call->value);
	if (call->error == 0)
		call->error = check(&call->key, &call->value);
	else if (call->error == MDB_NOTFOUND)
		call->error = check_absence(call);
}

bool index_access_get(struct index_txn *txn, const MDB_val *key, MDB_val *ret_value)
{
	struct index_call call = {.index = txn->index, .txn = txn->txn, .key = *key};
	if (txn->error != 0)
		return false;
	int error = index_guard(&call, run_get, NULL);
	if (error != 0 && error != MDB_NOTFOUND)
		index_fail(txn, error);
	*ret_value = call.value;
	return error == 0;
}

static void run_put(struct index_call *call)
{
	uint32_t sum = index_checksum(&call->key, call->bytes, call->len);
	if (!index_vet_key(call->index, mdb_txn_id(call->txn) - 1, &call->key)) {
		call->error = MDB_CORRUPTED;
		return;
	}
	call->value = (MDB_val){sizeof(sum) + call->len, NULL};
	call->error = mdb_put(call->txn, call->index->dbi, &call->key, &call->value, MDB_RESERVE);
	if (call->error != 0)
		return;
	memcpy(call->value.mv_data, &sum, sizeof(sum));
	if (call->len > 0)
		memcpy((char *)call->value.mv_data + sizeof(sum), call->bytes, call->len);
}

void index_access_put(struct index_txn *txn, const MDB_val *key, const void *bytes, size_t len)
{
	struct index_call call = {.index = txn->index, .txn = txn->txn, .key = *key, .bytes = bytes,
		.len = len, .writes = true};
	if (txn->error != 0)
		return;
	txn->dirty = true;
	int error = index_guard(&call, run_put, NULL);
	if (error != 0)
		index_fail(txn, error);
}

static void run_delete(struct index_call *call)
{
	if (!index_vet_key(call->index, mdb_txn_id(call->txn) - 1, &call->key)) {
		call->error = MDB_CORRUPTED;
		return;
	}
	call->error = mdb_del(call->txn, call->index->dbi, &call->key, NULL);
}

void index_access_delete(struct index_txn *txn, const MDB_val *key)
{
	struct index_call call = {.index = txn->index, .txn = txn->txn, .key = *key, .writes = true};
	if (txn->error != 0)
		return;
	txn->dirty = true;
	int error = index_guard(&call, run_delete, NULL);
	if (error != 0 && error != MDB_NOTFOUND)
		index_fail(txn, error);
}

/* One cursor for all: the next key is often on the page of the last one. */
static void run_delete_many(struct index_call *call)
{
	const struct index_keys *keys = call->bytes;
	uint64_t number = mdb_txn_id(call->txn) - 1;
	MDB_cursor *cursor;
	call->error = mdb_cursor_open(call->txn, call->index->dbi, &cursor);
	if (call->error != 0)
		return;
	for (size_t i = 0; i < keys->count && call->error == 0; i++) {
		MDB_val key, expected = {0, NULL}, value;
		keys->make(i, &key, &expected, keys->arg);
		call->error = index_vet_key(call->index, number, &key)
			? mdb_cursor_get(cursor, &key, expected.mv_data == NULL ? NULL : &value, MDB_SET)
			: MDB_CORRUPTED;
		bool is_it = call->error == 0;
		if (is_it && expected.mv_data != NULL) {
			call->error = check(&key, &value);
			is_it = call->error == 0 && compare(&value, &expected) == 0;
		}
		if (is_it)
			call->error = mdb_cursor_del(cursor, 0);
		else if (call->error == MDB_NOTFOUND)
			call->error = 0;
	}
	mdb_cursor_close(cursor);
}

void index_access_delete_many(struct index_txn *txn, const struct index_keys *keys)
{
	struct index_call call = {.index = txn->index, .txn = txn->txn, .bytes = keys, .writes = true};
	if (txn->error != 0)
		return;
	txn->dirty = true;
	int error = index_guard(&call, run_delete_many, NULL);
	if (error != 0)
		index_fail(txn, error);
}

static void run_open_cursor(struct index_call *call)
{
	call->error = mdb_cursor_open(call->txn, call->index->dbi, &call->cursor);
}

bool index_walk_begin(struct index_txn *txn, struct index_walk *ret_walk)
{
	struct index_call call = {.index = txn->index, .txn = txn->txn};
	if (txn->error != 0)
		return false;
	int error = index_guard(&call, run_open_cursor, NULL);
	if (error != 0) {
		index_fail(txn, error);
		return false;
	}
	*ret_walk = (struct index_walk){.txn = txn, .cursor = call.cursor};
	return true;
}

static void run_step(struct index_call *call)
{
	call->error = mdb_cursor_get(call->cursor, &call->key, &call->value,
		(MDB_cursor_op)call->flags);
	if (call->error == 0)
		call->error = check(&call->key, &call->value);
}

/* Remembers the key; false when it does not stand behind the one before. */
static bool ascends(struct index_walk *walk, const MDB_val *key)
{
	MDB_val last = {walk->last_len, walk->last};
	if (key->mv_size > sizeof(walk->last) || compare(key, &last) <= 0)
		return false;
	memcpy(walk->last, key->mv_data, key->mv_size);
	walk->last_len = key->mv_size;
	return true;
}

bool index_walk_next(struct index_walk *walk, MDB_val *key, MDB_val *ret_value)
{
	struct index_txn *txn = walk->txn;
	struct index_call call = {.index = txn->index, .txn = txn->txn, .cursor = walk->cursor,
		.key = *key, .flags = walk->begun ? MDB_NEXT : MDB_SET_RANGE};
	int error = txn->error != 0 ? MDB_NOTFOUND : index_guard(&call, run_step, NULL);
	if (error == 0 && !ascends(walk, &call.key))
		error = MDB_CORRUPTED;
	walk->begun = true;
	if (error != 0 && error != MDB_NOTFOUND)
		index_fail(txn, error);
	*key = call.key;
	*ret_value = call.value;
	return error == 0;
}

static void run_close_cursor(struct index_call *call)
{
	mdb_cursor_close(call->cursor);
}

void index_walk_end(struct index_walk *walk)
{
	struct index_call call = {.index = walk->txn->index, .cursor = walk->cursor};
	(void)index_guard(&call, run_close_cursor, NULL);
}
