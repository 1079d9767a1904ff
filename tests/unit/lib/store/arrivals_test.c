/* Deliveries that wait beside the index: they are seen by whoever looks, once, under the UIDs that
 * were given out, whatever happens to their file.
 * SPDX-License-Identifier: ISC */
#include "store_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/check.h"
#include "store/folder_private.h"

/* A mailbox with a message, whose folders the index knows: their times are believed when they are
 * not of this very moment. */
static void begin(struct fixture *f)
{
	struct timespec pause = {.tv_nsec = 30000000};
	assert_int_equal(deliver_number(f, 0).uid, 1);
	mailbox_close(open_box(f, "INBOX", 0));
	(void)nanosleep(&pause, NULL);
	mailbox_close(open_box(f, "INBOX", 0));
}

static void only_whole_records_of_that_life_count(void **state)
{
	const uint64_t life = 4711;
	struct arrival arrival = {.uid = 9, .internaldate = 1000, .size = 70, .crlf_size = 75,
		.mtime_before = 1, .mtime_after = 2, .name = SPAN("1.Q1R0.host,S=70,W=75,T=1.9"),
		.cache = SPAN("what a parse gave")}, seen;
	struct buf out = BUF_INIT(ARRIVAL_SIZE_MAX);
	(void)state;
	arrival_format(life, &arrival, &out);
	struct span whole = buf_span(&out);
	assert_int_equal(arrival_parse(whole, life, &seen), whole.len);
	assert_int_equal(seen.uid, 9);
	assert_true(span_equal(seen.name, arrival.name) && span_equal(seen.cache, arrival.cache));
	for (size_t len = 0; len < whole.len; len++)
		assert_int_equal(arrival_parse(span_head(whole, len), life, &seen), 0);
	for (size_t bit = 0; bit < 8 * whole.len; bit++) {
		out.ptr[bit / 8] = (char)(out.ptr[bit / 8] ^ 1 << bit % 8);
		assert_int_equal(arrival_parse(whole, life, &seen), 0);
		out.ptr[bit / 8] = (char)(out.ptr[bit / 8] ^ 1 << bit % 8);
	}
	assert_int_equal(arrival_parse(whole, life + 1, &seen), 0);
	buf_reset(&out);
	arrival.name = SPAN("../1.Q1R0.host");
	arrival_format(life, &arrival, &out);
	assert_int_equal(arrival_parse(buf_span(&out), life, &seen), 0);
	buf_done(&out);
}

static void only_a_whole_head_counts(void **state)
{
	static const struct arrivals_head good = {.id = 3, .uidvalidity = 17, .uidnext = 5, .mark = 257,
		.generation = 9, .boot = 1, .file_inode = 2, .record_inode = 3, .record_mtime = 4,
		.new_mtime = 5, .life = 6, .count = 2, .end = 700};
	struct arrivals_head wrong[8], seen;
	struct buf out = BUF_INIT(ARRIVALS_START);
	(void)state;
	arrivals_head_format(&good, &out);
	struct span whole = buf_span(&out);
	assert_true(whole.len <= ARRIVALS_START && arrivals_head_parse(whole, &seen));
	assert_memory_equal(&seen, &good, sizeof(good));
	for (size_t len = 0; len < whole.len; len++)
		assert_false(arrivals_head_parse(span_head(whole, len), &seen));
	for (size_t bit = 0; bit < 8 * whole.len; bit++) {
		out.ptr[bit / 8] = (char)(out.ptr[bit / 8] ^ 1 << bit % 8);
		assert_false(arrivals_head_parse(whole, &seen));
		out.ptr[bit / 8] = (char)(out.ptr[bit / 8] ^ 1 << bit % 8);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		wrong[i] = good;
	wrong[0].uidvalidity = 0;
	wrong[1].uidnext = 0;
	wrong[2].uidnext = 258;
	wrong[3].count = ARRIVALS_MAX + 1;
	wrong[4].end = ARRIVALS_START - 1;
	wrong[5].end = ARRIVALS_SIZE_MAX + 1;
	wrong[6].id = 0;
	wrong[7].record_inode = 0;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		buf_reset(&out);
		arrivals_head_format(&wrong[i], &out);
		if (arrivals_head_parse(buf_span(&out), &seen))
			fail_msg("head %zu was believed", i);
	}
	buf_done(&out);
}

