/* The file of a delivery has no name until it gets its own; where that cannot be, it has one in
 * tmp/ first. Each case is a process of its own, as what can be done is remembered.
 * SPDX-License-Identifier: ISC */
#include "store_fixture.h"

#include <sys/syscall.h>
#include <sys/wait.h>

/* Errors of what only a nameless file needs, and how often it went well. */
static int open_error, link_error, named_error;
static unsigned opened, linked;

static int refuse(int error)
{
	errno = error;
	return -1;
}

/* In the place of the C library's. */
int openat(int dir, const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	bool nameless = (flags & O_TMPFILE) == O_TMPFILE;
	mode_t mode = (flags & O_CREAT) != 0 || nameless ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (nameless && open_error != 0)
		return refuse(open_error);
	int fd = (int)syscall(SYS_openat, dir, path, flags, mode);
	opened += nameless && fd >= 0;
	return fd;
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	bool nameless = (flags & AT_EMPTY_PATH) != 0;
	if (nameless && link_error != 0)
		return refuse(link_error);
	if (nameless && named_error != 0 && strncmp(to, "new/", 4) == 0)
		return refuse(named_error);
	int done = (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
	linked += nameless && done == 0;
	return done;
}

static int deliver_with(struct fixture *f, unsigned number, int64_t first_ms,
	enum append_durability durability)
{
	char base[64];
	(void)snprintf(base, sizeof(base), "1.Q%uR0.host", number);
	struct append_options options = {.internaldate = INT64_MIN, .base = span_from_cstr(base),
		.is_delivery = true, .first_ms = first_ms, .durability = durability};
	struct append *append;
	struct append_result result;
	int error = append_begin(f->store, SPAN("INBOX"), &options, &append);
	if (error != 0)
		return error;
	assert_int_equal(append_write(append, span_from_cstr(MESSAGE)), 0);
	return append_commit(append, &result);
}

static int deliver(struct fixture *f, unsigned number)
{
	return deliver_with(f, number, now_ms(), APPEND_CHECKPOINT);
}

static void check_messages(struct fixture *f, size_t count)
{
	struct mailbox *box = open_box(f, "INBOX", 0);
	struct buf out = BUF_INIT(10000);
	assert_int_equal(mailbox_count(box), count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(mailbox_at(box, i)->uid, i + 1);
		buf_reset(&out);
		assert_int_equal(read_message(box, (uint32_t)i + 1, &out), 0);
	}
	buf_done(&out);
	mailbox_close(box);
	assert_int_equal(count_files(f, "new") + count_files(f, "cur"), count);
	assert_int_equal(count_files(f, "tmp"), 0);
}

static void three_deliveries(struct fixture *f)
{
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(deliver(f, i), 0);
	check_messages(f, 3);
}

/* Not before Linux 6.10, without rights. */
static bool can_be(struct fixture *f)
{
	int fd = openat(AT_FDCWD, f->root, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	bool can = fd >= 0
		&& linkat(fd, "", AT_FDCWD, at_root(f, "probe"), AT_EMPTY_PATH) == 0
		&& unlink(at_root(f, "probe")) == 0;
	if (fd >= 0)
		(void)close(fd);
	opened = linked = 0;
	return can;
}

static void one_link_gives_the_name(struct fixture *f)
{
	bool can = can_be(f);
	three_deliveries(f);
	assert_int_equal(opened, can ? 3 : opened);
	assert_int_equal(linked, can ? 3 : 0);
}

static void a_kernel_that_links_no_nameless_file(struct fixture *f)
{
	link_error = ENOENT;
	three_deliveries(f);
	assert_int_equal(opened, 1); /* it is not tried again */
}

static void a_file_system_without_nameless_files(struct fixture *f)
{
	open_error = EOPNOTSUPP;
	three_deliveries(f);
	assert_int_equal(linked, 0);
}

static void a_descriptor_that_is_not_to_be_had_once(struct fixture *f)
{
	bool can = can_be(f);
	open_error = EMFILE;
	assert_int_equal(deliver(f, 0), 0);
	open_error = 0;
	assert_int_equal(deliver(f, 1), 0);
	assert_int_equal(linked, can ? 1 : 0);
	check_messages(f, 2);
}

static void a_full_disk_leaves_nothing(struct fixture *f)
{
	if (!can_be(f))
		return;
	assert_int_equal(deliver(f, 0), 0);
	named_error = ENOSPC;
	assert_int_equal(deliver(f, 1), -ENOSPC);
	assert_int_equal(count_files(f, "new"), 1);
	assert_int_equal(count_files(f, "tmp"), 0);
	named_error = 0;
	assert_int_equal(deliver(f, 1), 0);
	check_messages(f, 2);
}

static void a_repeated_attempt_takes_the_place_of_the_first(struct fixture *f)
{
	assert_int_equal(deliver(f, 0), 0);
	assert_int_equal(deliver(f, 1), 0);
	assert_int_equal(deliver_with(f, 1, 0, APPEND_CHECKPOINT), 0);
	check_messages(f, 2);
}

static void tmp_that_was_taken_away(struct fixture *f)
{
	if (!can_be(f))
		return;
	assert_int_equal(deliver(f, 0), 0);
	assert_int_equal(rmdir(at_root(f, "tmp")), 0);
	assert_int_equal(deliver(f, 1), 0);
	assert_int_equal(deliver_with(f, 2, now_ms(), APPEND_DURABLE), 0);
	check_messages(f, 3);
}

static void what_is_flushed_alone_has_a_name_first(struct fixture *f)
{
	assert_int_equal(deliver(f, 0), 0);
	named_error = EIO; /* only a file that has no name would meet it */
	assert_int_equal(deliver_with(f, 1, now_ms(), APPEND_DURABLE), 0);
	check_messages(f, 2);
}

static void run_apart(void **state, void (*run)(struct fixture *f))
{
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		run(*state);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#define CASE(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		run_apart(state, name);                                                            \
	}

CASE(one_link_gives_the_name)
CASE(a_kernel_that_links_no_nameless_file)
CASE(a_file_system_without_nameless_files)
CASE(a_descriptor_that_is_not_to_be_had_once)
CASE(a_full_disk_leaves_nothing)
CASE(a_repeated_attempt_takes_the_place_of_the_first)
CASE(tmp_that_was_taken_away)
CASE(what_is_flushed_alone_has_a_name_first)

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_link_gives_the_name),
		TEST(a_kernel_that_links_no_nameless_file),
		TEST(a_file_system_without_nameless_files),
		TEST(a_descriptor_that_is_not_to_be_had_once),
		TEST(a_full_disk_leaves_nothing),
		TEST(a_repeated_attempt_takes_the_place_of_the_first),
		TEST(tmp_that_was_taken_away),
		TEST(what_is_flushed_alone_has_a_name_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
