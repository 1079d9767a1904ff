/* Rows of the index read back: in place, and only when they are what was once written.
 * SPDX-License-Identifier: ISC */
#include "store_fixture.h"

#include "store/folder_private.h"
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

/* As a restored backup comes: a new file of that name. */
static void put_in_place_of(struct fixture *from, struct fixture *to)
{
	static char bytes[1 << 20];
	FILE *in = fopen(at_root(from, "tambo-index/data.mdb"), "r");
	FILE *out = fopen(at_root(to, "restored"), "w");
	assert_true(in != NULL && out != NULL);
	size_t len = fread(bytes, 1, sizeof(bytes), in);
	assert_int_equal(fwrite(bytes, 1, len, out), len);
	assert_int_equal(fclose(in) + fclose(out), 0);
	assert_int_equal(rename(at_root(to, "restored"), at_root(to, "tambo-index/data.mdb")), 0);
}

static struct index *index_of(struct store *store)
{
	return store->index;
}

static struct index *open_index(struct fixture *f)
{
	return index_new(f->root);
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
	index_free(index);
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
	MDB_val k = {sizeof(row_key), (void *)(uintptr_t)row_key};
	memset(value, 0, sizeof(value));
	memcpy(value, &damage->head, sizeof(damage->head));
	memcpy(value + sizeof(damage->head), damage->keywords, sizeof(damage->keywords));
	/* Beyond two, keywords that ascend. */
	for (uint16_t i = 2; i < damage->head.keyword_count && i < 2 * STORE_KEYWORDS_MAX - 2; i++)
		memcpy(value + sizeof(damage->head) + i * sizeof(i), &i, sizeof(i));
	size_t size = sizeof(damage->head) + damage->head.keyword_count * sizeof(uint16_t)
		+ damage->more;
	if (size > sizeof(value))
		size = sizeof(value);
	assert_int_equal(index_begin(index, true, &txn), 0);
	index_access_put(&txn, &k, value, size);
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
		index_free(index);
	}
}

/* Rows and large values come and go in several processes' lives: no look at the pages finds
 * fault. */
static void a_healthy_index_is_kept(void **state)
{
	static char large[20000];
	struct fixture *f = *state;
	struct index_folder folder = {.id = ID, .uidvalidity = 1};
	struct index *index = open_index(f);
	ino_t first = 0;
	memset(large, 'x', sizeof(large));
	for (uint32_t round = 0; round < 300; round++) {
		struct index_txn txn;
		struct index_folder found = {0};
		assert_int_equal(index_begin(index, true, &txn), 0);
		first = round == 0 ? data_file(f) : first;
		assert_int_equal(index_get_folder(&txn, SPAN_EMPTY, &found), round > 0);
		assert_int_equal(found.sum, folder.sum);
		index_next_modseq(&folder);
		for (uint32_t uid = round * 10; uid < round * 10 + 30; uid++) {
			struct index_row row = {.uid = uid, .name = span_new("1700000000.M1P1.host:2,S", 20)};
			struct index_row old;
			bool known = index_get_row(&txn, ID, uid, &old);
			index_put_row(&txn, &folder, known ? &old : NULL, &row, true);
			index_put_cache(&txn, ID, uid, span_new(large, (uid * 977 + round) % sizeof(large)));
		}
		for (uint32_t uid = 0; round > 50 && uid < 5; uid++) {
			struct index_row row;
			if (index_get_row(&txn, ID, round * 5 + uid, &row))
				index_delete_row(&txn, &folder, &row);
		}
		index_put_folder(&txn, SPAN_EMPTY, &folder);
		assert_int_equal(index_commit(&txn), 0);
		if (round % 40 == 39) {
			index_free(index);
			index = open_index(f);
		}
	}
	assert_int_equal(data_file(f), first);
	index_free(index);
}

static struct index_row row_named(uint32_t uid, uint32_t number, char name[64])
{
	(void)snprintf(name, 64, "17000%05u.M1P1.host:2,S", number);
	return (struct index_row){.uid = uid, .name = span_from_cstr(name)};
}

static bool count_expunged(uint32_t uid, bool expunged, void *arg)
{
	(void)uid;
	*(size_t *)arg += expunged;
	return true;
}

static void many_rows_go_at_once(void **state)
{
	static char large[20000], name[64];
	static uint32_t gone[400];
	struct fixture *f = *state;
	struct index_folder folder = {.id = ID, .uidvalidity = 1};
	struct index *index = open_index(f);
	struct index_txn txn;
	size_t count = 0, expunged = 0;
	assert_int_equal(index_begin(index, true, &txn), 0);
	ino_t first = data_file(f);
	index_next_modseq(&folder);
	for (uint32_t uid = 1; uid <= 500; uid++) {
		/* The last one has the name of the seventh. */
		struct index_row row = row_named(uid, uid == 500 ? 7 : uid, name);
		index_put_row(&txn, &folder, NULL, &row, true);
		index_put_cache(&txn, ID, uid, span_new(large, uid * 977 % sizeof(large)));
	}
	assert_int_equal(index_commit(&txn), 0);
	/* Some are in a row, some are not, and some were never there. */
	for (uint32_t uid = 1; uid < 600; uid++)
		if (uid < 200 ? uid % 50 != 0 : uid % 7 == 0 && uid != 497)
			gone[count++] = uid;
	assert_int_equal(index_begin(index, true, &txn), 0);
	index_next_modseq(&folder);
	index_delete_rows(&txn, &folder, gone, count);
	assert_int_equal(index_commit(&txn), 0);
	assert_int_equal(index_begin(index, false, &txn), 0);
	size_t left = 0;
	for (uint32_t uid = 1, at = 0; uid <= 500; uid++) {
		struct index_row row;
		struct span cache, unique = span_head(row_named(uid, uid, name).name, 20);
		bool is_gone = at < count && gone[at] == uid;
		at += is_gone;
		left += !is_gone;
		assert_int_equal(index_get_row(&txn, ID, uid, &row), !is_gone);
		assert_int_equal(index_get_cache(&txn, ID, uid, &cache), !is_gone);
		assert_int_equal(index_find_name(&txn, ID, unique),
			uid == 7 ? 500 : is_gone || uid == 500 ? 0 : uid);
	}
	index_each_change(&txn, ID, 0, count_expunged, &expunged);
	index_abort(&txn);
	assert_int_equal(txn.error, 0);
	assert_int_equal(expunged, 500 - left);
	assert_int_equal(folder.exists, left);
	assert_int_equal(folder.tombstones, expunged);
	assert_int_equal(data_file(f), first);
	index_free(index);
}