static void deliveries_wait_until_someone_looks(void **state)
{
	struct fixture *f = *state;
	begin(f);
	struct index_folder before = row_of_inbox(f);
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(deliver_number(f, i).uid, 1 + i);
	struct index_folder waiting = row_of_inbox(f);
	assert_memory_equal(&before, &waiting, sizeof(before));
	struct mailbox_status status;
	assert_int_equal(store_status(f->store, SPAN("INBOX"), &status), 0);
	assert_int_equal(status.exists, 4);
	assert_int_equal(status.recent, 3);
	assert_int_equal(status.uidnext, 5);
	/* With what the parse gave, and without a scan: the time of new/ is the one that is known. */
	struct index_folder after = row_of_inbox(f);
	struct stat st;
	assert_int_equal(stat(at_root(f, "new"), &st), 0);
	assert_true(after.new_mtime
		== (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
	assert_int_equal(after.scanned, before.scanned);
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_string_equal(describe(box), "1[] 2[R] 3[R] 4[R]");
	assert_true(has_cache(f, after.id, 4));
	mailbox_close(box);
}

static void an_open_view_sees_them_and_appends_go_on_behind(void **state)
{
	struct fixture *f = *state;
	begin(f);
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_int_equal(deliver_number(f, 1).uid, 2);
	(void)refresh(box);
	assert_int_equal(mailbox_count(box), 2);
	assert_int_equal(deliver_number(f, 2).uid, 3);
	assert_int_equal(append_text(f, "INBOX", MESSAGE, MESSAGE_SEEN, NULL), 4);
	assert_int_equal(deliver_number(f, 3).uid, 5);
	set_flags(box, 2, STORE_ADD, MESSAGE_FLAGGED, NULL);
	assert_int_equal(deliver_number(f, 4).uid, 6);
	(void)refresh(box);
	assert_int_equal(mailbox_count(box), 6);
	mailbox_close(box);
}

static void many_go_into_the_index_by_themselves(void **state)
{
	struct fixture *f = *state;
	uint32_t uids[2 * ARRIVALS_MAX + 10];
	for (unsigned i = 0; i < ARRAY_LEN(uids); i++)
		uids[i] = deliver_number(f, i).uid;
	for (unsigned i = 0; i < ARRAY_LEN(uids); i++)
		assert_int_equal(uids[i], i + 1);
	/* Some may have gone there at once, while new/ was younger than a tick of the clock. */
	assert_true(row_of_inbox(f).exists >= ARRIVALS_MAX + 10);
	assert_uids(f, ARRAY_LEN(uids), uids);
}

static void a_repeated_delivery_is_recognised(void **state)
{
	struct fixture *f = *state;
	begin(f);
	assert_int_equal(deliver_number(f, 1).uid, 2);
	assert_int_equal(deliver_number(f, 2).uid, 3);
	struct append_result again = repeat_number(f, 1);
	assert_true(again.duplicate);
	assert_int_equal(again.uid, 2);
	assert_true(repeat_number(f, 2).duplicate);
	assert_int_equal(deliver_number(f, 3).uid, 4);
	assert_uids(f, 4, (const uint32_t[]){1, 2, 3, 4});
}

/* In another process, with its own store. */
static uint32_t deliver_elsewhere(struct fixture *f, unsigned number)
{
	int fds[2], status;
	uint32_t uid = 0;
	assert_int_equal(pipe(fds), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char path[128], digits[16], descriptor[16];
		(void)snprintf(path, sizeof(path), "%s/.", f->root);
		(void)snprintf(digits, sizeof(digits), "%u", number % 1000);
		(void)snprintf(descriptor, sizeof(descriptor), "%d", fds[1]);
		execl("/proc/self/exe", "arrivals_test", path,
			number < 1000 ? "deliver" : number < 2000 ? "look" : "name",
			digits, descriptor, (char *)NULL);
		_exit(9);
	}
	(void)close(fds[1]);
	assert_int_equal(read(fds[0], &uid, sizeof(uid)), sizeof(uid));
	(void)close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	return uid;
}

static void two_processes_take_turns(void **state)
{
	struct fixture *f = *state;
	begin(f);
	assert_int_equal(deliver_number(f, 11).uid, 2);
	assert_int_equal(deliver_elsewhere(f, 2), 3);
	assert_int_equal(deliver_elsewhere(f, 3), 4);
	assert_int_equal(deliver_number(f, 14).uid, 5);
	assert_int_equal(deliver_elsewhere(f, 1000), 5); /* looks: all are in the index now */
	assert_int_equal(deliver_number(f, 15).uid, 6);
	assert_int_equal(deliver_elsewhere(f, 4), 7);
	assert_uids(f, 7, (const uint32_t[]){1, 2, 3, 4, 5, 6, 7});
}

/* The deliverer writes the record when it moves the mark: not an old one. */
static void what_another_process_wrote_into_the_record_stays(void **state)
{
	struct fixture *f = *state;
	begin(f);
	assert_int_equal(deliver_number(f, 11).uid, 2);
	assert_int_equal(deliver_elsewhere(f, 2000), 2);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(deliver_number(f, 12 + i).uid, 3 + i);
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_count(box), 302);
	assert_non_null(strstr(describe(box), "1[ Rare]"));
	mailbox_close(box);
}

static void foreign_deliveries_among_them_are_seen(void **state)
{
	struct fixture *f = *state;
	begin(f);
	assert_int_equal(deliver_number(f, 1).uid, 2);
	let_tick();
	write_file(f, "new/1700000000.M1P1.elsewhere", MESSAGE); /* seen first, so it is 3 */
	assert_int_equal(deliver_number(f, 2).uid, 4);
	assert_int_equal(deliver_number(f, 3).uid, 5);
	assert_uids(f, 5, (const uint32_t[]){1, 2, 3, 4, 5});
}

/* A record that is lost takes nobody's UID with it: its file's name has it. */
static void the_uid_of_a_lost_record_is_not_given_out_again(void **state)
{
	struct fixture *f = *state;
	begin(f);
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(deliver_number(f, i).uid, 1 + i);
	int fd = open(at_root(f, ARRIVALS_FILE), O_WRONLY);
	char path[400];
	(void)snprintf(path, sizeof(path), "new/%s", find_file(f, "new", "2.Q2R0"));
	assert_true(fd >= 0 && pwrite(fd, "x", 1, lseek(fd, 0, SEEK_END) / 2) == 1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(deliver_elsewhere(f, 4), 5);
	assert_int_equal(access(at_root(f, path), F_OK), 0); /* under the name that it had */
	assert_uids(f, 5, (const uint32_t[]){1, 2, 3, 4, 5});
}

static void a_record_without_its_file_is_no_message(void **state)
{
	struct fixture *f = *state;
	begin(f);
	assert_int_equal(deliver_number(f, 1).uid, 2);
	char path[400];
	(void)snprintf(path, sizeof(path), "new/%s", find_file(f, "new", "1.Q1R0"));
	assert_int_equal(unlink(at_root(f, path)), 0);
	assert_uids(f, 1, (const uint32_t[]){1});
	assert_int_equal(deliver_number(f, 2).uid, 3);
}

static void spoil(struct fixture *f, unsigned how)
{
	static const char garbage[] = "damaged damaged damaged damaged damaged damaged damaged damaged "
		"damaged damaged damaged damaged damaged damaged damaged damaged damaged damaged";
	switch (how) {
	case 0:
		assert_int_equal(unlink(at_root(f, ARRIVALS_FILE)), 0);
		break;
	case 1:
		assert_int_equal(truncate(at_root(f, ARRIVALS_FILE), 0), 0);
		break;
	case 2:
		write_file(f, ARRIVALS_FILE, garbage);
		break;
	case 3:
		assert_int_equal(truncate(at_root(f, ARRIVALS_FILE), ARRIVALS_START + 100), 0);
		break;
	case 4:
		remove_path(at_root(f, "tambo-index"));
		break;
	default:
		remove_path(at_root(f, "tambo-index"));
		write_file(f, ARRIVALS_FILE, garbage);
		break;
	}
}

static void what_is_done_to_the_file_costs_no_message(void **state)
{
	struct fixture *f = *state;
	uint32_t count = 1;
	begin(f);
	for (unsigned i = 0; i < 4 * 12; i++) {
		assert_false(deliver_number(f, 1 + i).duplicate);
		count++;
		if (i % 4 == 1)
			spoil(f, i / 4 % 6);
		if (i % 4 == 1 && i / 4 % 2 == 0)
			fixture_reopen(f);
		if (i == 24)
			mailbox_close(open_box(f, "INBOX", 0));
	}
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_count(box), count);
	for (uint32_t i = 0; i + 1 < count; i++)
		assert_true(mailbox_at(box, i)->uid < mailbox_at(box, i + 1)->uid);
	mailbox_close(box);
	assert_int_equal(count_files(f, "new") + count_files(f, "cur"), count);
}

static void unseen_ones_go_on_in_another_process_and_when_full(void **state)
{
	struct fixture *f = *state;
	uint32_t uids[ARRIVALS_MAX + 10];
	for (unsigned i = 0; i < ARRAY_LEN(uids); i++) {
		uids[i] = i + 1;
		assert_int_equal(i % 10 == 3 ? deliver_elsewhere(f, i) : deliver_number(f, i).uid, i + 1);
		if (i == 20)
			fixture_reopen(f);
	}
	assert_int_equal(access(at_root(f, "tambo-mailbox"), F_OK), 0);
	assert_uids(f, ARRAY_LEN(uids), uids);
}

/* --- with the index asleep --- */

static void uids_of_others_end_the_heads_life(void **state)
{
	struct fixture *f = *state;
	begin(f);
	for (unsigned i = 0; i < 20; i++) {
		uint32_t uid = deliver_number(f, 1 + i).uid;
		assert_int_equal(append_text(f, "INBOX", MESSAGE, MESSAGE_SEEN, NULL), uid + 1);
		if (i % 3 == 0) {
			let_tick();
			write_file(f, i % 2 == 0 ? "new/1700000000.M1P1.elsewhere" : "cur/2.M1.elsewhere:2,",
				MESSAGE);
			mailbox_close(open_box(f, "INBOX", 0));
		}
		if (i % 4 == 1)
			fixture_reopen(f);
	}
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_count(box), count_files(f, "new") + count_files(f, "cur"));
	for (size_t i = 0; i + 1 < mailbox_count(box); i++)
		assert_true(mailbox_at(box, i)->uid < mailbox_at(box, i + 1)->uid);
	mailbox_close(box);
}

