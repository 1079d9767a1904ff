/* The store on a Maildir in a temporary folder: appending, delivering, views, flags, expunge, copy.
 * SPDX-License-Identifier: ISC */
#include "store_fixture.h"

#include "base/check.h"

static void append_gives_ascending_uids(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(append_text(f, "INBOX", MESSAGE, MESSAGE_SEEN, NULL), 1);
	assert_int_equal(append_text(f, "INBOX", MESSAGE, 0, "$Forwarded"), 2);
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_string_equal(describe(box), "1[SR] 2[R $Forwarded]");
	assert_int_equal(mailbox_at(box, 0)->internaldate, 1000000000);
	/* CRLF size: one more for each of the 8 lines. */
	assert_int_equal(mailbox_at(box, 0)->size, strlen(MESSAGE) + 8);
	mailbox_close(box);
	box = open_box(f, "INBOX", 0);
	assert_string_equal(describe(box), "1[S] 2[ $Forwarded]");
	mailbox_close(box);
}

static void delivery_is_seen_by_open_views(void **state)
{
	struct fixture *f = *state;
	struct mailbox *one = open_box(f, "INBOX", 0);
	struct mailbox *two = open_box(f, "inbox", MAILBOX_READ_ONLY);
	struct append_result result = deliver_text(f, "1.Q1R0.host", MESSAGE);
	assert_false(result.duplicate);
	const struct mailbox_changes *changes = refresh(one);
	assert_true(changes->exists_changed);
	assert_int_equal(changes->first_new, 0);
	assert_string_equal(describe(one), "1[R]");
	assert_int_equal(count_files(f, "new"), 0);
	assert_int_equal(count_files(f, "cur"), 1);
	(void)refresh(two);
	assert_string_equal(describe(two), "1[]");
	changes = refresh(one);
	assert_false(changes->exists_changed);
	assert_int_equal(changes->changed_count, 0);
	mailbox_close(one);
	mailbox_close(two);
}

static void second_attempt_of_a_delivery_is_recognised(void **state)
{
	struct fixture *f = *state;
	struct append_result first = deliver_text(f, "1.Q1R0.host", MESSAGE);
	struct append_result again = deliver_text(f, "1.Q1R0.host", MESSAGE);
	assert_true(again.duplicate);
	assert_int_equal(again.uid, first.uid);
	/* Also once it has been read, and when the index is gone. */
	struct mailbox *box = open_box(f, "INBOX", 0);
	set_flags(box, first.uid, STORE_ADD, MESSAGE_SEEN, NULL);
	mailbox_close(box);
	fixture_close(f);
	remove_path(at_root(f, "tambo-index"));
	fixture_open(f);
	again = deliver_text(f, "1.Q1R0.host", MESSAGE);
	assert_true(again.duplicate);
	assert_int_equal(count_files(f, "cur"), 1);
	assert_int_equal(count_files(f, "new"), 0);
	assert_int_equal(count_files(f, "tmp"), 0);
}

static void overwrite(const char *path, const char *content)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* A power cut keeps the name of a file that was not flushed, and may keep nothing or anything of
 * its bytes. The second attempt must not take such a file for the message. */
static void what_a_power_cut_left_is_no_message(void **state)
{
	static const struct {
		const char *name, *left;
		bool same_uid;
	} cases[] = {
		{"nothing is left", "", false},
		{"half of it is left", "From: a@example.test\nTo: b", false},
		{"the size is left, the bytes are not", NULL, true},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char base[40], path[600], garbage[] = MESSAGE;
		(void)snprintf(base, sizeof(base), "1.Q%zuR0.host", i);
		struct append_result first = deliver_text(f, base, MESSAGE);
		(void)snprintf(path, sizeof(path), "%s/new/%s", f->root, find_file(f, "new", base));
		memset(garbage, '#', sizeof(garbage) - 1);
		overwrite(path, cases[i].left == NULL ? garbage : cases[i].left);
		if (i % 2 == 0) {
			fixture_close(f);
			remove_path(at_root(f, "tambo-index"));
			fixture_open(f);
		}
		struct append_result again = deliver_text(f, base, MESSAGE);
		if ((again.uid == first.uid) != cases[i].same_uid)
			fail_msg("%s: UID %u, then %u", cases[i].name, first.uid, again.uid);
		char content[1000] = "";
		(void)snprintf(path, sizeof(path), "%s/new/%s", f->root, find_file(f, "new", base));
		FILE *file = fopen(path, "r");
		assert_non_null(file);
		assert_true(fread(content, 1, sizeof(content) - 1, file) > 0);
		(void)fclose(file);
		assert_string_equal(content, MESSAGE);
		assert_int_equal(count_files(f, "tmp"), 0);
		struct mailbox *box = open_box(f, "INBOX", 0);
		if (mailbox_count(box) != i + 1 || mailbox_at(box, i)->uid != again.uid)
			fail_msg("%s: %zu messages", cases[i].name, mailbox_count(box));
		mailbox_close(box);
	}
}

