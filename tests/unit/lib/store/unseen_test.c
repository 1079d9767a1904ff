/* Deliveries to a mailbox that nobody has looked into: one file beside the messages, and when
 * someone looks, the mailbox begins with the UIDs that were given out.
 * SPDX-License-Identifier: ISC */
#include "store_fixture.h"

#include "base/check.h"
#include "store/folder_private.h"

static bool is_there(struct fixture *f, const char *path)
{
	struct stat st;
	return lstat(at_root(f, path), &st) == 0;
}

static void a_first_delivery_makes_one_file_beside_the_message(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(deliver_number(f, 1).uid, 1);
	assert_int_equal(deliver_number(f, 2).uid, 2);
	assert_int_equal(count_files(f, "."), 4); /* cur, new, tmp, tambo-arrivals */
	assert_true(is_there(f, ARRIVALS_FILE));
	uint32_t uidvalidity = deliver_number(f, 3).uidvalidity;
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_string_equal(describe(box), "1[R] 2[R] 3[R]");
	assert_int_equal(mailbox_uidvalidity(box), uidvalidity);
	assert_true(has_cache(f, row_of_inbox(f).id, 3));
	mailbox_close(box);
	assert_true(is_there(f, "tambo-mailbox") && is_there(f, "tambo-index"));
	assert_int_equal(deliver_number(f, 4).uid, 4);
	assert_uids(f, 4, (const uint32_t[]){1, 2, 3, 4});
}

/* Messages, another server's list, a file of ours: then the mailbox begins as ever. */
static void only_an_untouched_maildir_is_unseen(void **state)
{
	static const char *const there[] = {"new/1700000000.M1P1.elsewhere", "cur/1.M1P1.elsewhere:2,S",
		"dovecot-uidlist", "tambo-uidvalidity", "subscriptions"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(there); i++) {
		void *inner = NULL;
		assert_int_equal(fixture_setup(&inner), 0);
		struct fixture *f = inner;
		write_file(f, there[i], i == 2 ? "3 V7 N12 G0123\n" : "");
		uint32_t uid = deliver_number(f, 1).uid;
		if (uid != (i < 2 ? 2 : i == 2 ? 12 : 1) || !is_there(f, "tambo-mailbox"))
			fail_msg("%s: UID %u", there[i], uid);
		(void)fixture_teardown(&inner);
	}
}

/* It came behind a delivery that nobody had looked at: the list's UIDs may have been seen. */
static void anothers_list_that_comes_later_counts(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(deliver_number(f, 1).uid, 1);
	write_file(f, "cur/1.M1P1.elsewhere:2,S", MESSAGE);
	write_file(f, "dovecot-uidlist", "3 V7 N12 G0123\n1 :1.M1P1.elsewhere\n");
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_uidvalidity(box), 7);
	assert_string_equal(describe(box), "1[S] 12[R]");
	mailbox_close(box);
}

static void a_repeated_delivery_to_an_unseen_one_is_recognised(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(deliver_number(f, 1).uid, 1);
	assert_int_equal(deliver_number(f, 2).uid, 2);
	struct append_result again = repeat_number(f, 1);
	assert_true(again.duplicate);
	assert_int_equal(again.uid, 1);
	assert_uids(f, 2, (const uint32_t[]){1, 2});
}

/* Where the machine stopped: any part of the file may be of an earlier moment. */
static void what_a_power_cut_leaves_of_an_unseen_one_is_whole(void **state)
{
	(void)state;
	for (unsigned lost = 0; lost < 4; lost++) {
		void *inner = NULL;
		char head[ARRIVALS_START];
		struct arrivals_head says;
		assert_int_equal(fixture_setup(&inner), 0);
		struct fixture *f = inner;
		assert_int_equal(deliver_number(f, 1).uid, 1);
		int fd = open(at_root(f, ARRIVALS_FILE), O_RDWR | O_CLOEXEC);
		assert_int_equal(pread(fd, head, sizeof(head), 0), sizeof(head));
		assert_true(arrivals_head_parse(span_new(head, sizeof(head)), &says));
		assert_int_equal(deliver_number(f, 2).uid, 2);
		fixture_close(f);
		struct buf out = BUF_INIT(ARRIVALS_START);
		says.boot++;
		if (lost > 0)
			arrivals_head_format(&says, &out);
		if (lost == 1 || lost == 2) /* the head does not know the second */
			assert_int_equal(pwrite(fd, out.ptr, out.len, 0), (ssize_t)out.len);
		if (lost >= 2) /* records lost, head kept or not */
			assert_int_equal(ftruncate(fd, lost == 2 ? ARRIVALS_START : 0), 0);
		buf_done(&out);
		(void)close(fd);
		fixture_open(f);
		assert_false(deliver_number(f, 3).duplicate);
		struct mailbox *box = open_box(f, "INBOX", 0);
		if (mailbox_count(box) != 3)
			fail_msg("case %u: %zu messages", lost, mailbox_count(box));
		mailbox_close(box);
		(void)fixture_teardown(&inner);
	}
}

/* After that its head must not come back to life, whatever else is lost. */
static void seen_uids_are_not_given_again(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(deliver_number(f, 1).uid, 1);
	assert_int_equal(deliver_number(f, 2).uid, 2);
	struct mailbox *box = open_box(f, "INBOX", 0);
	uint32_t uid = 2;
	/* It is struck out by then, on disk. */
	char head[ARRIVALS_START];
	struct arrivals_head says;
	int fd = open(at_root(f, ARRIVALS_FILE), O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, head, sizeof(head), 0), sizeof(head));
	assert_false(arrivals_head_parse(span_new(head, sizeof(head)), &says));
	(void)close(fd);
	assert_int_equal(mailbox_expunge(box, &uid, 1, false, NULL), 0);
	mailbox_close(box);
	fixture_close(f);
	assert_int_equal(unlink(at_root(f, "tambo-mailbox")), 0);
	remove_path(at_root(f, "tambo-index"));
	fixture_open(f);
	assert_true(deliver_number(f, 3).uid > 2);
}

static void the_uidvalidity_of_an_unseen_one_is_remembered(void **state)
{
	struct fixture *f = *state;
	uint32_t first = deliver_number(f, 1).uidvalidity;
	mailbox_close(open_box(f, "INBOX", 0));
	assert_int_equal(store_create(f->store, SPAN("Other")), 0);
	struct mailbox *box = open_box(f, "Other", 0);
	assert_true(mailbox_uidvalidity(box) > first);
	mailbox_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_first_delivery_makes_one_file_beside_the_message,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(anothers_list_that_comes_later_counts,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_repeated_delivery_to_an_unseen_one_is_recognised,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(seen_uids_are_not_given_again,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(the_uidvalidity_of_an_unseen_one_is_remembered,
			fixture_setup, fixture_teardown),
		cmocka_unit_test(only_an_untouched_maildir_is_unseen),
		cmocka_unit_test(what_a_power_cut_leaves_of_an_unseen_one_is_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
