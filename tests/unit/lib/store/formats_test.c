/* The pure parts of the store: file names, mailbox names, line ends, small files.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "store/cache_private.h"
#include "store/content.h"
#include "store/filename.h"
#include "store/keyword_log_private.h"
#include "store/mailbox.h"
#include "store/name_private.h"
#include "store/record_private.h"
#include "store/subscription_private.h"
#include "store/uidl_private.h"
#include "store/uidlist_private.h"
#include "sys/guard.h"

static const struct {
	const char *name, *text;
	bool good;
	const char *unique, *again; /* again: as filename_format writes it; NULL: the same */
	uint64_t size, crlf_size;
	uint32_t uidvalidity, uid, flags, keywords;
} names[] = {
	{"plain, in new/", "1.M2P3.host", true, "1.M2P3.host", NULL, FILENAME_UNKNOWN,
		FILENAME_UNKNOWN, 0, 0, 0, 0},
	{"all of ours", "1.M2.host,S=10,W=12,T=99.7:2,FSab", true, "1.M2.host", NULL, 10, 12, 99, 7,
		MESSAGE_FLAGGED | MESSAGE_SEEN, 3},
	{"no flags", "1.M2.host,S=10:2,", true, "1.M2.host", NULL, 10, FILENAME_UNKNOWN, 0, 0, 0, 0},
	{"unsorted flags", "x:2,TSD", true, "x", "x:2,DST", FILENAME_UNKNOWN, FILENAME_UNKNOWN, 0, 0,
		MESSAGE_DELETED | MESSAGE_SEEN | MESSAGE_DRAFT, 0},
	{"P stays, keywords behind it count", "x:2,FPSa", true, "x", "x:2,FSPa", FILENAME_UNKNOWN,
		FILENAME_UNKNOWN, 0, 0, MESSAGE_FLAGGED | MESSAGE_SEEN, 1},
	{"what stands behind a comma stays", "x:2,S,Sfoo", true, "x", NULL, FILENAME_UNKNOWN,
		FILENAME_UNKNOWN, 0, 0, MESSAGE_SEEN, 0},
	{"another program's field in front", "x,U=5,S=3:2,", true, "x,U=5", NULL, 3, FILENAME_UNKNOWN,
		0, 0, 0, 0},
	{"another program's field behind", "x,S=3,Q=1:2,", true, "x", NULL, 3, FILENAME_UNKNOWN, 0, 0,
		0, 0},
	{"UID zero is none", "x,T=9.0:2,", true, "x,T=9.0", NULL, FILENAME_UNKNOWN, FILENAME_UNKNOWN, 0,
		0, 0, 0},
	{"UID too large", "x,T=9.4294967296:2,", true, "x,T=9.4294967296", NULL, FILENAME_UNKNOWN,
		FILENAME_UNKNOWN, 0, 0, 0, 0},
	{"leading zeros are another's", "x,T=09.1:2,", true, "x,T=09.1", NULL, FILENAME_UNKNOWN,
		FILENAME_UNKNOWN, 0, 0, 0, 0},
	{"size is no number", "x,S=abc:2,", true, "x,S=abc", NULL, FILENAME_UNKNOWN, FILENAME_UNKNOWN,
		0, 0, 0, 0},
	{"other info version", "x:1,Q", true, "x", "x", FILENAME_UNKNOWN, FILENAME_UNKNOWN, 0, 0, 0, 0},
	{"hidden", ".x", false, NULL, NULL, 0, 0, 0, 0, 0, 0},
	{"empty", "", false, NULL, NULL, 0, 0, 0, 0, 0, 0},
	{"only info", ":2,S", false, NULL, NULL, 0, 0, 0, 0, 0, 0},
	{"slash", "a/b", false, NULL, NULL, 0, 0, 0, 0, 0, 0},
};

