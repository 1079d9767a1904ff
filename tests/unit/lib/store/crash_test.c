/* kill -9 at any moment: a child process delivers, appends, flags, copies and expunges in one store
 * and tells each success through a pipe; it is killed, another takes over. What was told stays
 * true: every message is there once, under its UID, unless it was expunged; no UID is used twice.
 * SPDX-License-Identifier: ISC */
#include "store_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#define ROUNDS 25
#define LIFE_US 40000
#define UIDS_MAX 100000

enum fact_kind { FACT_DELIVERED, FACT_GOING, FACT_GONE };

struct fact {
	uint32_t kind, uid, number; /* number: of the delivery, names its base */
};

static void tell(int fd, uint32_t kind, uint32_t uid, uint32_t number)
{
	struct fact fact = {kind, uid, number};
	if (write(fd, &fact, sizeof(fact)) != (ssize_t)sizeof(fact))
		_exit(0);
}

static void work_on_box(struct mailbox *box, int fd, unsigned *seed)
{
	const struct mailbox_changes *changes;
	if (mailbox_refresh(box, true, &changes) != 0 || mailbox_count(box) == 0)
		return;
	uint32_t uid = mailbox_at(box, (size_t)rand_r(seed) % mailbox_count(box))->uid;
	struct span keyword = SPAN("Work");
	struct store_request request = {.uids = &uid, .uid_count = 1, .operation = STORE_ADD,
		.flags = MESSAGE_SEEN, .keywords = &keyword, .keyword_count = 1};
	if (rand_r(seed) % 3 != 0) {
		(void)mailbox_store(box, &request, NULL);
	} else {
		tell(fd, FACT_GOING, uid, 0);
		if (mailbox_expunge(box, &uid, 1, false, NULL) == 0)
			tell(fd, FACT_GONE, uid, 0);
	}
}

static void live(const char *root, int fd, unsigned seed, uint32_t first_number)
{
	struct store *store;
	struct mailbox *box;
	if (store_open(root, STORE_CREATE, &store) != 0 ||
		mailbox_open(store, SPAN("INBOX"), 0, &box) != 0)
		_exit(2);
	for (uint32_t number = first_number;; number++) {
		char base[64];
		(void)snprintf(base, sizeof(base), "1.Q%uR0.host", number);
		struct append_options options = {.internaldate = INT64_MIN, .base = span_from_cstr(base),
			.is_delivery = true, .durability = APPEND_CHECKPOINT,
			/* The first one may be what a predecessor did and could not tell any more. */
			.first_ms = number == first_number ? 0 : now_ms()};
		struct append *append;
		struct append_result result;
		if (append_begin(store, SPAN("INBOX"), &options, &append) != 0)
			_exit(3);
		if (append_write(append, SPAN(MESSAGE)) != 0 || append_commit(append, &result) != 0)
			_exit(4);
		tell(fd, FACT_DELIVERED, result.uid, number);
		/* Between them some deliveries wait for the index. */
		if (rand_r(&seed) % 4 == 0)
			work_on_box(box, fd, &seed);
	}
}

/* What the children told: for each UID the delivery's number plus one, and whether it went. */
static uint32_t number_of[UIDS_MAX];
static bool is_going[UIDS_MAX], is_gone[UIDS_MAX];

static uint32_t take_facts(int fd, uint32_t next_number)
{
	struct fact fact;
	while (read(fd, &fact, sizeof(fact)) == (ssize_t)sizeof(fact)) {
		assert_true(fact.uid > 0 && fact.uid < UIDS_MAX);
		if (fact.kind == FACT_DELIVERED) {
			if (number_of[fact.uid] != 0 && number_of[fact.uid] != fact.number + 1)
				fail_msg("UID %u was used twice", fact.uid);
			number_of[fact.uid] = fact.number + 1;
			next_number = fact.number + 1;
		} else if (fact.kind == FACT_GOING) {
			is_going[fact.uid] = true;
		} else {
			is_gone[fact.uid] = true;
		}
	}
	return next_number;
}

static void check_truth(const char *root)
{
	struct store *store;
	struct mailbox *box;
	static bool is_there[UIDS_MAX];
	memset(is_there, 0, sizeof(is_there));
	assert_int_equal(store_open(root, 0, &store), 0);
	assert_int_equal(mailbox_open(store, SPAN("INBOX"), MAILBOX_READ_ONLY, &box), 0);
	struct buf out = BUF_INIT(10000);
	for (size_t i = 0; i < mailbox_count(box); i++) {
		uint32_t uid = mailbox_at(box, i)->uid;
		is_there[uid] = true;
		if (is_gone[uid])
			fail_msg("UID %u came back", uid);
		buf_reset(&out);
		assert_int_equal(read_message(box, uid, &out), 0);
		assert_int_equal(out.len, strlen(MESSAGE) + 8);
	}
	for (uint32_t uid = 1; uid < UIDS_MAX; uid++)
		if (number_of[uid] != 0 && !is_going[uid] && !is_there[uid])
			fail_msg("UID %u is lost", uid);
	buf_done(&out);
	mailbox_close(box);
	store_close(store);
}

static void nothing_told_is_lost(void **state)
{
	struct fixture *f = *state;
	uint32_t next_number = 0;
	unsigned seed = 4711;
	fixture_close(f);
	for (int round = 0; round < ROUNDS; round++) {
		int pipe_fds[2], status;
		assert_int_equal(pipe(pipe_fds), 0);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			(void)close(pipe_fds[0]);
			live(f->root, pipe_fds[1], seed + (unsigned)round, next_number);
		}
		(void)close(pipe_fds[1]);
		struct timespec life = {.tv_nsec = (LIFE_US / 4 + rand_r(&seed) % LIFE_US) * 1000L};
		(void)nanosleep(&life, NULL);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (!WIFSIGNALED(status))
			fail_msg("the child ended by itself: %d", WEXITSTATUS(status));
		/* The last delivery may have been done without being told: the next child tries it
		 * again. */
		next_number = take_facts(pipe_fds[0], next_number);
		(void)close(pipe_fds[0]);
		if (round % 5 == 4)
			remove_path(at_root(f, "tambo-index"));
		check_truth(f->root);
	}
	assert_true(next_number > ROUNDS);
	/* Each delivery once: names count by what stands before the sizes. */
	fixture_open(f);
	struct mailbox *box = open_box(f, "INBOX", 0);
	char *seen = calloc(next_number + 2, 1);
	assert_non_null(seen);
	DIR *dir = opendir(at_root(f, "cur"));
	struct dirent *entry;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		unsigned number;
		if (sscanf(entry->d_name, "1.Q%uR0.", &number) != 1)
			continue;
		assert_true(number <= next_number);
		if (seen[number]++ != 0)
			fail_msg("delivery %u is there twice", number);
	}
	(void)closedir(dir);
	free(seen);
	mailbox_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_told_is_lost, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
