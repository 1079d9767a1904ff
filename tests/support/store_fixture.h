/* A Maildir in a temporary folder, for the tests of the store.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TESTS_STORE_FIXTURE_H
#define TAMBO_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/append.h"
#include "store/content.h"
#include "store/folder_private.h"
#include "store/mailbox.h"

struct fixture {
	char root[64];
	struct store *store;
};

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void remove_path(const char *path)
{
	(void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_open(struct fixture *f)
{
	assert_int_equal(store_open(f->root, STORE_CREATE, &f->store), 0);
}

static inline void fixture_close(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	(void)snprintf(f->root, sizeof(f->root), "/tmp/tambo-store-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	fixture_open(f);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	fixture_close(f);
	remove_path(f->root);
	free(f);
	return 0;
}

static inline void fixture_reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

/* Path below the root, in a static buffer. */
static inline const char *at_root(struct fixture *f, const char *path)
{
	static char full[4][1024];
	static unsigned turn;
	char *out = full[turn++ % 4];
	(void)snprintf(out, sizeof full[0], "%s/%s", f->root, path);
	return out;
}

static inline void write_file(struct fixture *f, const char *path, const char *content)
{
	FILE *file = fopen(at_root(f, path), "w");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Another program's change must not hide in the same tick of the clock as the scan before it. */
static inline void let_tick(void)
{
	struct timespec pause = {.tv_nsec = 8000000};
	(void)nanosleep(&pause, NULL);
}

#define MESSAGE \
	"From: a@example.test\nTo: b@example.test\nSubject: hello\n" \
	"Date: Mon, 2 Nov 2026 10:00:00 +0000\n" \
	"Message-ID: <1@example.test>\n\nfirst line\nsecond line\n"

static inline uint32_t append_text(struct fixture *f, const char *mailbox, const char *text,
	uint32_t flags, const char *keyword)
{
	struct span keywords[1] = {span_from_cstr(keyword)};
	struct append_options options = {.flags = flags, .keywords = keywords,
		.keyword_count = keyword != NULL, .internaldate = 1000000000};
	struct append *append;
	struct append_result result;
	assert_int_equal(append_begin(f->store, span_from_cstr(mailbox), &options, &append), 0);
	assert_int_equal(append_write(append, span_from_cstr(text)), 0);
	assert_int_equal(append_commit(append, &result), 0);
	return result.uid;
}

static inline struct append_result deliver_begun(
	struct fixture *f, const char *base, const char *text, int64_t first_ms)
{
	struct append_options options = {.internaldate = INT64_MIN, .base = span_from_cstr(base),
		.is_delivery = true, .first_ms = first_ms, .durability = APPEND_CHECKPOINT};
	struct append *append;
	struct append_result result;
	assert_int_equal(append_begin(f->store, SPAN("INBOX"), &options, &append), 0);
	assert_int_equal(append_write(append, span_from_cstr(text)), 0);
	assert_int_equal(append_commit(append, &result), 0);
	return result;
}

static inline int64_t now_ms(void)
{
	struct timespec now;
	assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The first attempt to deliver that. */
static inline struct append_result deliver_first(
	struct fixture *f, const char *base, const char *text)
{
	return deliver_begun(f, base, text, now_ms());
}

/* One that may have been made before. */
static inline struct append_result deliver_text(
	struct fixture *f, const char *base, const char *text)
{
	return deliver_begun(f, base, text, 0);
}

/* Deliveries that are told apart by a number. */
static inline struct append_result deliver_number(struct fixture *f, unsigned number)
{
	char base[64];
	(void)snprintf(base, sizeof(base), "1.Q%uR0.host", number);
	return deliver_first(f, base, MESSAGE);
}

static inline struct append_result repeat_number(struct fixture *f, unsigned number)
{
	char base[64];
	(void)snprintf(base, sizeof(base), "1.Q%uR0.host", number);
	return deliver_text(f, base, MESSAGE);
}

static inline struct mailbox *open_box(struct fixture *f, const char *name, unsigned flags)
{
	struct mailbox *mailbox = NULL;
	assert_int_equal(mailbox_open(f->store, span_from_cstr(name), flags, &mailbox), 0);
	return mailbox;
}

static inline const struct mailbox_changes *refresh(struct mailbox *mailbox)
{
	const struct mailbox_changes *changes = NULL;
	assert_int_equal(mailbox_refresh(mailbox, true, &changes), 0);
	return changes;
}

/* "uid[flags] uid[flags]..." with keyword names. */
static inline const char *describe(const struct mailbox *mailbox)
{
	static char text[8192];
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < mailbox_count(mailbox); i++) {
		const struct message *message = mailbox_at(mailbox, i);
		char flags[8] = "";
		size_t n = 0;
		for (unsigned bit = 0; bit < 6; bit++)
			if ((message->flags & (1U << bit)) != 0)
				flags[n++] = "SAFTDR"[bit];
		flags[n] = '\0';
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u[%s", i > 0 ? " " : "",
			message->uid, flags);
		for (uint16_t k = 0; k < message->keyword_count; k++) {
			struct span name = mailbox_keyword(mailbox, message->keywords[k]);
			used += (size_t)snprintf(text + used, sizeof(text) - used, " %.*s", SPAN_ARGS(name));
		}
		used += (size_t)snprintf(text + used, sizeof(text) - used, "]");
	}
	return text;
}

static inline void set_flags(struct mailbox *mailbox, uint32_t uid, enum store_operation operation,
	uint32_t flags, const char *keyword)
{
	struct span keywords[1] = {span_from_cstr(keyword)};
	struct store_request request = {.uids = &uid, .uid_count = 1, .operation = operation,
		.flags = flags, .keywords = keywords, .keyword_count = keyword != NULL};
	assert_int_equal(mailbox_store(mailbox, &request, NULL), 0);
}

/* Appends the message as a client gets it: with CRLF. -EFBIG where it does not fit. */
static inline int read_message(struct mailbox *mailbox, uint32_t uid, struct buf *out)
{
	char piece[4096];
	ssize_t n;
	struct content_state state = {0};
	int fd = mailbox_message_open(mailbox, uid, NULL);
	if (fd < 0)
		return fd;
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		content_to_crlf(&state, span_new(piece, (size_t)n), out);
	(void)close(fd);
	return n < 0 ? -EIO : out->overflow ? -EFBIG : 0;
}

/* What the index says. */
static inline struct index_folder row_of_inbox(struct fixture *f)
{
	struct index_txn txn;
	struct index_folder row;
	assert_int_equal(index_begin(f->store->index, false, &txn), 0);
	assert_true(index_get_folder(&txn, SPAN_EMPTY, &row));
	index_abort(&txn);
	return row;
}

static inline bool has_cache(struct fixture *f, uint32_t id, uint32_t uid)
{
	struct index_txn txn;
	struct span value;
	assert_int_equal(index_begin(f->store->index, false, &txn), 0);
	bool there = index_get_cache(&txn, id, uid, &value) && value.len > 0;
	index_abort(&txn);
	return there;
}

/* INBOX has these messages, and their files can be read. */
static inline void assert_uids(struct fixture *f, size_t count, const uint32_t *uids)
{
	struct mailbox *box = open_box(f, "INBOX", 0);
	struct buf out = BUF_INIT(10000);
	assert_int_equal(mailbox_count(box), count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(mailbox_at(box, i)->uid, uids[i]);
		buf_reset(&out);
		assert_int_equal(read_message(box, uids[i], &out), 0);
	}
	buf_done(&out);
	mailbox_close(box);
}

static inline ino_t data_file(struct fixture *f)
{
	struct stat st;
	assert_int_equal(stat(at_root(f, "tambo-index/data.mdb"), &st), 0);
	return st.st_ino;
}

/* The only file in sub whose name begins with prefix; its name in a static buffer. */
static inline const char *find_file(struct fixture *f, const char *sub, const char *prefix)
{
	static char name[300];
	DIR *dir = opendir(at_root(f, sub));
	struct dirent *entry;
	name[0] = '\0';
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			(void)snprintf(name, sizeof(name), "%s", entry->d_name);
	(void)closedir(dir);
	return name;
}

static inline size_t count_files(struct fixture *f, const char *sub)
{
	size_t count = 0;
	DIR *dir = opendir(at_root(f, sub));
	struct dirent *entry;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	(void)closedir(dir);
	return count;
}

#endif