static void file_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct filename f;
		struct buf out = BUF_INIT(300);
		bool good = filename_parse(span_from_cstr(names[i].text), &f);
		if (good != names[i].good)
			fail_msg("%s", names[i].name);
		if (!good)
			continue;
		filename_format(&f, f.has_info, &out);
		const char *expected = names[i].again == NULL ? names[i].text : names[i].again;
		if (!span_equal(f.unique, span_from_cstr(names[i].unique))
			|| strcmp(buf_cstr(&out), expected) != 0 || f.size != names[i].size
			|| f.crlf_size != names[i].crlf_size || f.flags != names[i].flags
			|| f.keywords != names[i].keywords || (f.has_uid ? f.uid : 0) != names[i].uid
			|| (f.has_uid ? f.uidvalidity : 0) != names[i].uidvalidity)
			fail_msg("%s: %s", names[i].name, buf_cstr(&out));
		buf_done(&out);
	}
}

static void delivery_names(void **state)
{
	struct buf one = BUF_INIT(200), two = BUF_INIT(200);
	(void)state;
	filename_delivery_base(SPAN("4bX/..:2"), 3, 1700000000123, SPAN("a/b:c,d"), &one);
	filename_delivery_base(SPAN("4bX/..:2"), 3, 1700000000123, SPAN("a/b:c,d"), &two);
	assert_string_equal(buf_cstr(&one), buf_cstr(&two));
	assert_string_equal(buf_cstr(&one), "1700000000.Q4bX2R3.a_b_c_d");
	buf_done(&one);
	buf_done(&two);
}

static const struct {
	const char *what, *name, *folder; /* folder NULL: refused */
	const char *back;                 /* NULL: the same name */
} mailboxes[] = {
	{"inbox in any case", "iNbOx", "", "INBOX"},
	{"one level", "Sent", ".Sent", NULL},
	{"two levels", "Archive/2026", ".Archive.2026", NULL},
	{"below inbox", "inbox/x", ".INBOX.x", "INBOX/x"},
	{"a dot in a name", "example.com/x", ".example&AC4-com.x", NULL},
	{"one dot", ".", NULL, NULL},
	{"two dots", "..", NULL, NULL},
	{"two dots in the middle", "a/../b", NULL, NULL},
	{"three dots", "...", ".&AC4-&AC4-&AC4-", NULL},
	{"space", "Sent Items", ".Sent Items", NULL},
	{"an umlaut", "Entw&APw-rfe", ".Entw&APw-rfe", NULL},
	{"umlaut before a dot", "&APw-.", ".&APw-&AC4-", NULL},
	{"an ampersand", "a&-b", ".a&-b", NULL},
	{"beyond the first plane", "&2D3eAA-", ".&2D3eAA-", NULL},
	{"trailing separator", "a/", NULL, NULL},
	{"leading separator", "/a", NULL, NULL},
	{"doubled separator", "a//b", NULL, NULL},
	{"empty", "", NULL, NULL},
	{"slash in disguise", "&AC8-", NULL, NULL},
	{"dots in disguise", "&AC4ALg-", NULL, NULL},
	{"letter in disguise", "&AGE-", NULL, NULL},
	{"unfinished shift", "&APw", NULL, NULL},
	{"lone surrogate", "&2D0-", NULL, NULL},
	{"two runs that should be one", "&APw-&APw-", NULL, NULL},
	{"NUL in disguise", "&AAA-", NULL, NULL},
	{"control character in disguise", "&AAc-", NULL, NULL},
	{"C1 control character", "&AIU-", NULL, NULL},
	{"line separator", "&ICg-", NULL, NULL},
	{"noncharacter", "&,,8-", NULL, NULL},
	{"line end", "a\nb", NULL, NULL},
	{"eight bits", "\xc3\xbc", NULL, NULL},
	{"delete", "a\x7f", NULL, NULL},
};

static void mailbox_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mailboxes); i++) {
		struct buf folder = BUF_INIT(300), back = BUF_INIT(300);
		bool good = name_to_folder(span_from_cstr(mailboxes[i].name), &folder);
		if (good != (mailboxes[i].folder != NULL))
			fail_msg("%s", mailboxes[i].what);
		if (good) {
			assert_string_equal(buf_cstr(&folder), mailboxes[i].folder);
			if (!name_from_folder(buf_span(&folder), &back)
				|| strcmp(buf_cstr(&back), mailboxes[i].back != NULL ? mailboxes[i].back
					: mailboxes[i].name) != 0)
				fail_msg("%s comes back as %s", mailboxes[i].what, buf_cstr(&back));
		}
		buf_done(&folder);
		buf_done(&back);
	}
}