/* UIDs that were given out while the index could not be written are not given out by it later. */
static void uids_of_an_index_in_memory_are_not_used_again(void **state)
{
	struct fixture *f = *state;
	const struct mailbox_changes *changes;
	uint32_t first = append_text(f, "INBOX", MESSAGE, 0, NULL);
	struct mailbox *box = open_box(f, "INBOX", 0);
	struct index *index = index_of(f->store);
	index->no_room = true;
	index->in_memory_since = INT64_MAX;
	uint32_t second = append_text(f, "INBOX", MESSAGE, MESSAGE_FLAGGED, NULL);
	assert_true(index->in_memory);
	assert_true(second > first);
	uint32_t third = append_text(f, "INBOX", MESSAGE, 0, NULL);
	assert_int_equal(mailbox_refresh(box, true, &changes), 0);
	assert_int_equal(mailbox_expunge(box, &third, 1, false, NULL), 0);
	/* Room again: the file that stood there all the time knows of neither. */
	index->in_memory_since = 0;
	uint32_t fourth = append_text(f, "INBOX", MESSAGE, 0, NULL);
	assert_false(index->in_memory);
	assert_true(fourth > third);
	assert_int_equal(mailbox_refresh(box, true, &changes), 0);
	assert_int_equal(mailbox_count(box), 3);
	assert_int_equal(mailbox_at(box, 0)->uid, first);
	assert_int_equal(mailbox_at(box, 1)->uid, second);
	assert_true((mailbox_at(box, 1)->flags & MESSAGE_FLAGGED) != 0);
	assert_int_equal(mailbox_at(box, 2)->uid, fourth);
	mailbox_close(box);
}

/* Replaced by one that is whole, but another person's. */
static void an_index_of_another_is_not_believed(void **state)
{
	struct fixture *f = *state;
	void *other_state = NULL;
	assert_int_equal(fixture_setup(&other_state), 0);
	struct fixture *other = other_state;
	(void)append_text(f, "INBOX", MESSAGE, MESSAGE_SEEN, NULL);
	(void)append_text(f, "INBOX", MESSAGE, 0, NULL);
	for (int i = 0; i < 3; i++)
		(void)append_text(other, "INBOX", MESSAGE, MESSAGE_FLAGGED, NULL);
	/* The same life, as if both had begun in the same second. */
	fixture_close(other);
	for (int open = 0; open < 2; open++) {
		struct mailbox *box = open == 1 ? open_box(f, "INBOX", 0) : NULL;
		if (open == 0)
			fixture_close(f);
		put_in_place_of(other, f);
		if (open == 0)
			fixture_open(f);
		struct mailbox *again = open_box(f, "INBOX", 0);
		assert_int_equal(mailbox_count(again), 2);
		assert_int_equal(mailbox_at(again, 0)->uid, 1);
		assert_int_equal(mailbox_at(again, 0)->flags & MESSAGE_FLAGS_SYSTEM, MESSAGE_SEEN);
		mailbox_close(again);
		mailbox_close(box);
	}
	(void)fixture_teardown(&other_state);
}

/* What others then build is another one. */
static void an_index_that_is_moved_away_or_has_two_names_is_left_when_it_is_gone(void **state)
{
	struct fixture *f = *state;
	(void)append_text(f, "INBOX", MESSAGE, 0, NULL);
	struct mailbox *box = open_box(f, "INBOX", 0);
	ino_t first = data_file(f);
	assert_int_equal(rename(at_root(f, "tambo-index/data.mdb"), at_root(f, "moved")), 0);
	set_flags(box, 1, STORE_ADD, MESSAGE_FLAGGED, NULL);
	ino_t second = data_file(f);
	assert_true(second != first);
	assert_int_equal(link(at_root(f, "tambo-index/data.mdb"), at_root(f, "linked")), 0);
	set_flags(box, 1, STORE_ADD, MESSAGE_SEEN, NULL);
	assert_int_equal(data_file(f), second);
	assert_int_equal(unlink(at_root(f, "tambo-index/data.mdb")), 0);
	set_flags(box, 1, STORE_REMOVE, MESSAGE_FLAGGED, NULL);
	assert_true(data_file(f) != second);
	(void)refresh(box);
	assert_string_equal(describe(box), "1[SR]");
	mailbox_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_healthy_index_is_kept, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(uids_of_an_index_in_memory_are_not_used_again,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(an_index_of_another_is_not_believed, fixture_setup,
			fixture_teardown),
		cmocka_unit_test_setup_teardown(
			an_index_that_is_moved_away_or_has_two_names_is_left_when_it_is_gone, fixture_setup,
			fixture_teardown),
		cmocka_unit_test_setup_teardown(many_rows_go_at_once, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(rows_come_back_with_their_keywords, fixture_setup,
			fixture_teardown),
		cmocka_unit_test_setup_teardown(a_damaged_row_is_refused, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
