/* What the store makes of damage and of other programs' doings: UIDs stay, none is used twice.
 * SPDX-License-Identifier: ISC */
#include "store_fixture.h"

#include "store/export.h"

static void three_messages(struct fixture *f)
{
	for (int i = 0; i < 3; i++)
		(void)append_text(
			f, "INBOX", MESSAGE, i == 1 ? MESSAGE_FLAGGED : 0, i == 2 ? "Work" : NULL);
	struct mailbox *box = open_box(f, "INBOX", 0); /* takes \Recent */
	mailbox_close(box);
}

static const struct {
	const char *name, *removed[3];
	uint32_t next_least, next_most; /* where the next UID may be */
	bool keeps_keywords;
} losses[] = {
	{"nothing lost", {NULL}, 4, 4, true},
	{"index lost", {"tambo-index"}, 4, 600, true},
	{"index file lost", {"tambo-index/data.mdb"}, 4, 600, true},
	{"record lost", {"tambo-mailbox"}, 4, 600, false},
	{"both lost", {"tambo-index", "tambo-mailbox"}, 4, 2000000, false},
	{"lock files lost", {"tambo-arrivals", "tambo-index/lock"}, 4, 600, true},
};

static void uids_survive_losses(void **state)
{
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		struct fixture *f;
		void *inner = NULL;
		(void)state;
		assert_int_equal(fixture_setup(&inner), 0);
		f = inner;
		three_messages(f);
		struct mailbox *box = open_box(f, "INBOX", 0);
		uint32_t uidvalidity = mailbox_uidvalidity(box);
		uint64_t modseq = mailbox_highestmodseq(box);
		mailbox_close(box);
		fixture_close(f);
		for (size_t k = 0; k < 3 && losses[i].removed[k] != NULL; k++)
			remove_path(at_root(f, losses[i].removed[k]));
		fixture_open(f);
		box = open_box(f, "INBOX", 0);
		if (mailbox_uidvalidity(box) != uidvalidity || mailbox_highestmodseq(box) < modseq)
			fail_msg("%s: UIDVALIDITY or HIGHESTMODSEQ", losses[i].name);
		if (strcmp(describe(box), losses[i].keeps_keywords ? "1[] 2[F] 3[ Work]"
			: "1[] 2[F] 3[ Keyword-a]") != 0)
			fail_msg("%s: %s", losses[i].name, describe(box));
		mailbox_close(box);
		uint32_t next = append_text(f, "INBOX", MESSAGE, 0, NULL);
		if (next < losses[i].next_least || next > losses[i].next_most)
			fail_msg("%s: next UID is %u", losses[i].name, next);
		(void)fixture_teardown(&inner);
	}
}

/* The greatest UID is expunged, then everything that knew of it is lost but one. */
static void expunged_uid_is_not_used_again(void **state)
{
	struct fixture *f = *state;
	three_messages(f);
	struct mailbox *box = open_box(f, "INBOX", 0);
	uint32_t uid = 3;
	assert_int_equal(mailbox_expunge(box, &uid, 1, false, NULL), 0);
	mailbox_close(box);
	fixture_close(f);
	remove_path(at_root(f, "tambo-index"));
	fixture_open(f);
	uint32_t next = append_text(f, "INBOX", MESSAGE, 0, NULL);
	assert_true(next > 3);
	box = open_box(f, "INBOX", 0);
	uid = next;
	assert_int_equal(mailbox_expunge(box, &uid, 1, false, NULL), 0);
	mailbox_close(box);
	fixture_close(f);
	remove_path(at_root(f, "tambo-mailbox"));
	fixture_open(f);
	uint32_t after = append_text(f, "INBOX", MESSAGE, 0, NULL);
	assert_true(after > next);
	box = open_box(f, "INBOX", 0);
	uid = after;
	assert_int_equal(mailbox_expunge(box, &uid, 1, false, NULL), 0);
	mailbox_close(box);
	fixture_close(f);
	remove_path(at_root(f, "tambo-mailbox"));
	remove_path(at_root(f, "tambo-index"));
	fixture_open(f);
	assert_true(append_text(f, "INBOX", MESSAGE, 0, NULL) > after);
}

