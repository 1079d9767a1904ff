/* What a session's list is told at a refresh: what changed and no more, also when it is very much.
 * SPDX-License-Identifier: ISC */
#include "store_fixture.h"

#define MANY 5300 /* more than what is read change by change */

static void fill(struct fixture *f, unsigned count)
{
	for (unsigned i = 1; i <= count; i++) {
		char path[64];
		(void)snprintf(path, sizeof(path), "cur/%u.M%uP1.host:2,", 1000000000 + i, i);
		write_file(f, path, "Subject: x\n\nx\n");
	}
}

static void store_flags(struct mailbox *box, const uint32_t *uids, size_t count,
	enum store_operation operation, uint32_t flags)
{
	struct store_request request = {.uids = uids, .uid_count = count, .operation = operation,
		.flags = flags, .silent = true};
	assert_int_equal(mailbox_store(box, &request, NULL), 0);
}

static void only_what_changed_is_told(void **state)
{
	struct fixture *f = *state;
	const uint32_t changed[] = {3, 17, 18}, gone[] = {5, 16};
	mailbox_close(open_box(f, "INBOX", 0));
	fill(f, 20);
	struct mailbox *one = open_box(f, "INBOX", 0), *two = open_box(f, "INBOX", 0);
	store_flags(one, changed, 3, STORE_ADD, MESSAGE_FLAGGED);
	assert_int_equal(mailbox_expunge(one, gone, 2, false, NULL), 0);
	const struct mailbox_changes *changes;
	assert_int_equal(mailbox_refresh(two, false, &changes), 0);
	assert_int_equal(changes->expunged_count, 0);
	assert_int_equal(changes->changed_count, 3);
	assert_int_equal(changes->changed[0], 2);
	assert_int_equal(changes->changed[2], 17);
	changes = refresh(two);
	assert_int_equal(changes->changed_count, 0);
	assert_int_equal(changes->expunged_count, 2);
	assert_int_equal(changes->expunged[0], 5);
	assert_int_equal(changes->expunged[1], 15);
	assert_int_equal(mailbox_count(two), 18);
	assert_int_equal(mailbox_at(two, 4)->uid, 6);
	assert_int_equal(mailbox_at(two, 17)->uid, 20);
	changes = refresh(two);
	assert_int_equal(changes->expunged_count + changes->changed_count, 0);
	changes = refresh(one);
	assert_int_equal(changes->changed_count, 0); /* its own, silently */
	assert_int_equal(changes->expunged_count, 2);
	mailbox_close(two);
	mailbox_close(one);
}

static void very_many_changes_are_told_all(void **state)
{
	struct fixture *f = *state;
	uint32_t uids[MANY - 1];
	const uint32_t gone[] = {1, 2, 4000, MANY};
	mailbox_close(open_box(f, "INBOX", 0));
	fill(f, MANY);
	struct mailbox *one = open_box(f, "INBOX", 0), *two = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_count(two), MANY);
	for (uint32_t i = 0; i < MANY - 1; i++)
		uids[i] = i + 1 < 100 ? i + 1 : i + 2; /* not 100 */
	store_flags(one, uids, MANY - 1, STORE_ADD, MESSAGE_SEEN);
	assert_int_equal(mailbox_expunge(one, gone, 4, false, NULL), 0);
	(void)append_text(f, "INBOX", MESSAGE, 0, NULL);
	const struct mailbox_changes *changes = refresh(two);
	assert_int_equal(changes->expunged_count, 4);
	assert_int_equal(changes->expunged_uids[2], 4000);
	assert_int_equal(changes->expunged[2], 3998);
	assert_int_equal(changes->changed_count, MANY - 5);
	assert_int_equal(changes->first_new, MANY - 4);
	assert_int_equal(mailbox_count(two), MANY - 3);
	assert_int_equal(mailbox_first_unseen(two), 97);
	changes = refresh(two);
	assert_int_equal(changes->expunged_count + changes->changed_count, 0);
	mailbox_close(two);
	mailbox_close(one);
}

static void the_first_unseen_is_known(void **state)
{
	struct fixture *f = *state;
	const uint32_t all[] = {1, 2, 3, 4, 5, 6};
	mailbox_close(open_box(f, "INBOX", 0));
	fill(f, 100);
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_first_unseen(box), 0);
	store_flags(box, all, 6, STORE_ADD, MESSAGE_SEEN);
	assert_int_equal(mailbox_first_unseen(box), 6);
	assert_int_equal(mailbox_expunge(box, all, 2, false, NULL), 0);
	(void)refresh(box);
	assert_int_equal(mailbox_first_unseen(box), 4);
	store_flags(box, all + 3, 1, STORE_REMOVE, MESSAGE_SEEN);
	assert_int_equal(mailbox_first_unseen(box), 1);
	store_flags(box, all + 3, 1, STORE_ADD, MESSAGE_SEEN);
	assert_int_equal(mailbox_first_unseen(box), 4);
	assert_int_equal(mailbox_expunge(box, all + 2, 1, false, NULL), 0);
	mailbox_close(box); /* its list goes to the next one */
	box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_first_unseen(box), 3);
	mailbox_close(box);
}

/* It is parsed where it stands in its file. */
static void a_large_message_is_parsed(void **state)
{
	struct fixture *f = *state;
	const size_t lines = 300000;
	struct buf text = BUF_INIT(1UL << 24), value = BUF_INIT(1UL << 20);
	struct message_part part;
	mailbox_close(open_box(f, "INBOX", 0));
	buf_append_cstr(&text, "Subject: large\n\n");
	for (size_t i = 0; i < lines; i++)
		buf_append_cstr(&text, "a line\n");
	write_file(f, "cur/1000000000.M1P1.host:2,", buf_cstr(&text));
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_message_cache(box, 1, CACHE_ENVELOPE, &value), 0);
	assert_true(span_find(buf_span(&value), SPAN("\"large\"")) != SIZE_MAX);
	buf_reset(&value);
	assert_int_equal(mailbox_message_cache(box, 1, CACHE_PARTS, &value), 0);
	memcpy(&part, value.ptr, sizeof(part));
	assert_int_equal(part.end_offset, text.len + 2 + lines);
	assert_int_equal(part.lines, lines);
	mailbox_close(box);
	buf_done(&text);
	buf_done(&value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_what_changed_is_told, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(very_many_changes_are_told_all, fixture_setup,
			fixture_teardown),
		cmocka_unit_test_setup_teardown(the_first_unseen_is_known, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_large_message_is_parsed, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