static void name_limits(void **state)
{
	char name[300];
	struct buf folder = BUF_INIT(300);
	(void)state;
	memset(name, 'a', sizeof(name));
	assert_true(name_to_folder(span_new(name, STORE_NAME_MAX - 1), &folder));
	assert_false(name_to_folder(span_new(name, STORE_NAME_MAX), &folder));
	for (size_t i = 0; i < 100; i++)
		memcpy(name + 2 * i, "a/", 2);
	buf_reset(&folder);
	assert_true(name_to_folder(span_new(name, 2 * STORE_DEPTH_MAX - 1), &folder));
	assert_false(name_to_folder(span_new(name, 2 * STORE_DEPTH_MAX + 1), &folder));
	buf_done(&folder);
	struct buf back = BUF_INIT(300);
	assert_false(name_from_folder(SPAN("."), &back));
	assert_false(name_from_folder(SPAN(".."), &back));
	assert_false(name_from_folder(SPAN(".a..b"), &back));
	assert_false(name_from_folder(SPAN(".inbox"), &back));
	assert_false(name_from_folder(SPAN("tambo-index"), &back));
	buf_done(&back);
}

static const struct {
	const char *name, *text, *crlf, *lf;
} contents[] = {
	{"LF", "a\nb\n", "a\r\nb\r\n", "a\nb\n"},
	{"CRLF", "a\r\nb\r\n", "a\r\nb\r\n", "a\nb\n"},
	{"mixed", "a\nb\r\nc", "a\r\nb\r\nc", "a\nb\nc"},
	{"bare CR stays", "a\rb\r\r\n\r", "a\rb\r\r\n\r", "a\rb\r\n\r"},
	{"empty", "", "", ""},
	{"only line ends", "\n\n", "\r\n\r\n", "\n\n"},
};

static void line_ends_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
		struct span text = span_from_cstr(contents[i].text);
		for (size_t step = 1; step <= 5; step++) {
			struct content_state a = {0}, b = {0}, c = {0};
			struct buf crlf = BUF_INIT(100), lf = BUF_INIT(100);
			uint64_t length = 0;
			for (size_t at = 0; at < text.len; at += step) {
				struct span piece = span_part(text, at, step);
				content_to_crlf(&a, piece, &crlf);
				content_to_lf(&b, piece, &lf);
				length += content_crlf_length(&c, piece);
			}
			content_to_lf_end(&b, &lf);
			if (strcmp(buf_cstr(&crlf), contents[i].crlf) != 0
				|| strcmp(buf_cstr(&lf), contents[i].lf) != 0 || length != crlf.len)
				fail_msg("%s in pieces of %zu", contents[i].name, step);
			buf_done(&crlf);
			buf_done(&lf);
		}
	}
}

static void record_survives_only_whole(void **state)
{
	struct record record, again;
	struct buf text = BUF_INIT(10000);
	(void)state;
	record_init(&record);
	record_init(&again);
	record.uidvalidity = 7;
	record.uidnext_mark = 300;
	record.modseq_mark = 1ULL << 50;
	assert_int_equal(record_keyword_add(&record, SPAN("$Forwarded")), 0);
	assert_true(record_keyword_put(&record, 30, SPAN("Work")));
	assert_int_equal(record_keyword_add(&record, SPAN("next")), 1);
	assert_int_equal(record_keyword_add(&record, SPAN("WORK")), SIZE_MAX);
	assert_int_equal(record_keyword_add(&record, SPAN("a b")), SIZE_MAX);
	assert_int_equal(record_keyword_add(&record, SPAN("a)")), SIZE_MAX);
	record_format(&record, &text);
	assert_true(record_parse(buf_span(&text), &again));
	assert_int_equal(again.uidnext_mark, 300);
	assert_int_equal(again.modseq_mark, 1ULL << 50);
	assert_int_equal(record_keyword_find(&again, SPAN("work")), 30);
	for (size_t len = 0; len < text.len; len++)
		if (record_parse(span_head(buf_span(&text), len), &again))
			fail_msg("cut at %zu", len);
	for (size_t at = 0; at < text.len; at++) {
		text.ptr[at] ^= 1;
		if (record_parse(buf_span(&text), &again))
			fail_msg("changed at %zu", at);
		text.ptr[at] ^= 1;
	}
	record_done(&record);
	record_done(&again);
	buf_done(&text);
}