static void torn_or_foreign_files_are_not_believed(void **state)
{
	struct fixture *f = *state;
	three_messages(f);
	struct mailbox *box = open_box(f, "INBOX", 0);
	uint32_t uidvalidity = mailbox_uidvalidity(box);
	mailbox_close(box);
	fixture_close(f);
	write_file(f, "tambo-mailbox", "tambo-mailbox 1\nuidvalidity 5\nuidnext 2\n");
	write_file(f, "tambo-index/data.mdb", "this is no database");
	write_file(f, "tambo-keywords", "1 x\n2");
	fixture_open(f);
	box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_uidvalidity(box), uidvalidity);
	/* Flags and letters stand in the file names; what the letter was called is lost. A whole
	 * line of tambo-keywords counts, a torn one does not. */
	assert_string_equal(describe(box), "1[ x] 2[F] 3[ Keyword-a]");
	mailbox_close(box);
}

static void truncated_index_is_built_anew(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 50; i++)
		(void)append_text(f, "INBOX", MESSAGE, 0, NULL);
	fixture_close(f);
	for (off_t size = 0; size < 40000; size += 4096 + 100) {
		assert_int_equal(truncate(at_root(f, "tambo-index/data.mdb"), size), 0);
		fixture_open(f);
		struct mailbox *box = open_box(f, "INBOX", 0);
		assert_int_equal(mailbox_count(box), 50);
		assert_int_equal(mailbox_at(box, 49)->uid, 50);
		mailbox_close(box);
		fixture_close(f);
	}
	fixture_open(f);
}

static void index_removed_under_an_open_view(void **state)
{
	struct fixture *f = *state;
	three_messages(f);
	struct mailbox *box = open_box(f, "INBOX", 0);
	remove_path(at_root(f, "tambo-index"));
	(void)append_text(f, "INBOX", MESSAGE, MESSAGE_SEEN, NULL);
	const struct mailbox_changes *changes = refresh(box);
	assert_int_equal(changes->expunged_count, 0);
	assert_int_equal(mailbox_count(box), 4);
	assert_int_equal(mailbox_at(box, 2)->uid, 3);
	set_flags(box, 1, STORE_ADD, MESSAGE_DRAFT, NULL);
	assert_int_equal(mailbox_at(box, 0)->flags, MESSAGE_DRAFT);
	mailbox_close(box);
}

/* --- other programs --- */

static void foreign_deliveries_get_uids_in_order_of_age(void **state)
{
	struct fixture *f = *state;
	struct mailbox *box = open_box(f, "INBOX", 0);
	struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	let_tick();
	write_file(f, "new/2.foreign", MESSAGE);
	write_file(f, "cur/1.foreign:2,RS", MESSAGE);
	assert_int_equal(utimensat(AT_FDCWD, at_root(f, "cur/1.foreign:2,RS"), old, 0), 0);
	(void)refresh(box);
	assert_string_equal(describe(box), "1[SA] 2[R]");
	assert_int_equal(mailbox_at(box, 0)->internaldate, 1000);
	assert_int_equal(mailbox_at(box, 0)->size, UINT64_MAX);
	uint64_t size = 0;
	assert_int_equal(mailbox_message_size(box, 1, &size), 0);
	assert_int_equal(size, strlen(MESSAGE) + 8);
	assert_int_equal(mailbox_at(box, 0)->size, size);
	mailbox_close(box);
	fixture_close(f);
	remove_path(at_root(f, "tambo-index"));
	fixture_open(f);
	box = open_box(f, "INBOX", 0);
	assert_string_equal(describe(box), "1[SA] 2[]");
	mailbox_close(box);
}