/* The index is built anew, from the mark on, while deliveries go on by the head. */
static void a_new_index_ends_the_heads_life(void **state)
{
	struct fixture *f = *state;
	begin(f);
	assert_int_equal(deliver_number(f, 1).uid, 2);
	assert_int_equal(deliver_number(f, 2).uid, 3);
	remove_path(at_root(f, "tambo-index"));
	struct mailbox *box = open_box(f, "INBOX", 0);
	struct mailbox_status status;
	assert_int_equal(mailbox_count(box), 3);
	mailbox_close(box);
	assert_int_equal(store_status(f->store, SPAN("INBOX"), &status), 0);
	assert_true(deliver_number(f, 3).uid >= status.uidnext);
}

/* Its answer was lost, it was repeated, and comes after all. */
static void a_late_first_attempt_is_recognised(void **state)
{
	struct fixture *f = *state;
	for (unsigned i = 0; i < 2; i++) {
		int64_t begun = now_ms();
		char base[64];
		(void)snprintf(base, sizeof(base), "1.Q%uR0.host", 100 + i);
		let_tick();
		assert_false(repeat_number(f, 100 + i).duplicate);
		assert_false(deliver_number(f, 200 + i).duplicate);
		assert_true(deliver_begun(f, base, MESSAGE, begun).duplicate);
		if (i == 0)
			mailbox_close(open_box(f, "INBOX", 0));
	}
	assert_int_equal(count_files(f, "new") + count_files(f, "cur"), 4);
}