static void flags_are_names_of_files(void **state)
{
	struct fixture *f = *state;
	(void)append_text(f, "INBOX", MESSAGE, 0, NULL);
	struct mailbox *box = open_box(f, "INBOX", 0);
	struct mailbox *other = open_box(f, "INBOX", 0);
	uint64_t before = mailbox_at(box, 0)->modseq;
	set_flags(box, 1, STORE_ADD, MESSAGE_SEEN | MESSAGE_FLAGGED, "Work");
	assert_string_equal(describe(box), "1[SFR Work]");
	assert_true(mailbox_at(box, 0)->modseq > before);
	const char *name = find_file(f, "cur", "");
	assert_string_equal(name + strlen(name) - 6, ":2,FSa");
	const struct mailbox_changes *changes = refresh(other);
	assert_int_equal(changes->changed_count, 1);
	assert_true(changes->keywords_changed);
	assert_string_equal(describe(other), "1[SF Work]");
	changes = refresh(box);
	assert_int_equal(changes->changed_count, 1);
	assert_int_equal(refresh(box)->changed_count, 0);
	set_flags(box, 1, STORE_SET, MESSAGE_DELETED, NULL);
	assert_string_equal(describe(box), "1[TR]");
	set_flags(box, 1, STORE_REMOVE, MESSAGE_DELETED, NULL);
	assert_string_equal(describe(box), "1[R]");
	mailbox_close(box);
	mailbox_close(other);
}

static void read_only_view_changes_nothing(void **state)
{
	struct fixture *f = *state;
	(void)append_text(f, "INBOX", MESSAGE, MESSAGE_DELETED, NULL);
	struct mailbox *box = open_box(f, "INBOX", MAILBOX_READ_ONLY);
	uint32_t uid = 1;
	struct store_request request = {.uids = &uid, .uid_count = 1, .operation = STORE_ADD,
		.flags = MESSAGE_SEEN};
	assert_int_equal(mailbox_store(box, &request, NULL), -EROFS);
	assert_int_equal(mailbox_expunge(box, &uid, 1, true, NULL), -EROFS);
	mailbox_close(box);
}

static void unchangedsince_protects_newer_messages(void **state)
{
	struct fixture *f = *state;
	(void)append_text(f, "INBOX", MESSAGE, 0, NULL);
	(void)append_text(f, "INBOX", MESSAGE, 0, NULL);
	struct mailbox *box = open_box(f, "INBOX", 0);
	uint64_t seen = mailbox_highestmodseq(box);
	set_flags(box, 2, STORE_ADD, MESSAGE_SEEN, NULL);
	uint32_t uids[] = {1, 2};
	struct store_request request = {.uids = uids, .uid_count = 2, .operation = STORE_ADD,
		.flags = MESSAGE_FLAGGED, .has_unchanged_since = true, .unchanged_since = seen};
	struct buf modified = BUF_INIT(1024);
	assert_int_equal(mailbox_store(box, &request, &modified), 0);
	assert_int_equal(modified.len, sizeof(uint32_t));
	assert_memory_equal(modified.ptr, &uids[1], sizeof(uint32_t));
	assert_string_equal(describe(box), "1[FR] 2[SR]");
	buf_done(&modified);
	mailbox_close(box);
}

static void expunge_is_reported_with_right_numbers(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 5; i++)
		(void)append_text(f, "INBOX", MESSAGE, i % 2 == 1 ? MESSAGE_DELETED : 0, NULL);
	struct mailbox *box = open_box(f, "INBOX", 0);
	struct mailbox *other = open_box(f, "INBOX", 0);
	uint32_t uids[] = {1, 2, 3, 4, 5};
	size_t count = 0;
	assert_int_equal(mailbox_expunge(box, uids, 5, true, &count), 0);
	assert_int_equal(count, 2);
	const struct mailbox_changes *changes;
	assert_int_equal(mailbox_refresh(other, false, &changes), 0);
	assert_int_equal(changes->expunged_count, 0);
	assert_int_equal(mailbox_count(other), 5);
	assert_true(mailbox_at(other, 1)->expunged);
	changes = refresh(other);
	assert_int_equal(changes->expunged_count, 2);
	assert_int_equal(changes->expunged[0], 2);
	assert_int_equal(changes->expunged[1], 3);
	assert_int_equal(changes->expunged_uids[1], 4);
	assert_int_equal(mailbox_count(other), 3);
	(void)refresh(box);
	assert_string_equal(describe(box), "1[R] 3[R] 5[R]");
	assert_int_equal(append_text(f, "INBOX", MESSAGE, 0, NULL), 6);
	mailbox_close(box);
	mailbox_close(other);
}

