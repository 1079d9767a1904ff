/* A mailbox that is opened again, or by a second session, begins with the list of messages that is
 * in memory: it shows the same as one that reads the index. A store that is kept stays open.
 * SPDX-License-Identifier: ISC */
#include "store_fixture.h"

#define COUNT 100 /* shorter lists are not kept */

static void fill(struct fixture *f)
{
	struct span keywords[1] = {SPAN("key")};
	for (unsigned i = 0; i < COUNT; i++) {
		struct append_options options = {.flags = i % 2 == 0 ? MESSAGE_SEEN : 0,
			.keywords = keywords, .keyword_count = i % 10 == 0, .internaldate = 1000000000,
			.durability = APPEND_CHECKPOINT};
		struct append *append;
		struct append_result result;
		assert_int_equal(append_begin(f->store, SPAN("INBOX"), &options, &append), 0);
		assert_int_equal(append_write(append, SPAN(MESSAGE)), 0);
		assert_int_equal(append_commit(append, &result), 0);
	}
}

static void assert_shows(struct mailbox *box, size_t index, uint32_t uid, uint32_t flags)
{
	assert_int_equal(mailbox_at(box, index)->uid, uid);
	assert_int_equal(mailbox_at(box, index)->flags & MESSAGE_FLAGS_SYSTEM, flags);
}

static void what_changed_meanwhile_is_shown(void **state)
{
	struct fixture *f = *state;
	fill(f);
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_recent(box), COUNT);
	mailbox_close(box);
	struct mailbox *other = open_box(f, "INBOX", 0);
	uint32_t gone[] = {3, 50};
	set_flags(other, 2, STORE_ADD, MESSAGE_FLAGGED, NULL);
	assert_int_equal(mailbox_expunge(other, gone, 2, false, NULL), 0);
	/* Closed without having looked at what it changed. */
	mailbox_close(other);
	(void)append_text(f, "INBOX", MESSAGE, MESSAGE_DRAFT, NULL);
	box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_count(box), COUNT - 1);
	assert_int_equal(mailbox_recent(box), 1);
	assert_shows(box, 0, 1, MESSAGE_SEEN);
	assert_shows(box, 1, 2, MESSAGE_FLAGGED);
	assert_shows(box, 2, 4, 0);
	assert_shows(box, COUNT - 2, COUNT + 1, MESSAGE_DRAFT);
	assert_true(message_has_keyword(mailbox_at(box, 0), mailbox_keyword_find(box, SPAN("key"))));
	assert_int_equal(mailbox_at(box, 1)->keyword_count, 0);
	mailbox_close(box);
}

static void a_second_session_has_no_recent_of_the_first(void **state)
{
	struct fixture *f = *state;
	fill(f);
	struct mailbox *first = open_box(f, "INBOX", 0);
	struct mailbox *second = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_recent(first), COUNT);
	assert_int_equal(mailbox_recent(second), 0);
	assert_int_equal(mailbox_count(second), COUNT);
	assert_true(message_has_keyword(
		mailbox_at(second, 10), mailbox_keyword_find(second, SPAN("key"))));
	mailbox_close(first);
	assert_true(message_has_keyword(
		mailbox_at(second, 10), mailbox_keyword_find(second, SPAN("key"))));
	uint32_t gone = 1;
	assert_int_equal(mailbox_expunge(second, &gone, 1, false, NULL), 0);
	/* Gone, but not yet told to the second: the third never hears of it. */
	struct mailbox *third = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_count(third), COUNT - 1);
	assert_int_equal(mailbox_count(second), COUNT);
	assert_int_equal(refresh(second)->expunged_count, 1);
	mailbox_close(third);
	mailbox_close(second);
}