struct entries {
	char text[1000];
};

static void note(const struct uidlist_entry *entry, void *arg)
{
	struct entries *entries = arg;
	size_t used = strlen(entries->text);
	(void)snprintf(entries->text + used, sizeof(entries->text) - used, "%u=%.*s(%.*s) ", entry->uid,
		SPAN_ARGS(entry->name), SPAN_ARGS(entry->uidl));
}

static void note_keyword(size_t number, struct span name, void *arg)
{
	struct entries *entries = arg;
	size_t used = strlen(entries->text);
	(void)snprintf(entries->text + used, sizeof(entries->text) - used, "%zu:%.*s ", number,
		SPAN_ARGS(name));
}

static void note_message(struct span name, uint32_t keywords, void *arg)
{
	struct entries *entries = arg;
	size_t used = strlen(entries->text);
	(void)snprintf(entries->text + used, sizeof(entries->text) - used, "%.*s=%x ", SPAN_ARGS(name),
		keywords);
}

static const struct {
	const char *name, *text;
	bool good;
	uint32_t uidvalidity, uidnext;
	const char *entries;
} uidlists[] = {
	{"version 3", "3 V100 N9 Gabc\n3 S5 W6 :one\n5 Pold-id Gx :two:2,S\n", true, 100, 9,
		"3=one() 5=two:2,S(old-id) "},
	{"version 1", "1 100 9\n3 one\n5 two two\n", true, 100, 9, "3=one() 5=two two() "},
	{"UIDNEXT too low", "3 V1 N2\n7 :x\n", true, 1, 8, "7=x() "},
	{"bad lines are passed over", "3 V1 N2\nx\n0 :a\n4294967295 :b\n1 S3\n1 :\n1 :ok\n", true, 1, 2,
		"1=ok() "},
	{"CRLF", "3 V1 N2\r\n1 :ok\r\n", true, 1, 2, "1=ok() "},
	{"no UIDVALIDITY", "3 N2\n", false, 0, 0, ""},
	{"UIDVALIDITY zero", "3 V0 N2\n", false, 0, 0, ""},
	{"number too large", "1 4294967296 2\n", false, 0, 0, ""},
	{"other version", "2 1 1\n", false, 0, 0, ""},
	{"empty", "", false, 0, 0, ""},
};

static void uid_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(uidlists); i++) {
		struct uidlist_head head = {0};
		struct entries entries = {""};
		bool good = uidlist_parse(span_from_cstr(uidlists[i].text), note, &entries, &head);
		if (good != uidlists[i].good || head.uidvalidity != uidlists[i].uidvalidity
			|| head.uidnext != uidlists[i].uidnext
			|| strcmp(entries.text, uidlists[i].entries) != 0)
			fail_msg("%s: %s", uidlists[i].name, entries.text);
	}
}

static void courier_files(void **state)
{
	struct entries entries = {""};
	(void)state;
	assert_true(uidlist_parse_courier_pop3(
		SPAN("/3 5 77\na b 10 4:77:0\nc+d 11 0:77:1\nbad\n"), note, &entries));
	assert_string_equal(entries.text, "0=a b(UID4-77) 0=c+d(c+2Bd) ");
	entries.text[0] = '\0';
	uidlist_parse_courier_keywords(SPAN("Work\n$Label\n\none:0 1\ntwo:1\nthree:99\n"), note_keyword,
		note_message, &entries);
	assert_string_equal(entries.text, "0:Work 1:$Label one=3 two=2 ");
	entries.text[0] = '\0';
	uidlist_parse_keywords(SPAN("0 a\n3 b c\nx y\n"), note_keyword, &entries);
	assert_string_equal(entries.text, "0:a 3:b c ");
}