static void foreign_flags_and_removal_are_seen(void **state)
{
	struct fixture *f = *state;
	three_messages(f);
	struct mailbox *box = open_box(f, "INBOX", 0);
	char name[300], changed[600];
	(void)snprintf(name, sizeof(name), "cur/%s", find_file(f, "cur", ""));
	let_tick();
	/* Some message, whichever readdir names first. */
	size_t colon = (size_t)(strchr(name, ':') - name);
	(void)snprintf(changed, sizeof(changed), "%.*s:2,ST", (int)colon, name);
	assert_int_equal(rename(at_root(f, name), at_root(f, changed)), 0);
	const struct mailbox_changes *changes = refresh(box);
	assert_int_equal(changes->changed_count, 1);
	assert_int_equal(mailbox_at(box, changes->changed[0])->flags & ~(uint32_t)MESSAGE_FLAGGED,
		MESSAGE_SEEN | MESSAGE_DELETED);
	let_tick();
	assert_int_equal(unlink(at_root(f, changed)), 0);
	changes = refresh(box);
	assert_int_equal(changes->expunged_count, 1);
	assert_int_equal(mailbox_count(box), 2);
	mailbox_close(box);
}

static void moved_file_is_found_when_it_is_read(void **state)
{
	struct fixture *f = *state;
	(void)append_text(f, "INBOX", MESSAGE, 0, NULL);
	struct mailbox *box = open_box(f, "INBOX", 0);
	char name[300], changed[310], again[320];
	(void)snprintf(name, sizeof(name), "cur/%.250s", find_file(f, "cur", ""));
	(void)snprintf(changed, sizeof(changed), "%sF", name);
	assert_int_equal(rename(at_root(f, name), at_root(f, changed)), 0);
	struct buf out = BUF_INIT(10000);
	assert_int_equal(read_message(box, 1, &out), 0);
	buf_done(&out);
	(void)snprintf(again, sizeof(again), "%sS", changed);
	assert_int_equal(rename(at_root(f, changed), at_root(f, again)), 0);
	set_flags(box, 1, STORE_ADD, MESSAGE_ANSWERED, NULL);
	(void)refresh(box);
	assert_int_equal(count_files(f, "cur"), 1);
	assert_true(mailbox_at(box, 0)->flags & MESSAGE_ANSWERED);
	(void)snprintf(name, sizeof(name), "cur/%.250s", find_file(f, "cur", ""));
	assert_int_equal(unlink(at_root(f, name)), 0);
	assert_int_equal(read_message(box, 1, &out), -ENOENT);
	mailbox_close(box);
}

static void copied_file_gets_its_own_uid(void **state)
{
	struct fixture *f = *state;
	(void)append_text(f, "INBOX", MESSAGE, 0, NULL);
	assert_int_equal(store_create(f->store, SPAN("Other")), 0);
	struct mailbox *box = open_box(f, "INBOX", 0);
	struct mailbox *other = open_box(f, "Other", 0);
	char from[600], to[600];
	(void)snprintf(from, sizeof(from), "%s/cur/%s", f->root, find_file(f, "cur", ""));
	/* Into another folder with its name: UID and UIDVALIDITY in it mean nothing there. */
	(void)snprintf(to, sizeof(to), "%s/.Other/cur/%s", f->root, find_file(f, "cur", ""));
	let_tick();
	assert_int_equal(link(from, to), 0);
	/* In the same folder under another base but with the same UID. */
	(void)snprintf(to, sizeof(to), "%s/cur/9%s", f->root, find_file(f, "cur", ""));
	assert_int_equal(link(from, to), 0);
	(void)refresh(box);
	assert_string_equal(describe(box), "1[R] 2[]");
	(void)refresh(other);
	assert_string_equal(describe(other), "1[]");
	mailbox_close(box);
	mailbox_close(other);
}

static void expunged_file_that_comes_back_is_a_new_message(void **state)
{
	struct fixture *f = *state;
	three_messages(f);
	struct mailbox *box = open_box(f, "INBOX", 0);
	char file[300], kept[600], back[600];
	uint32_t uids[] = {1, 2, 3};
	(void)snprintf(file, sizeof(file), "%s", find_file(f, "cur", ""));
	(void)snprintf(back, sizeof(back), "%s/cur/%s", f->root, file);
	(void)snprintf(kept, sizeof(kept), "%s/kept", f->root);
	assert_int_equal(link(back, kept), 0);
	assert_int_equal(mailbox_expunge(box, uids, 3, false, NULL), 0);
	(void)refresh(box);
	let_tick();
	assert_int_equal(rename(kept, back), 0);
	(void)refresh(box);
	assert_int_equal(mailbox_count(box), 1);
	assert_int_equal(mailbox_at(box, 0)->uid, 4);
	mailbox_close(box);
}

