/* Several processes read and write one index: what one of them begins to read stays as it is, one
 * writes at a time, a lock ends with its process, and no wait is for ever.
 * SPDX-License-Identifier: ISC */
#include "store_fixture.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "store/folder_private.h"
#include "store/index_lmdb_private.h"
#include "task/task.h"

#define ROWS 40
#define PROCESSES 4
#define ROUNDS 300

/* All rows of one transaction bear the same value, in pages of their own. */
static void write_all(struct index_txn *txn, uint64_t value)
{
	static uint64_t text[500];
	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		text[i] = value;
	for (uint32_t uid = 1; uid <= ROWS; uid++)
		index_put_cache(txn, 1, uid, span_new(text, sizeof(text)));
}

static bool is_value(struct index_txn *txn, uint32_t uid, uint64_t value)
{
	struct span span;
	uint64_t found = 0;
	if (!index_get_cache(txn, 1, uid, &span) || span.len < sizeof(found))
		return false;
	memcpy(&found, span.ptr + span.len - sizeof(found), sizeof(found));
	return found == value;
}

static uint64_t value_of(struct index_txn *txn)
{
	struct span span;
	uint64_t found = 0;
	if (index_get_cache(txn, 1, 1, &span) && span.len >= sizeof(found))
		memcpy(&found, span.ptr, sizeof(found));
	return found;
}

static void put(struct index *index, uint64_t value)
{
	struct index_txn txn;
	assert_int_equal(index_begin(index, true, &txn), 0);
	write_all(&txn, value);
	assert_int_equal(index_commit(&txn), 0);
}

static uint64_t get(struct index *index)
{
	struct index_txn txn;
	assert_int_equal(index_begin(index, false, &txn), 0);
	uint64_t value = value_of(&txn);
	index_abort(&txn);
	return value;
}

static void pause_us(unsigned us)
{
	struct timespec pause = {.tv_nsec = us * 1000L};
	(void)nanosleep(&pause, NULL);
}

/* Told in a page that the processes share. */
static uint64_t *written;

/* 0: all it read was of one transaction. */
static int read_and_write(const char *root, unsigned seed)
{
	struct index *index = index_new(root);
	uint64_t before = 0;
	for (int round = 0; round < ROUNDS; round++) {
		struct index_txn txn;
		bool write = rand_r(&seed) % 2 == 0;
		int error = index_begin(index, write, &txn);
		if (error != 0)
			return 10;
		uint64_t value = value_of(&txn);
		if (value < before)
			return 11;
		before = value;
		for (uint32_t uid = 1; uid <= ROWS; uid++) {
			/* The others go on meanwhile. */
			if (uid == ROWS / 2)
				pause_us((unsigned)rand_r(&seed) % (write ? 200 : 2000));
			if (!is_value(&txn, uid, value))
				return write ? 12 : 13;
		}
		if (write)
			write_all(&txn, ++before);
		(void)__atomic_fetch_add(written, write, __ATOMIC_SEQ_CST);
		error = write ? index_commit(&txn) : 0;
		if (!write)
			index_abort(&txn);
		if (error != 0 || txn.error != 0)
			return 14;
		if (write && round % 10 == 0 && rand_r(&seed) % 2 == 0) {
			index_free(index);
			index = index_new(root);
		}
	}
	index_free(index);
	return 0;
}