static void keyword_log(void **state)
{
	struct keyword_log log;
	struct record record;
	uint16_t numbers[STORE_KEYWORDS_MAX];
	(void)state;
	record_init(&record);
	assert_true(record_keyword_put(&record, 26, SPAN("a")));
	assert_true(record_keyword_put(&record, 27, SPAN("b")));
	assert_true(record_keyword_put(&record, 3, SPAN("letter")));
	keyword_log_init(&log);
	buf_append_cstr(&log.text, "1 a\n2 b a letter unknown a\n1 b\nx\n3 a\n3\n4 a b");
	keyword_log_parse(&log);
	assert_int_equal(keyword_log_get(&log, &record, 1, numbers), 1);
	assert_int_equal(numbers[0], 27);
	assert_int_equal(keyword_log_get(&log, &record, 2, numbers), 2);
	assert_int_equal(keyword_log_get(&log, &record, 3, numbers), 0);
	/* The torn last line was never answered. */
	assert_int_equal(keyword_log_get(&log, &record, 4, numbers), 0);
	keyword_log_done(&log);
	record_done(&record);
}

static const struct {
	const char *name, *text, *names;
	bool courier;
} subscription_files[] = {
	{"version 2", "V\t2\n\nINBOX\nArchive\t2026\na.b\n", "INBOX Archive/2026 a.b ", false},
	{"version 1 with dots", "INBOX\nArchive.2026\n", "INBOX Archive/2026 ", false},
	{"version 1 with slashes", "Archive/20.26\n", "Archive/20.26 ", false},
	{"bad and double names", "V\t2\n\na\na\n\t\n\xff\n", "a ", false},
	{"Courier", "INBOX.Sent\nINBOX.a.b\nINBOX\n", "Sent a/b INBOX ", true},
};

static void subscription_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(subscription_files); i++) {
		struct arena arena;
		struct subscriptions s;
		struct buf text = BUF_INIT(1000);
		struct span content = span_from_cstr(subscription_files[i].text);
		arena_init(&arena, 100000);
		assert_int_equal(subscription_files[i].courier
			? subscriptions_parse_courier(content, &arena, &s)
			: subscriptions_parse(content, &arena, &s), 0);
		for (size_t k = 0; k < s.count; k++) {
			buf_append(&text, s.names[k]);
			buf_append_char(&text, ' ');
		}
		if (strcmp(buf_cstr(&text), subscription_files[i].names) != 0)
			fail_msg("%s: %s", subscription_files[i].name, buf_cstr(&text));
		buf_done(&text);
		arena_done(&arena);
	}
}

static void uidl_file(void **state)
{
	struct table uidls;
	struct buf text = BUF_INIT(1000);
	uint32_t uid = 5;
	(void)state;
	table_init(&uidls);
	uidl_format(5, SPAN("UID5-77"), &text);
	uidl_format(6, SPAN("with space"), &text);
	uidl_format(7, SPAN(""), &text);
	uidl_parse(buf_span(&text), &uidls);
	assert_int_equal(uidls.count, 1);
	assert_string_equal((char *)table_get(&uidls, span_new(&uid, sizeof(uid))), "UID5-77");
	table_done(&uidls, free);
	buf_done(&text);
}

/* Bytes that are asked for where the file no longer has any. */
static void a_file_that_becomes_shorter(void **state)
{
	static const char text[] = "Subject: x\n\n";
	struct buf value = BUF_INIT(CACHE_SIZE_MAX + 1024);
	struct span piece;
	(void)state;
	guard_install(NULL);
	int fd = memfd_create("message", MFD_CLOEXEC);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_true(cache_build_file(fd, 1 << 20, &value));
	assert_true(cache_get(buf_span(&value), CACHE_ENVELOPE, &piece));
	buf_reset(&value);
	assert_false(cache_build_file(fd, 2 << 20, &value));
	assert_int_equal(value.len, 0);
	buf_done(&value);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_names), cmocka_unit_test(delivery_names),
		cmocka_unit_test(mailbox_names), cmocka_unit_test(name_limits),
		cmocka_unit_test(line_ends_in_any_pieces), cmocka_unit_test(record_survives_only_whole),
		cmocka_unit_test(uid_lists), cmocka_unit_test(courier_files),
		cmocka_unit_test(keyword_log), cmocka_unit_test(subscription_lists),
		cmocka_unit_test(uidl_file),
		cmocka_unit_test(a_file_that_becomes_shorter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