static void what_is_no_message_is_left_alone(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(mkdir(at_root(f, "cur/directory"), 0700), 0);
	assert_int_equal(mkfifo(at_root(f, "cur/fifo:2,S"), 0600), 0);
	assert_int_equal(symlink("/etc/passwd", at_root(f, "cur/link:2,S")), 0);
	assert_int_equal(symlink("/etc", at_root(f, ".Link")), 0);
	write_file(f, "cur/.hidden", "x");
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_count(box), 0);
	mailbox_close(box);
	assert_int_equal(mailbox_open(f->store, SPAN("Link"), 0, &box), -ENOENT);
	assert_int_equal(access(at_root(f, "cur/fifo:2,S"), F_OK), 0);
}

static void very_long_foreign_name_is_shown(void **state)
{
	struct fixture *f = *state;
	char path[300] = "cur/";
	memset(path + 4, 'n', 245);
	(void)snprintf(path + 249, 10, ":2,S");
	write_file(f, path, MESSAGE);
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_string_equal(describe(box), "1[S]");
	mailbox_close(box);
	box = open_box(f, "INBOX", 0);
	assert_string_equal(describe(box), "1[S]");
	mailbox_close(box);
}

/* --- folders --- */

static void deleted_folder_is_stale_and_new_one_has_new_uidvalidity(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(store_create(f->store, SPAN("A")), 0);
	(void)append_text(f, "A", MESSAGE, 0, NULL);
	struct mailbox *box = open_box(f, "A", 0);
	uint32_t uidvalidity = mailbox_uidvalidity(box);
	assert_int_equal(store_delete(f->store, SPAN("A")), 0);
	const struct mailbox_changes *changes;
	assert_int_equal(mailbox_refresh(box, true, &changes), -ESTALE);
	mailbox_close(box);
	assert_int_equal(store_create(f->store, SPAN("A/")), 0);
	box = open_box(f, "A", 0);
	assert_true(mailbox_uidvalidity(box) > uidvalidity);
	assert_int_equal(mailbox_count(box), 0);
	mailbox_close(box);
	assert_int_equal(store_create(f->store, SPAN("a")), 0);
	assert_int_equal(store_create(f->store, SPAN("A")), -EEXIST);
	assert_int_equal(store_create(f->store, SPAN("INBOX")), -EEXIST);
	assert_int_equal(store_delete(f->store, SPAN("INBOX")), -EPERM);
	assert_int_equal(store_delete(f->store, SPAN("none")), -ENOENT);
}

static void renamed_folders_keep_uids_and_children(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(store_create(f->store, SPAN("A")), 0);
	assert_int_equal(store_create(f->store, SPAN("A/b/c")), 0);
	(void)append_text(f, "A", MESSAGE, 0, NULL);
	(void)append_text(f, "A", MESSAGE, MESSAGE_SEEN, NULL);
	struct mailbox *box = open_box(f, "A", MAILBOX_READ_ONLY);
	uint32_t uidvalidity = mailbox_uidvalidity(box);
	mailbox_close(box);
	assert_int_equal(store_rename(f->store, SPAN("A"), SPAN("A/x")), -EINVAL);
	assert_int_equal(store_rename(f->store, SPAN("A"), SPAN("B")), 0);
	assert_int_equal(store_exists(f->store, SPAN("A")), -ENOENT);
	assert_int_equal(store_exists(f->store, SPAN("B/b/c")), 0);
	box = open_box(f, "B", MAILBOX_READ_ONLY);
	assert_int_equal(mailbox_uidvalidity(box), uidvalidity);
	assert_string_equal(describe(box), "1[R] 2[SR]");
	mailbox_close(box);
	assert_int_equal(store_rename(f->store, SPAN("B"), SPAN("INBOX")), -EEXIST);
	assert_int_equal(store_rename(f->store, SPAN("none"), SPAN("C")), -ENOENT);
}