static void what_a_session_was_not_told_is_gone_for_others(void **state)
{
	struct fixture *f = *state;
	const struct mailbox_changes *changes;
	uint32_t gone = 7;
	fill(f);
	struct mailbox *first = open_box(f, "INBOX", 0);
	struct mailbox *second = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_expunge(first, &gone, 1, false, NULL), 0);
	assert_int_equal(mailbox_refresh(first, true, &changes), 0);
	mailbox_close(first);
	assert_int_equal(mailbox_refresh(second, false, &changes), 0);
	assert_int_equal(mailbox_count(second), COUNT);
	struct mailbox *third = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_count(third), COUNT - 1);
	/* The list of the first is taken: this one has a copy of the second's. */
	struct mailbox *fourth = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_count(fourth), COUNT - 1);
	mailbox_close(fourth);
	mailbox_close(third);
	mailbox_close(second);
	third = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_count(third), COUNT - 1);
	assert_shows(third, 6, 8, 0);
	mailbox_close(third);
}

static void recent_that_nobody_took_is_left_for_the_next(void **state)
{
	struct fixture *f = *state;
	fill(f);
	struct mailbox *box = open_box(f, "INBOX", MAILBOX_READ_ONLY);
	struct mailbox *second = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_recent(second), COUNT);
	mailbox_close(second);
	mailbox_close(box);
	box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_recent(box), 0);
	mailbox_close(box);
}

static void another_life_of_the_mailbox_starts_anew(void **state)
{
	struct fixture *f = *state;
	fill(f);
	struct mailbox *box = open_box(f, "INBOX", 0);
	uint32_t uidvalidity = mailbox_uidvalidity(box);
	mailbox_close(box);
	/* The index is lost: built anew, the messages are the same ones. */
	remove_path(at_root(f, "tambo-index"));
	box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_uidvalidity(box), uidvalidity);
	assert_int_equal(mailbox_count(box), COUNT);
	assert_shows(box, COUNT - 1, COUNT, 0);
	mailbox_close(box);
	assert_int_equal(store_create(f->store, SPAN("Other")), 0);
	struct mailbox *empty = open_box(f, "Other", 0);
	assert_int_equal(mailbox_count(empty), 0);
	mailbox_close(empty);
}

static void a_kept_store_stays_open_while_its_folder_is_there(void **state)
{
	struct fixture *f = *state;
	(void)append_text(f, "INBOX", MESSAGE, 0, NULL);
	struct store *store = f->store;
	assert_null(store_kept(f->root));
	store_keep(store);
	store_keep(store);
	fixture_close(f);
	f->store = store_kept(f->root);
	assert_ptr_equal(f->store, store);
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_count(box), 1);
	mailbox_close(box);
	fixture_close(f);
	/* Another folder of that name. */
	remove_path(f->root);
	assert_null(store_kept(f->root));
	fixture_open(f);
	store_keep(f->store);
	fixture_close(f);
	store_forget(f->root);
	assert_null(store_kept(f->root));
	fixture_open(f);
	box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_count(box), 0);
	mailbox_close(box);
}

static void the_store_used_longest_ago_is_closed_for_another(void **state)
{
	struct fixture *f = *state;
	char path[64 + 16];
	store_keep(f->store);
	fixture_close(f);
	for (unsigned i = 0; i < STORE_KEPT_MAX; i++) {
		struct store *store;
		(void)snprintf(path, sizeof(path), "%s/user%u", f->root, i);
		assert_int_equal(store_open(path, STORE_CREATE, &store), 0);
		store_keep(store);
		store_close(store);
	}
	assert_null(store_kept(f->root));
	for (unsigned i = 0; i < STORE_KEPT_MAX; i++) {
		(void)snprintf(path, sizeof(path), "%s/user%u", f->root, i);
		struct store *store = store_kept(path);
		assert_non_null(store);
		store_close(store);
		store_forget(path);
	}
	fixture_open(f);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_changed_meanwhile_is_shown),
		CASE(a_second_session_has_no_recent_of_the_first),
		CASE(what_a_session_was_not_told_is_gone_for_others),
		CASE(recent_that_nobody_took_is_left_for_the_next),
		CASE(another_life_of_the_mailbox_starts_anew),
		CASE(a_kept_store_stays_open_while_its_folder_is_there),
		CASE(the_store_used_longest_ago_is_closed_for_another),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
