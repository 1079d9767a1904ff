/* The store inside of tasks: their small stacks, waiting for locks, being woken by changes.
 * SPDX-License-Identifier: ISC */
#include "store_fixture.h"

#include "store/cache_private.h"
#include "task/task.h"

static void run_loop(void (*fn)(void *), void *arg)
{
	assert_int_equal(task_loop_open(), 0);
	assert_non_null(task_spawn("test", fn, arg, 0));
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

/* The deepest message that the parser follows, of both kinds in turn. */
static void write_deep(struct buf *out)
{
	for (int i = 0; i < 150; i++) {
		buf_append_format(out, "Content-Type: multipart/mixed; boundary=\"b%d\"\n\n--b%d\n", i, i);
		if (i % 2 == 1)
			buf_append_cstr(out, "Content-Type: message/rfc822\n\nFrom: x@example.test\n");
	}
	buf_append_cstr(out, "\ntext\n");
}

static void deep_task(void *arg)
{
	struct fixture *f = arg;
	struct buf text = BUF_INIT(1UL << 20), value = BUF_INIT(1UL << 24);
	write_deep(&text);
	(void)append_text(f, "INBOX", buf_cstr(&text), 0, NULL);
	struct mailbox *box = open_box(f, "INBOX", 0);
	for (int kind = 0; kind < CACHE_KINDS; kind++)
		assert_int_equal(mailbox_message_cache(box, 1, (enum message_cache)kind, &value), 0);
	assert_true(value.len > 1000);
	mailbox_close(box);
	buf_done(&text);
	buf_done(&value);
}

static void deep_message_fits_a_tasks_stack(void **state)
{
	run_loop(deep_task, *state);
}

struct race {
	struct fixture *f;
	unsigned running;
	uint32_t uids[200];
	size_t count;
};

static void deliver_task(void *arg)
{
	struct race *race = arg;
	for (int i = 0; i < 25; i++) {
		race->uids[race->count++] =
			append_text(race->f, "INBOX", MESSAGE, 0, i % 5 == 0 ? "key" : NULL);
		(void)task_yield();
	}
	race->running--;
}

static void flag_task(void *arg)
{
	struct race *race = arg;
	struct mailbox *box = open_box(race->f, "INBOX", 0);
	while (race->running > 0) {
		(void)refresh(box);
		for (size_t i = 0; i < mailbox_count(box); i += 3)
			set_flags(box, mailbox_at(box, i)->uid, STORE_ADD, MESSAGE_SEEN, NULL);
		(void)task_sleep(1);
	}
	(void)refresh(box);
	assert_int_equal(mailbox_count(box), 200);
	mailbox_close(box);
}

static void race_task(void *arg)
{
	struct race *race = arg;
	race->running = 8;
	for (int i = 0; i < 8; i++)
		assert_non_null(task_spawn("deliver", deliver_task, race, 0));
	assert_non_null(task_spawn("flags", flag_task, race, 0));
	assert_non_null(task_spawn("flags", flag_task, race, 0));
}

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	return left < right ? -1 : left > right;
}

static void many_tasks_share_a_mailbox(void **state)
{
	struct race race = {.f = *state};
	run_loop(race_task, &race);
	assert_int_equal(race.count, 200);
	qsort(race.uids, 200, sizeof(uint32_t), compare);
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(race.uids[i], i + 1);
}

static void idle_task(void *arg)
{
	struct fixture *f = arg;
	struct mailbox *box = open_box(f, "INBOX", 0);
	int fd = mailbox_event_fd(box);
	assert_true(fd >= 0);
	(void)refresh(box);
	/* A delivery of another program. */
	write_file(f, "tmp/1.x", MESSAGE);
	assert_int_equal(rename(at_root(f, "tmp/1.x"), at_root(f, "new/1.x")), 0);
	assert_int_equal(task_wait_fd(fd, TASK_READ, task_deadline(5000)), 0);
	(void)refresh(box);
	assert_int_equal(mailbox_count(box), 1);
	/* One of ours, in this process. */
	(void)append_text(f, "INBOX", MESSAGE, 0, NULL);
	assert_int_equal(task_wait_fd(fd, TASK_READ, task_deadline(5000)), 0);
	assert_true(refresh(box)->exists_changed);
	mailbox_close(box);
}

static void idle_views_are_woken(void **state)
{
	run_loop(idle_task, *state);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		CASE(deep_message_fits_a_tasks_stack), CASE(many_tasks_share_a_mailbox),
		CASE(idle_views_are_woken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