static void renamed_inbox_gives_its_messages(void **state)
{
	struct fixture *f = *state;
	three_messages(f);
	assert_int_equal(store_rename(f->store, SPAN("INBOX"), SPAN("Old")), 0);
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_count(box), 0);
	mailbox_close(box);
	box = open_box(f, "Old", MAILBOX_READ_ONLY);
	assert_string_equal(describe(box), "1[R] 2[FR] 3[R Work]");
	mailbox_close(box);
}

static void listing_tells_parents_children_subscriptions_uses(void **state)
{
	struct fixture *f = *state;
	struct arena arena;
	struct store_entry *entries;
	size_t count;
	char text[1000] = "";
	assert_int_equal(store_create(f->store, SPAN("Sent")), 0);
	assert_int_equal(store_create(f->store, SPAN("a/b/c")), 0);
	assert_int_equal(store_create(f->store, SPAN("a.b")), 0);
	assert_int_equal(store_subscribe(f->store, SPAN("a/b"), true), 0);
	assert_int_equal(store_subscribe(f->store, SPAN("gone"), true), 0);
	assert_int_equal(store_subscribe(f->store, SPAN("gone too"), true), 0);
	assert_int_equal(store_subscribe(f->store, SPAN("gone too"), false), 0);
	arena_init(&arena, 1000000);
	assert_int_equal(store_list(f->store, &arena, &entries, &count), 0);
	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(text);
		const char *use = store_use_name(entries[i].use);
		(void)snprintf(text + used, sizeof(text) - used, "%.*s:%s%s%s%s%s ",
			SPAN_ARGS(entries[i].name), (entries[i].flags & STORE_EXISTS) != 0 ? "e" : "",
			(entries[i].flags & STORE_HAS_CHILDREN) != 0 ? "c" : "",
			(entries[i].flags & STORE_SUBSCRIBED) != 0 ? "s" : "",
			(entries[i].flags & STORE_CHILD_SUBSCRIBED) != 0 ? "d" : "", use != NULL ? use : "");
	}
	assert_string_equal(text, "INBOX:e Sent:e\\Sent a:cd a/b:cs a/b/c:e a.b:e gone:s ");
	arena_done(&arena);
}

/* --- takeover --- */

static void make_maildir(struct fixture *f)
{
	static const char *const files[] = {"cur/1.M1P1.host,S=100:2,S", "cur/2.M2P2.host:2,Fa",
		"cur/3.M3P3.host:2,", "new/4.M4P4.host"};
	fixture_close(f);
	remove_path(at_root(f, "tambo-index"));
	for (size_t i = 0; i < 4; i++) {
		struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = (time_t)(1000 + i)}};
		write_file(f, files[i], MESSAGE);
		assert_int_equal(utimensat(AT_FDCWD, at_root(f, files[i]), times, 0), 0);
	}
}

static const char *uidl_of(struct mailbox *box, uint32_t uid)
{
	static char text[200];
	struct buf uidl = BUF_INIT(100);
	assert_int_equal(mailbox_message_uidl(box, uid, &uidl), 0);
	(void)snprintf(text, sizeof(text), "%s", buf_cstr(&uidl));
	buf_done(&uidl);
	return text;
}

static void dovecot_maildir_keeps_its_uids(void **state)
{
	struct fixture *f = *state;
	make_maildir(f);
	write_file(f, "dovecot-uidlist", "3 V1234567890 N50 G0123456789abcdef0123456789abcdef\n"
		"10 S100 W110 :1.M1P1.host,S=100:2,\n20 Pold-20 :2.M2P2.host\n30 :3.M3P3.host:2,S\n");
	write_file(f, "dovecot-keywords", "0 $Forwarded\n1 Work\n");
	write_file(f, "subscriptions", "V\t2\n\nWork\tsub\n");
	for (int round = 0; round < 2; round++) {
		fixture_open(f);
		struct mailbox *box = open_box(f, "INBOX", MAILBOX_POP3);
		assert_int_equal(mailbox_uidvalidity(box), 1234567890);
		assert_string_equal(describe(box), "10[S] 20[F $Forwarded] 30[] 50[R]");
		assert_string_equal(uidl_of(box, 20), "old-20");
		assert_string_equal(uidl_of(box, 10), "0000000a499602d2");
		mailbox_close(box);
		fixture_close(f);
		remove_path(at_root(f, "tambo-index"));
	}
	fixture_open(f);
	assert_true(append_text(f, "INBOX", MESSAGE, 0, NULL) > 50);
	struct arena arena;
	struct store_entry *entries;
	size_t count;
	arena_init(&arena, 100000);
	assert_int_equal(store_list(f->store, &arena, &entries, &count), 0);
	assert_int_equal(count, 3);
	assert_true(span_equal(entries[2].name, SPAN("Work/sub")));
	arena_done(&arena);
}