static void copy_and_move_keep_what_belongs_to_a_message(void **state)
{
	struct fixture *f = *state;
	(void)append_text(f, "INBOX", MESSAGE, MESSAGE_FLAGGED, "alpha");
	(void)append_text(f, "INBOX", MESSAGE, MESSAGE_SEEN, "beta");
	assert_int_equal(store_create(f->store, SPAN("Archive/2026")), 0);
	(void)append_text(f, "Archive/2026", MESSAGE, 0, "zeta");
	struct mailbox *box = open_box(f, "INBOX", 0);
	uint32_t uids[] = {1, 2, 7};
	struct copy_result result;
	assert_int_equal(mailbox_copy(box, uids, 3, SPAN("Archive/2026"), false, &result), 0);
	assert_int_equal(result.count, 2);
	assert_int_equal(result.source_uids[1], 2);
	assert_int_equal(result.uids[0], 2);
	assert_int_equal(result.uids[1], 3);
	copy_result_done(&result);
	assert_int_equal(mailbox_copy(box, uids, 1, SPAN("Archive/2026"), true, &result), 0);
	copy_result_done(&result);
	assert_int_equal(refresh(box)->expunged_count, 1);
	assert_string_equal(describe(box), "2[SR beta]");
	struct mailbox *archive = open_box(f, "Archive/2026", MAILBOX_READ_ONLY);
	assert_string_equal(describe(archive), "1[R zeta] 2[FR alpha] 3[SR beta] 4[FR alpha]");
	assert_int_equal(mailbox_at(archive, 1)->internaldate, 1000000000);
	assert_int_equal(mailbox_copy(box, uids, 3, SPAN("Nowhere"), false, &result), -ENOENT);
	mailbox_close(archive);
	mailbox_close(box);
}

static void content_is_sent_with_crlf(void **state)
{
	struct fixture *f = *state;
	(void)append_text(f, "INBOX", "Subject: x\r\n\r\nline\r\nbare\nend\rmid\r", 0, NULL);
	struct mailbox *box = open_box(f, "INBOX", 0);
	struct buf out = BUF_INIT(1000);
	assert_int_equal(read_message(box, 1, &out), 0);
	assert_string_equal(buf_cstr(&out), "Subject: x\r\n\r\nline\r\nbare\r\nend\rmid\r");
	assert_int_equal(mailbox_at(box, 0)->size, out.len);
	buf_reset(&out);
	assert_int_equal(mailbox_message_cache(box, 1, CACHE_HEADERS, &out), 0);
	assert_string_equal(buf_cstr(&out), "Subject: x\r\n");
	buf_done(&out);
	mailbox_close(box);
}

static void cache_is_filled_at_delivery_and_rebuilt(void **state)
{
	struct fixture *f = *state;
	struct buf first = BUF_INIT(10000), again = BUF_INIT(10000);
	(void)deliver_text(f, "1.Q1R0.host", MESSAGE);
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_message_cache(box, 1, CACHE_ENVELOPE, &first), 0);
	assert_non_null(strstr(buf_cstr(&first), "\"hello\""));
	mailbox_close(box);
	fixture_close(f);
	remove_path(at_root(f, "tambo-index"));
	fixture_open(f);
	box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_message_cache(box, 1, CACHE_ENVELOPE, &again), 0);
	assert_string_equal(buf_cstr(&first), buf_cstr(&again));
	buf_reset(&again);
	assert_int_equal(mailbox_message_cache(box, 1, CACHE_PREVIEW, &again), 0);
	assert_string_equal(buf_cstr(&again), "first line second line ");
	buf_reset(&again);
	assert_int_equal(mailbox_message_cache(box, 1, CACHE_PARTS, &again), 0);
	assert_int_equal(again.len, sizeof(struct message_part));
	buf_done(&first);
	buf_done(&again);
	mailbox_close(box);
}