static void readers_and_writers_of_several_processes_see_whole_transactions(void **state)
{
	struct fixture *f = *state;
	pid_t pids[PROCESSES];
	struct index *index = index_new(f->root);
	written = mmap(NULL, sizeof(*written), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		0);
	assert_true(written != MAP_FAILED);
	put(index, 0);
	ino_t file = data_file(f);
	index_free(index);
	for (unsigned i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(read_and_write(f->root, i + 1));
	}
	for (unsigned i = 0; i < PROCESSES; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			fail_msg("process %u: %s %d", i, WIFEXITED(status) ? "exit" : "signal",
				WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	}
	/* Nobody found it damaged, and none wrote over another's. */
	assert_int_equal(data_file(f), file);
	index = index_new(f->root);
	assert_int_equal(get(index), *written);
	index_free(index);
	(void)munmap(written, sizeof(*written));
}

/* A process in the middle of a transaction; it waits to be killed. */
static pid_t begin_elsewhere(struct fixture *f, bool writes)
{
	int pipe_fds[2];
	char byte = 0;
	assert_int_equal(pipe(pipe_fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct index_txn txn;
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		struct index *index = index_new(f->root);
		if (index_begin(index, writes, &txn) == 0) {
			if (writes)
				write_all(&txn, 99);
			(void)!write(pipe_fds[1], "x", 1);
		}
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	return pid;
}

static void end_there(pid_t pid)
{
	int status;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void a_wait_for_another_process_has_an_end(void **state)
{
	struct fixture *f = *state;
	struct index *index = index_new(f->root);
	struct index_txn txn;
	put(index, 1);
	ino_t file = data_file(f);
	pid_t other = begin_elsewhere(f, true);
	index->waited_in_vain = true; /* no need to wait for it here */
	assert_int_equal(index_begin(index, true, &txn), -ETIMEDOUT);
	assert_int_equal(get(index), 1);
	end_there(other);
	put(index, 2);
	assert_false(index->waited_in_vain);
	/* One that reads: the transaction after the one it reads may be written, no other. */
	other = begin_elsewhere(f, false);
	put(index, 3);
	index->waited_in_vain = true;
	assert_int_equal(index_begin(index, true, &txn), -ETIMEDOUT);
	assert_int_equal(get(index), 3);
	end_there(other);
	put(index, 4);
	assert_int_equal(get(index), 4);
	assert_int_equal(data_file(f), file);
	index_free(index);
}

static void a_mailbox_that_another_process_holds_is_told_to_be_in_use(void **state)
{
	struct fixture *f = *state;
	const struct mailbox_changes *changes;
	(void)append_text(f, "INBOX", MESSAGE, 0, NULL);
	struct mailbox *box = open_box(f, "INBOX", 0);
	pid_t other = begin_elsewhere(f, true);
	uint32_t uid = 1;
	struct append_options options = {.internaldate = INT64_MIN};
	struct append *append;
	struct append_result result;
	struct store_request request = {.uids = &uid, .uid_count = 1, .operation = STORE_ADD,
		.flags = MESSAGE_SEEN};
	f->store->index->waited_in_vain = true;
	assert_int_equal(append_begin(f->store, SPAN("INBOX"), &options, &append), 0);
	assert_int_equal(append_write(append, SPAN(MESSAGE)), 0);
	assert_int_equal(append_commit(append, &result), -ETIMEDOUT);
	assert_int_equal(mailbox_store(box, &request, NULL), -ETIMEDOUT);
	assert_int_equal(mailbox_refresh(box, true, &changes), -ETIMEDOUT);
	assert_string_equal(describe(box), "1[R]");
	end_there(other);
	set_flags(box, 1, STORE_ADD, MESSAGE_SEEN, NULL);
	assert_int_equal(mailbox_refresh(box, true, &changes), 0);
	assert_string_equal(describe(box), "1[SR]");
	mailbox_close(box);
}

/* Opened twice in one process, each in its turn: the second writer does not wait for what the first
 * one still holds of this turn. */
static void two_of_one_process(void *arg)
{
	struct fixture *f = arg;
	struct index *one = index_new(f->root), *two = index_new(f->root);
	put(one, 1);
	for (uint64_t value = 2; value < 10; value++) {
		assert_int_equal(get(one), value - 1);
		put(two, value);
		put(two, value);
		/* The first one's next transaction sees it, in the same turn too. */
		assert_int_equal(get(one), value);
	}
	assert_true(one->is_reading); /* until the turn ends */
	assert_int_equal(task_sleep(1), 0);
	assert_false(one->is_reading);
	index_free(one);
	index_free(two);
	task_loop_stop();
}

static void two_environments_of_one_process_do_not_wait_for_each_other(void **state)
{
	assert_int_equal(task_loop_open(), 0);
	assert_non_null(task_spawn("test", two_of_one_process, *state, 1UL << 20));
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

/* A version before locked with LMDB's own file: its index is not written with other locks. */
static void an_index_of_an_earlier_version_is_built_anew(void **state)
{
	struct fixture *f = *state;
	char boot[256] = "", changed[256];
	(void)append_text(f, "INBOX", MESSAGE, MESSAGE_FLAGGED, NULL);
	ino_t file = data_file(f);
	fixture_close(f);
	FILE *in = fopen(at_root(f, "tambo-index/boot"), "r");
	assert_non_null(in);
	assert_non_null(fgets(boot, sizeof(boot), in));
	assert_int_equal(fclose(in), 0);
	char *id = strrchr(boot, ' ');
	assert_non_null(id);
	(void)snprintf(changed, sizeof(changed), "tambo-index 2%s", id);
	write_file(f, "tambo-index/boot", changed);
	write_file(f, "tambo-index/lock.mdb", "of that version");
	/* While it is open its number is not used again. */
	int held = open(at_root(f, "tambo-index/data.mdb"), O_RDONLY);
	fixture_open(f);
	struct mailbox *box = open_box(f, "INBOX", 0);
	assert_string_equal(describe(box), "1[F]");
	assert_true(data_file(f) != file);
	assert_int_not_equal(access(at_root(f, "tambo-index/lock.mdb"), F_OK), 0);
	mailbox_close(box);
	(void)close(held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			readers_and_writers_of_several_processes_see_whole_transactions, fixture_setup,
			fixture_teardown),
		cmocka_unit_test_setup_teardown(a_wait_for_another_process_has_an_end, fixture_setup,
			fixture_teardown),
		cmocka_unit_test_setup_teardown(a_mailbox_that_another_process_holds_is_told_to_be_in_use,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(two_environments_of_one_process_do_not_wait_for_each_other,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(an_index_of_an_earlier_version_is_built_anew, fixture_setup,
			fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