static void courier_maildir_keeps_its_uids(void **state)
{
	struct fixture *f = *state;
	make_maildir(f);
	write_file(f, "courierimapuiddb",
		"1 777 40\n7 1.M1P1.host,S=100\n8 2.M2P2.host\n9 3.M3P3.host\n");
	assert_int_equal(mkdir(at_root(f, "courierimapkeywords"), 0700), 0);
	write_file(f, "courierimapkeywords/:list", "Alpha\nBeta\n\n3.M3P3.host:0 1\n");
	write_file(f, "courierpop3dsizelist",
		"/3 6 999\n1.M1P1.host,S=100 100 5:999:0\n3.M3P3.host 100 0:999:0\n");
	write_file(f, "courierimapsubscribed", "INBOX.Sent\n");
	fixture_open(f);
	struct mailbox *box = open_box(f, "INBOX", MAILBOX_POP3);
	assert_int_equal(mailbox_uidvalidity(box), 777);
	/* The letter a of message 2 was Dovecot's way; with Courier's list it means keyword 0 as
	 * well. */
	assert_string_equal(describe(box), "7[S] 8[F Alpha] 9[ Alpha Beta] 40[R]");
	assert_string_equal(uidl_of(box, 7), "UID5-999");
	assert_string_equal(uidl_of(box, 9), "3.M3P3.host");
	mailbox_close(box);
	fixture_close(f);
	remove_path(at_root(f, "tambo-index"));
	fixture_open(f);
	box = open_box(f, "INBOX", MAILBOX_POP3);
	assert_string_equal(describe(box), "7[S] 8[F Alpha] 9[ Alpha Beta] 40[R]");
	mailbox_close(box);
	assert_int_equal(store_subscribe(f->store, SPAN("Drafts"), true), 0);
	char text[100] = "";
	FILE *file = fopen(at_root(f, "subscriptions"), "r");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(text, "V\t2\n\nSent\nDrafts\n");
}

static void maildir_can_be_handed_back(void **state)
{
	struct fixture *f = *state;
	make_maildir(f);
	write_file(f, "dovecot-uidlist",
		"3 V77 N50 Gx\n10 Pold-10 :1.M1P1.host,S=100:2,\n20 :2.M2P2.host\n");
	write_file(f, "dovecot-keywords", "0 $Forwarded\n");
	fixture_open(f);
	assert_int_equal(store_export_dovecot(f->store, SPAN("INBOX"), NULL), 0);
	fixture_close(f);
	/* Once more as if we had never been here: all that we know must come from Dovecot's files. */
	remove_path(at_root(f, "tambo-index"));
	remove_path(at_root(f, "tambo-mailbox"));
	remove_path(at_root(f, "tambo-uidl"));
	fixture_open(f);
	struct mailbox *box = open_box(f, "INBOX", MAILBOX_POP3);
	assert_int_equal(mailbox_uidvalidity(box), 77);
	assert_string_equal(describe(box), "10[S] 20[F $Forwarded] 50[] 51[R]");
	assert_string_equal(uidl_of(box, 10), "old-10");
	mailbox_close(box);
}