static void a_lost_record_is_noticed_by_a_delivery(void **state)
{
	struct fixture *f = *state;
	begin(f);
	assert_int_equal(deliver_number(f, 1).uid, 2);
	assert_int_equal(unlink(at_root(f, "tambo-mailbox")), 0);
	assert_true(deliver_number(f, 2).uid > 2);
	assert_int_equal(access(at_root(f, "tambo-mailbox"), F_OK), 0);
	mailbox_close(open_box(f, "INBOX", 0));
	assert_int_equal(count_files(f, "new") + count_files(f, "cur"), 3);
}

/* Rows that were built anew without it, up to the very UID where the head goes on. */
static void a_repeated_delivery_is_found_behind_a_head_of_other_rows(void **state)
{
	struct fixture *f = *state;
	struct index_txn txn;
	struct index_folder row;
	begin(f);
	assert_int_equal(deliver_number(f, 1).uid, 2);
	assert_int_equal(index_begin(f->store->index, true, &txn), 0);
	assert_true(index_get_folder(&txn, SPAN_EMPTY, &row));
	row.generation++;
	row.uidnext = 3;
	index_put_folder(&txn, SPAN_EMPTY, &row);
	assert_int_equal(index_commit(&txn), 0);
	assert_true(repeat_number(f, 1).duplicate);
	/* The rows say that 2 has been and gone. */
	assert_uids(f, 2, (const uint32_t[]){1, 3});
}

