/* Rows of the index read back: in place, and only when they are what was once written.
 * SPDX-License-Identifier: ISC */
#include "store_fixture.h"

#include "store/index_lmdb_private.h"

#define ID 7
#define UID 300

struct head {
	uint64_t modseq;
	int64_t internaldate;
	uint64_t size, crlf_size;
	uint32_t flags;
	uint16_t keyword_count, in_new;
};

static const uint8_t row_key[] = {'M', 0, 0, 0, ID, 0, 0, UID >> 8, UID & 0xff, 0};

static struct index *open_index(struct fixture *f)
{
	struct index *index;
	assert_int_equal(index_open(f->root, &index), 0);
	return index;
}

static void rows_come_back_with_their_keywords(void **state)
{
	static const uint16_t numbers[] = {0, 3, 25, 26, STORE_KEYWORDS_MAX - 1};
	struct index *index = open_index(*state);
	struct index_folder folder = {.id = ID, .uidvalidity = 1};
	struct index_txn txn;
	assert_int_equal(index_begin(index, true, &txn), 0);
	for (uint32_t uid = 1; uid < 40; uid++) {
		struct span name = span_new("1700000000.M1P1.host:2,S", 10 + uid % 14);
		struct index_row row = {.uid = uid, .flags = MESSAGE_SEEN, .name = name,
			.keywords = numbers, .keyword_count = ARRAY_LEN(numbers)};
		index_put_row(&txn, &folder, NULL, &row, true);
	}
	for (uint32_t uid = 1; uid < 40; uid++) {
		struct index_row row;
		assert_true(index_get_row(&txn, ID, uid, &row));
		assert_int_equal((uintptr_t)row.keywords % sizeof(uint16_t), 0);
		assert_int_equal(row.keyword_count, ARRAY_LEN(numbers));
		assert_memory_equal(row.keywords, numbers, sizeof(numbers));
		assert_int_equal(row.name.len, 10 + uid % 14);
	}
	assert_int_equal(index_commit(&txn), 0);
	index_close(index);
}

struct damage {
	const char *what;
	struct head head;
	uint16_t keywords[2];
	size_t more; /* bytes behind the keywords */
	bool is_read;
};

static bool read_damaged(struct index *index, const struct damage *damage)
{
	static uint8_t value[4 * STORE_KEYWORDS_MAX + sizeof(struct head)];
	struct index_txn txn;
	struct index_row row;
	MDB_val k = {sizeof(row_key), (void *)(uintptr_t)row_key}, v = {0, value};
	memset(value, 0, sizeof(value));
	memcpy(value, &damage->head, sizeof(damage->head));
	memcpy(value + sizeof(damage->head), damage->keywords, sizeof(damage->keywords));
	/* Beyond two, keywords that ascend. */
	for (uint16_t i = 2; i < damage->head.keyword_count && i < 2 * STORE_KEYWORDS_MAX - 2; i++)
		memcpy(value + sizeof(damage->head) + i * sizeof(i), &i, sizeof(i));
	v.mv_size = sizeof(damage->head) + damage->head.keyword_count * sizeof(uint16_t) + damage->more;
	if (v.mv_size > sizeof(value))
		v.mv_size = sizeof(value);
	assert_int_equal(index_begin(index, true, &txn), 0);
	assert_int_equal(mdb_put(txn.txn, index->dbi, &k, &v, 0), 0);
	bool found = index_get_row(&txn, ID, UID, &row);
	assert_int_equal(txn.error, found ? 0 : -EIO);
	index_abort(&txn);
	return found;
}

static void a_damaged_row_is_refused(void **state)
{
	static const struct damage table[] = {
		{"as it should be", {.keyword_count = 2}, {0, 1}, 20, true},
		{"keywords out of order", {.keyword_count = 2}, {1, 0}, 20, false},
		{"a keyword twice", {.keyword_count = 2}, {1, 1}, 20, false},
		{"a number that no keyword has", {.keyword_count = 2}, {1, STORE_KEYWORDS_MAX}, 20, false},
		{"more keywords than a mailbox has", {.keyword_count = STORE_KEYWORDS_MAX + 1}, {0, 1}, 20,
			false},
		{"more keywords than bytes", {.keyword_count = UINT16_MAX}, {0, 1}, 0, false},
		{"a name that is too long", {.keyword_count = 2}, {0, 1}, 256, false},
		{"neither in new nor in cur", {.keyword_count = 2, .in_new = 2}, {0, 1}, 20, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct index *index = open_index(*state);
		if (read_damaged(index, &table[i]) != table[i].is_read)
			fail_msg("%s", table[i].what);
		index_close(index);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_come_back_with_their_keywords, fixture_setup,
			fixture_teardown),
		cmocka_unit_test_setup_teardown(a_damaged_row_is_refused, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