static void multiappend_is_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	struct append_options options = {.internaldate = INT64_MIN};
	struct append *appends[2];
	struct append_result results[2];
	for (int i = 0; i < 2; i++) {
		assert_int_equal(append_begin(f->store, SPAN("INBOX"), &options, &appends[i]), 0);
		assert_int_equal(append_write(appends[i], SPAN(MESSAGE)), 0);
	}
	assert_int_equal(append_commit_all(appends, 2, results), 0);
	assert_int_equal(results[1].uid, results[0].uid + 1);
	assert_int_equal(count_files(f, "cur"), 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(append_begin(f->store, SPAN("INBOX"), &options, &appends[i]), 0);
	assert_int_equal(chmod(at_root(f, "cur"), 0500), 0);
	int error = append_commit_all(appends, 2, results);
	assert_int_equal(chmod(at_root(f, "cur"), 0700), 0);
	if (geteuid() != 0)
		assert_int_equal(error, -EACCES);
	assert_int_equal(count_files(f, "tmp"), 0);
}

static void pop3_lock_admits_one(void **state)
{
	struct fixture *f = *state;
	struct mailbox *one = open_box(f, "INBOX", MAILBOX_POP3);
	struct mailbox *two;
	assert_int_equal(mailbox_open(f->store, SPAN("INBOX"), MAILBOX_POP3, &two), -EBUSY);
	mailbox_close(one);
	two = open_box(f, "INBOX", MAILBOX_POP3);
	mailbox_close(two);
}

static void uidl_is_uid_and_uidvalidity(void **state)
{
	struct fixture *f = *state;
	(void)append_text(f, "INBOX", MESSAGE, 0, NULL);
	struct mailbox *box = open_box(f, "INBOX", MAILBOX_POP3);
	char expected[32];
	struct buf uidl = BUF_INIT(100);
	(void)snprintf(expected, sizeof(expected), "00000001%08x", mailbox_uidvalidity(box));
	assert_int_equal(mailbox_message_uidl(box, 1, &uidl), 0);
	assert_string_equal(buf_cstr(&uidl), expected);
	buf_done(&uidl);
	mailbox_close(box);
}

static void many_keywords_survive_the_index(void **state)
{
	struct fixture *f = *state;
	(void)append_text(f, "INBOX", MESSAGE, 0, NULL);
	struct mailbox *box = open_box(f, "INBOX", 0);
	char name[16];
	for (int i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "key%d", i);
		set_flags(box, 1, STORE_ADD, 0, name);
	}
	set_flags(box, 1, STORE_REMOVE, 0, "key30");
	char before[8192];
	(void)snprintf(before, sizeof(before), "%s", describe(box));
	assert_null(strstr(before, "key30"));
	assert_non_null(strstr(before, "key39"));
	mailbox_close(box);
	fixture_close(f);
	remove_path(at_root(f, "tambo-index"));
	fixture_open(f);
	box = open_box(f, "INBOX", 0);
	set_flags(box, 1, STORE_ADD, MESSAGE_SEEN, NULL);
	set_flags(box, 1, STORE_REMOVE, MESSAGE_SEEN, NULL);
	/* \Recent was taken before; all keywords are there. */
	assert_string_equal(strstr(describe(box), " key0"), strstr(before, " key0"));
	mailbox_close(box);
}

static void keyword_log_does_not_grow_without_end(void **state)
{
	struct fixture *f = *state;
	char name[16];
	struct stat st;
	(void)append_text(f, "INBOX", MESSAGE, 0, NULL);
	struct mailbox *box = open_box(f, "INBOX", 0);
	for (int i = 0; i < 27; i++) {
		(void)snprintf(name, sizeof(name), "key%d", i);
		set_flags(box, 1, STORE_ADD, 0, name);
	}
	FILE *file = fopen(at_root(f, "tambo-keywords"), "a");
	assert_non_null(file);
	for (int i = 0; i < 300000; i++)
		assert_true(fputs("2 key26\n", file) >= 0);
	assert_int_equal(fclose(file), 0);
	set_flags(box, 1, STORE_ADD, 0, "key27");
	assert_int_equal(stat(at_root(f, "tambo-keywords"), &st), 0);
	assert_true(st.st_size < 100);
	mailbox_close(box);
	fixture_close(f);
	remove_path(at_root(f, "tambo-index"));
	fixture_open(f);
	box = open_box(f, "INBOX", 0);
	assert_non_null(strstr(describe(box), "key25 key26 key27"));
	mailbox_close(box);
}