static void damaged_uidlist_is_survived(void **state)
{
	struct fixture *f = *state;
	make_maildir(f);
	write_file(f, "dovecot-uidlist",
		"3 V5 N2\n4294967294 :1.M1P1.host,S=100\n3 :2.M2P2.host\n3 :3.M3P3.host\n");
	fixture_open(f);
	struct mailbox *box = NULL;
	int error = mailbox_open(f->store, SPAN("INBOX"), 0, &box);
	/* Two messages cannot have one UID, and there is no room above the greatest: told, not
	 * guessed. */
	assert_int_equal(error, -EOVERFLOW);
	fixture_close(f);
	write_file(f, "dovecot-uidlist",
		"3 V5 N2\n9 :1.M1P1.host,S=100\n3 :2.M2P2.host\n3 :3.M3P3.host\n");
	fixture_open(f);
	box = open_box(f, "INBOX", 0);
	assert_int_equal(mailbox_count(box), 4);
	assert_int_equal(mailbox_at(box, 0)->uid, 3);
	assert_int_equal(mailbox_at(box, 1)->uid, 9);
	assert_int_equal(mailbox_at(box, 2)->uid, 10);
	mailbox_close(box);
}

static int try_append(struct fixture *f)
{
	struct append_options options = {.internaldate = INT64_MIN};
	struct append *append;
	struct append_result result;
	assert_int_equal(append_begin(f->store, SPAN("INBOX"), &options, &append), 0);
	assert_int_equal(append_write(append, SPAN(MESSAGE)), 0);
	return append_commit(append, &result);
}

/* What was read before is not what stands there now. */
static void unreadable_record_is_asked_for_again(void **state)
{
	struct fixture *f = *state;
	three_messages(f);
	assert_int_equal(truncate(at_root(f, "tambo-mailbox"), 1 << 20), 0);
	for (int attempt = 0; attempt < 3; attempt++)
		assert_int_equal(try_append(f), -EFBIG);
	remove_path(at_root(f, "tambo-mailbox"));
	assert_int_equal(try_append(f), 0);
}

/* UIDs that cannot be read now may be read later: they are not given anew. */
static void unreadable_uidlist_is_no_missing_one(void **state)
{
	static const char *const names[] = {"dovecot-uidlist", "dovecot-keywords"};
	struct fixture *f = *state;
	for (size_t i = 0; i < 2; i++) {
		struct mailbox *box = NULL;
		make_maildir(f);
		assert_int_equal(mkdir(at_root(f, names[i]), 0700), 0);
		fixture_open(f);
		assert_int_equal(mailbox_open(f->store, SPAN("INBOX"), 0, &box), -EISDIR);
		remove_path(at_root(f, names[i]));
		write_file(f, "dovecot-uidlist", "3 V5 N20\n9 :1.M1P1.host,S=100\n");
		box = open_box(f, "INBOX", 0);
		assert_int_equal(mailbox_uidvalidity(box), 5);
		assert_int_equal(mailbox_at(box, 0)->uid, 9);
		mailbox_close(box);
		fixture_close(f);
		remove_path(f->root);
		assert_int_equal(mkdir(f->root, 0700), 0);
		fixture_open(f);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uids_survive_losses), CASE(expunged_uid_is_not_used_again),
		CASE(torn_or_foreign_files_are_not_believed), CASE(truncated_index_is_built_anew),
		CASE(index_removed_under_an_open_view), CASE(foreign_deliveries_get_uids_in_order_of_age),
		CASE(foreign_flags_and_removal_are_seen), CASE(moved_file_is_found_when_it_is_read),
		CASE(copied_file_gets_its_own_uid), CASE(expunged_file_that_comes_back_is_a_new_message),
		CASE(what_is_no_message_is_left_alone), CASE(very_long_foreign_name_is_shown),
		CASE(deleted_folder_is_stale_and_new_one_has_new_uidvalidity),
		CASE(renamed_folders_keep_uids_and_children), CASE(renamed_inbox_gives_its_messages),
		CASE(listing_tells_parents_children_subscriptions_uses),
		CASE(dovecot_maildir_keeps_its_uids), CASE(courier_maildir_keeps_its_uids),
		CASE(maildir_can_be_handed_back), CASE(damaged_uidlist_is_survived),
		CASE(unreadable_record_is_asked_for_again),
		CASE(unreadable_uidlist_is_no_missing_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