static void an_old_index_and_record_are_gone_on_with(void **state)
{
	struct fixture *f = *state;
	begin(f);
	assert_int_equal(deliver_number(f, 1).uid, 2);
	mailbox_close(open_box(f, "INBOX", 0));
	fixture_close(f);
	/* As a version left it that had no such file. */
	assert_int_equal(unlink(at_root(f, ARRIVALS_FILE)), 0);
	fixture_open(f);
	assert_int_equal(deliver_number(f, 2).uid, 3);
	assert_uids(f, 3, (const uint32_t[]){1, 2, 3});
}

/* Run as: PATH deliver|look|name NUMBER FD. */
static int act(char **argv)
{
	struct fixture f = {.store = NULL};
	uint32_t answer;
	(void)snprintf(f.root, sizeof(f.root), "%s", argv[1]);
	fixture_open(&f);
	if (strcmp(argv[2], "deliver") == 0) {
		answer = deliver_number(&f, (unsigned)atoi(argv[3])).uid;
	} else {
		struct mailbox *box = open_box(&f, "INBOX", 0);
		if (strcmp(argv[2], "name") == 0)
			set_flags(box, 1, STORE_ADD, 0, "Rare");
		answer = (uint32_t)mailbox_count(box);
		mailbox_close(box);
	}
	fixture_close(&f);
	return write(atoi(argv[4]), &answer, sizeof(answer)) != (ssize_t)sizeof(answer);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_whole_records_of_that_life_count),
		cmocka_unit_test(only_a_whole_head_counts),
		cmocka_unit_test_setup_teardown(
			deliveries_wait_until_someone_looks, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			an_open_view_sees_them_and_appends_go_on_behind, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			many_go_into_the_index_by_themselves, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_repeated_delivery_is_recognised, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(two_processes_take_turns, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			what_another_process_wrote_into_the_record_stays, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			foreign_deliveries_among_them_are_seen, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(the_uid_of_a_lost_record_is_not_given_out_again,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_record_without_its_file_is_no_message, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			what_is_done_to_the_file_costs_no_message, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(unseen_ones_go_on_in_another_process_and_when_full,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(uids_of_others_end_the_heads_life,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_new_index_ends_the_heads_life,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_late_first_attempt_is_recognised,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_repeated_delivery_is_found_behind_a_head_of_other_rows, fixture_setup,
			fixture_teardown),
		cmocka_unit_test_setup_teardown(a_lost_record_is_noticed_by_a_delivery,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(an_old_index_and_record_are_gone_on_with,
			fixture_setup, fixture_teardown),
	};
	return argc == 5 ? act(argv) : cmocka_run_group_tests(tests, NULL, NULL);
}