static void status_needs_no_message(void **state)
{
	struct fixture *f = *state;
	(void)append_text(f, "INBOX", MESSAGE, MESSAGE_SEEN, NULL);
	(void)append_text(f, "INBOX", MESSAGE, MESSAGE_DELETED, NULL);
	(void)deliver_text(f, "1.Q1R0.host", MESSAGE);
	struct mailbox_status status;
	assert_int_equal(store_status(f->store, SPAN("INBOX"), &status), 0);
	assert_int_equal(status.exists, 3);
	assert_int_equal(status.unseen, 2);
	assert_int_equal(status.deleted, 1);
	assert_int_equal(status.recent, 3);
	assert_int_equal(status.uidnext, 4);
	assert_true(status.size_known);
	assert_int_equal(status.size, 3 * (strlen(MESSAGE) + 8));
	assert_int_equal(store_status(f->store, SPAN("none"), &status), -ENOENT);
}

/* Another client takes \Deleted back, as yet unseen: the folder looks as the last scan left it. */
static void take_deleted_back(struct fixture *f, struct mailbox *box)
{
	char name[300], changed[310];
	struct stat st;
	(void)snprintf(name, sizeof(name), "cur/%.250s", find_file(f, "cur", ""));
	(void)snprintf(changed, sizeof(changed), "%.*s2,", (int)strcspn(name, ":") + 1, name);
	for (int i = 0; i < 2; i++) {
		/* The scan before it was long enough after the last change to be believed. */
		struct timespec pause = {.tv_nsec = 30000000};
		(void)nanosleep(&pause, NULL);
		(void)refresh(box);
	}
	assert_int_equal(stat(at_root(f, "cur"), &st), 0);
	assert_int_equal(rename(at_root(f, name), at_root(f, changed)), 0);
	struct timespec times[2] = {st.st_atim, st.st_mtim};
	assert_int_equal(utimensat(AT_FDCWD, at_root(f, "cur"), times, 0), 0);
}

static void a_flag_leaves_what_another_changed(void **state)
{
	struct fixture *f = *state;
	uint32_t uid = append_text(f, "INBOX", MESSAGE, MESSAGE_DELETED, NULL);
	struct mailbox *box = open_box(f, "INBOX", 0);
	take_deleted_back(f, box);
	set_flags(box, uid, STORE_ADD, MESSAGE_SEEN, NULL);
	(void)refresh(box);
	assert_string_equal(describe(box), "1[SR]");
	mailbox_close(box);
}

static void a_keyword_leaves_what_another_changed(void **state)
{
	struct fixture *f = *state;
	uint32_t uid = append_text(f, "INBOX", MESSAGE, MESSAGE_DELETED, "Old");
	struct mailbox *box = open_box(f, "INBOX", 0);
	take_deleted_back(f, box);
	set_flags(box, uid, STORE_ADD, 0, "Work");
	(void)refresh(box);
	assert_string_equal(describe(box), "1[R Work]");
	mailbox_close(box);
}

static void undeleted_at_the_last_moment_stays(void **state)
{
	struct fixture *f = *state;
	uint32_t uid = append_text(f, "INBOX", MESSAGE, MESSAGE_DELETED, NULL);
	struct mailbox *box = open_box(f, "INBOX", 0);
	size_t count = 9;
	take_deleted_back(f, box);
	assert_int_equal(mailbox_expunge(box, &uid, 1, true, &count), 0);
	assert_int_equal(count, 0);
	(void)refresh(box);
	assert_string_equal(describe(box), "1[R]");
	assert_int_equal(mailbox_expunge(box, &uid, 1, false, &count), 0);
	assert_int_equal(count, 1);
	mailbox_close(box);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		CASE(append_gives_ascending_uids), CASE(delivery_is_seen_by_open_views),
		CASE(second_attempt_of_a_delivery_is_recognised),
		CASE(what_a_power_cut_left_is_no_message), CASE(flags_are_names_of_files),
		CASE(read_only_view_changes_nothing), CASE(unchangedsince_protects_newer_messages),
		CASE(expunge_is_reported_with_right_numbers),
		CASE(copy_and_move_keep_what_belongs_to_a_message), CASE(content_is_sent_with_crlf),
		CASE(cache_is_filled_at_delivery_and_rebuilt), CASE(multiappend_is_all_or_nothing),
		CASE(pop3_lock_admits_one), CASE(uidl_is_uid_and_uidvalidity),
		CASE(many_keywords_survive_the_index), CASE(keyword_log_does_not_grow_without_end),
		CASE(status_needs_no_message),
		CASE(undeleted_at_the_last_moment_stays), CASE(a_flag_leaves_what_another_changed),
		CASE(a_keyword_leaves_what_another_changed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
